"""How fast a device is: the ceilings that a training can be held against."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from .device import float32_products

ROUNDS = 5
"""Medians are of so many rounds, or of as many as there is time for."""
PARTS = 5
"""Copy, three products, launches."""


@dataclass(frozen=True)
class Rates:
    """What was measured; a product's rate is None where the device does not have that precision.

    Args:
        copy_bytes_per_second: of a large array, bytes read and bytes written.
        float32_flops_per_second: of a large matrix product, additions and multiplications.
        tf32_flops_per_second: the same with inputs rounded to 10 bits; cards since 2020 have it.
        bfloat16_flops_per_second: the same in bfloat16.
        launches_per_second: operations on a single number, one after the other.
    """

    copy_bytes_per_second: float
    float32_flops_per_second: float
    tf32_flops_per_second: float | None
    bfloat16_flops_per_second: float | None
    launches_per_second: float


def measure_rates(device: torch.device, seconds: float = 10.0) -> Rates:
    """Measure a device, on random numbers; the processor on one thread, as a worker has it.

    Args:
        device: the CPU or a card. Of a card it takes at most 3 GB, or an eighth of what is free.
        seconds: how long it may take, warming up apart.
    """
    card = device.type == "cuda"
    most = torch.cuda.mem_get_info(device)[0] // 8 if card else 2**28
    side = 8192 if card else 1024
    part = seconds / PARTS
    with _one_thread():
        copy = _copy(min(2**30, most) // 4, device, part)
        with float32_products(device, "ieee"):
            single = _product(side, torch.float32, device, part)
        tf32 = None
        if card and torch.cuda.get_device_capability(device) >= (8, 0):
            with float32_products(device, "tf32"):
                tf32 = _product(side, torch.float32, device, part)
        half = _product(side, torch.bfloat16, device, part) if not card or _has_bfloat16(device) else None
        number = torch.rand(1, device=device)
        return Rates(copy, single, tf32, half, _rate(lambda: number.add_(1.0), 1, device, part))


def _copy(size: int, device: torch.device, seconds: float) -> float:
    source = torch.rand(size, device=device)
    target = torch.empty_like(source)
    return _rate(lambda: target.copy_(source), 2 * source.nbytes, device, seconds)


def _product(side: int, dtype: torch.dtype, device: torch.device, seconds: float) -> float:
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return _rate(lambda: torch.mm(a, b, out=out), 2 * side**3, device, seconds)


def _rate(call: Callable[[], object], work: float, device: torch.device, seconds: float) -> float:
    """How much `work` is done in a second, where a call does so much: the median of some rounds."""

    def spent(repeats: int) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    spent(2)
    repeats = 1
    while (once := spent(repeats)) < seconds / (4 * ROUNDS):
        repeats *= 2
    rounds, until = [once], time.perf_counter() + seconds
    while len(rounds) < ROUNDS and time.perf_counter() < until:
        rounds.append(spent(repeats))
    return work * repeats / statistics.median(rounds)


def _has_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
