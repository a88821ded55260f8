"""Training on a GPU: equal to the processor's, how fast, how near to what limits it, and a whole search.

`scripts/gpu_check` runs all of it in under six minutes and writes a page. With `--device cpu` the same runs on the
processor, where a step is repeated without being recorded; `--small` is for trying the benchmark itself.

1. Eight ragged networks of each stacked space, 50 steps in float64: recorded steps against the same steps launched one
   by one, and against the processor.
2. Networks a second, of 784 random inputs and 10 classes, 10,000 examples, 2 epochs in minibatches of 128: one shape
   (784-12-10), random `grouped_mlp`, random `sparse_moe`; against a loop of one network after the other, and vmap.
3. What part of the card's memory traffic a step reaches (Adam alone moves 28 bytes a parameter), and which kernels take
   the time.
4. The mean validation accuracy of 100 candidates on the digits, by precision.
5. A search with archive and log: candidates a second, and how busy the card is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from qd.candidates import Candidates, Status
from qd.training import StackSize, TrainingOptions, train_population, train_stack
from qd.training.alone import build_seeded, train_alone
from qd.training.device import find_device
from qd.training.device_steps import DeviceSteps, cuda_graph
from qd.training.inputs import draw_inputs, draw_targets
from qd.training.rates import measure_rates
from qd.training.vmapped import VmapStack
from search_spaces import SearchSpace
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, Task, Vector

from .figures import Figure

TASK = Task(Vector(784), Classes(10))
TRAINING = TrainingOptions(epochs=2, batch_size=128)
STEPS = 50
BUILT = 100
"""Networks that are built to see how long that takes."""
PROFILED = 5
CANDIDATES = 100
TRAFFIC = 28
"""Bytes that Adam reads and writes for each float32 parameter."""
SEARCH_SECONDS = 60.0
LONGEST = 45.0
"""Seconds that one measurement may take; longer ones are left out, lest the whole takes more than six minutes."""
RUN_FILE = Path(__file__).parents[1] / "runs" / "fashion_moe.yaml"
ONE_SHAPE = {
    "layers": [[{"width": 12, "activation": "relu", "links": list(range(8))}]],
    "rewiring": {"kind": "none"},
}


class _Scale(NamedTuple):
    """How much is measured."""

    sizes: tuple[int, ...]
    examples: int
    candidates: int
    seconds: float
    rates_seconds: float


WHOLE = _Scale((100, 1_000, 10_000), 10_000, CANDIDATES, SEARCH_SECONDS, 10.0)
SMALL = _Scale((3,), 300, 2, 1.0, 0.2)


def figures(device: str = "cuda", small: bool = False) -> Iterator[Figure]:
    """Figures one by one, so that what was measured is there if time runs out."""
    scale = SMALL if small else WHOLE
    try:
        where = find_device(device)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    yield from _equality(where)
    copied = measure_rates(where, scale.rates_seconds).copy_bytes_per_second
    yield Figure("memory traffic of a copy", [copied / 1e9], "GB/s")
    yield from _rates(where, scale, copied)
    for part in (_accuracies, _search):
        try:
            yield from part(where, scale)
        except ImportError as error:  # what is above needs less than the rest of the project
            print(f"left out, for {error.name} is not installed: {part.__name__.strip('_')}", file=sys.stderr)


def _equality(device: torch.device) -> Iterator[Figure]:
    task = Task(Image(1, 8, 8), Classes(5))
    inputs, targets = draw_inputs(task, 200, dtype=torch.float64), draw_targets(task, 200, seed=1)
    for space in (GroupedMLP(), SparseMoE(), ConvBlocks()):
        rng = np.random.default_rng(0)
        group = _largest_group(space, [space.genes.sample(rng) for _ in range(8)])
        options = [TrainingOptions(5, 20, learning_rate=0.003 * (1 + index % 3)) for index in range(len(group))]
        states = []
        for where, record in ((torch.device("cpu"), None), (device, None), (device, _record(device))):
            stack = _stack(space, group, task).double().to(where)
            given = inputs.to(where), targets.to(where), options, task.loss
            if where.type == "cpu" and not states:
                train_stack(stack, *given, 7)
            else:
                stack.train()
                DeviceSteps(stack, *given, STEPS, 7, record=record).all()
            states.append([stack.unstack(index) for index in range(len(group))])
        name = f"{type(space).__name__}, {len(group)} networks, {STEPS} steps in float64"
        if device.type == "cuda":
            yield Figure(f"{name}: recorded against launched", [_apart(states[2], states[1])], "relative", 1e-10)
        yield Figure(
            f"{name}: {device} against the plain loop on the processor",
            [_apart(states[2], states[0])],
            "relative",
            1e-10,
        )


def _largest_group(space: SearchSpace, genotypes: Sequence[Any]) -> list[Any]:
    """Those of the signature that most of them have."""
    groups: dict[Hashable, list[Any]] = {}
    for genotype in genotypes:
        groups.setdefault(space.stack_signature(genotype), []).append(genotype)
    return max(groups.values(), key=len)


def _stack(space: SearchSpace, genotypes: Sequence[Any], task: Task) -> Any:
    """Networks of one signature, each from its own seed."""
    stack: Any = space.build_stack(genotypes, task)
    for index, genotype in enumerate(genotypes):
        stack.load(index, build_seeded(partial(space.build, genotype, task), index).state_dict())
    return stack


def _apart(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> float:
    """The largest difference of two tensors, as a share of their norm."""
    return max(
        float((a[name].cpu() - b[name].cpu()).norm() / b[name].cpu().norm().clamp(min=1e-12))
        for a, b in zip(one, other, strict=True)
        for name in b
    )


def _accuracies(device: torch.device, scale: _Scale) -> Iterator[Figure]:
    from evaluators.data.digits import Digits
    from evaluators.supervised import Supervised

    for space in (GroupedMLP(), SparseMoE()):
        means: list[tuple[str, float]] = []
        ways: list[tuple[str, Literal["float32", "tf32", "bfloat16"]]] = [
            ("cpu", "float32"), (str(device), "float32"), (str(device), "tf32"), (str(device), "bfloat16"),
        ]  # fmt: skip
        for where, precision in ways:
            training = TrainingOptions(epochs=5, batch_size=50, precision=precision)
            evaluator = Supervised(Digits(), training, device=where)
            evaluator.bind(space)
            rng = np.random.default_rng(2)
            ids = np.arange(scale.candidates)
            genotypes = [space.genes.sample(rng) for _ in ids]
            results = evaluator.evaluate(Candidates(ids, ids, ids, 0, genotypes))
            ok = results.status == Status.OK
            means.append((f"{where} {precision}", 100 * float(np.mean(results.metrics["val_accuracy"][ok]))))
        (first, expected), *others = means
        name = f"{type(space).__name__}, {scale.candidates} candidates on digits"
        yield Figure(f"{name}: mean accuracy, {first}", [expected], "%")
        for way, mean in others:
            yield Figure(f"{name}: {way} is apart by", [abs(mean - expected)], "points", 0.5)


def _rates(device: torch.device, scale: _Scale, copied: float) -> Iterator[Figure]:
    inputs, targets = draw_inputs(TASK, scale.examples).to(device), draw_targets(TASK, scale.examples, 1).to(device)
    rng = np.random.default_rng(0)
    cases: tuple[tuple[str, SearchSpace, Any, float], ...] = (
        ("784-12-10", GroupedMLP(), lambda space: ONE_SHAPE, 10_000),
        ("grouped_mlp", GroupedMLP(), lambda space: space.genes.sample(rng), 2_000),
        ("sparse_moe", SparseMoE(), lambda space: space.genes.sample(rng), 1_000),
    )
    for name, space, draw, target in cases:
        genotypes = [draw(space) for _ in range(max(*scale.sizes, BUILT))]
        some = genotypes[:BUILT]
        started = time.perf_counter()
        for seed, genotype in enumerate(some):
            build_seeded(partial(space.build, genotype, TASK), seed)
        yield Figure(f"{name}: building one on the host", [1e3 * (time.perf_counter() - started) / len(some)], "ms")
        started = time.perf_counter()
        for seed, genotype in enumerate(genotypes[:2]):
            network = build_seeded(partial(space.build, genotype, TASK), seed).to(device)
            train_alone(network, inputs, targets, TRAINING, TASK.loss, 0, seed=seed)
        yield Figure(f"{name}: one after the other", [2 / _since(started, device)], "networks/s")
        if name == "784-12-10":
            networks = [space.build(ONE_SHAPE, TASK).to(device) for _ in range(scale.sizes[0])]
            stack = VmapStack(networks, inputs[:2]).train()
            seconds, _ = _steps(stack, inputs, targets, len(networks), device)
            yield Figure(f"{name}: vmap, K = {len(networks)}, recorded", [len(networks) / seconds], "networks/s")
        spent, before = 0.0, 1
        for size in scale.sizes:
            if spent * size / before > LONGEST:
                print(f"left out, for it would take {spent * size / before:.0f} s: {name}, K = {size}", file=sys.stderr)
                continue
            started = time.perf_counter()
            train_population(space, genotypes[:size], range(size), TASK, inputs, targets, TRAINING, 0, size=StackSize())
            spent, before = _since(started, device), size
            label, wanted = f"{name}: K = {size:,}, building and unpacking included", target if size > 100 else None
            yield Figure(label, [size / spent], "networks/s", wanted, "higher")
        group = _largest_group(space, genotypes[: min(1_000, max(scale.sizes))])
        yield from _one_stack(name, _stack(space, group, TASK).to(device), inputs, targets, copied)


def _one_stack(name: str, stack: Any, inputs: Tensor, targets: Tensor, copied: float) -> Iterator[Figure]:
    size, device = 1 + max(max(rows) for _, rows in stack.owned()), inputs.device
    parameters = sum(tensor.numel() for tensor in stack.parameters())
    seconds, steps = _steps(stack.train(), inputs, targets, size, device)
    yield Figure(f"{name}: steps alone, K = {size:,}", [size / seconds], "networks/s")
    share = TRAFFIC * parameters * steps / seconds / copied
    yield Figure(f"{name}: Adam's traffic, share of a copy's", [share], "of 1", 0.4, "higher")
    one = DeviceSteps(stack, inputs, targets, [TRAINING] * size, TASK.loss, PROFILED + 1, 0)
    for kernel, part in _kernels(one, device):
        yield Figure(f"{name}: share of a step in {kernel}", [part], "of 1")


def _steps(stack: Any, inputs: Tensor, targets: Tensor, size: int, device: torch.device) -> tuple[float, int]:
    """Seconds of a whole training, recording included, and its steps."""
    steps = TRAINING.steps(len(inputs))
    training = DeviceSteps(stack, inputs, targets, [TRAINING] * size, TASK.loss, steps, 0, record=_record(device))
    started = time.perf_counter()
    training.all()
    return _since(started, device), steps


def _kernels(training: DeviceSteps, device: torch.device) -> list[tuple[str, float]]:
    """The kernels that take most of a step, and their shares."""
    from torch.profiler import ProfilerActivity, profile

    training.take()
    activity = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        for _ in range(PROFILED):
            training.take()
        _since(0.0, device)
    times: Counter[str] = Counter()
    for event in profiler.key_averages():
        spent = event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
        times[event.key[:60]] += spent
    total = sum(times.values()) or 1
    return [(name, spent / total) for name, spent in times.most_common(4)]


def _search(device: torch.device, scale: _Scale) -> Iterator[Figure]:
    import qd

    changes = ["search.chunk=auto", "budget.evaluations=100000", f"budget.seconds={scale.seconds}"]
    changes.append(f"evaluator.device={device}")
    if not _has_fashion_mnist():
        changes.append("evaluator.data=digits")
    busy: list[float] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(busy, ended), daemon=True)
    with tempfile.TemporaryDirectory() as folder:
        if device.type == "cuda":
            watcher.start()
        started = time.perf_counter()
        run = qd.run(RUN_FILE, out=Path(folder) / "run", overrides=changes)
        seconds = time.perf_counter() - started
        ended.set()
        count = sum(run.summary()["evaluations"].values())
        run.close()
    data = "digits" if "evaluator.data=digits" in changes else "Fashion-MNIST"
    yield Figure(f"a search of sparse_moe on {data}, with log and archive: evaluations", [count], "")
    yield Figure("the search's rate", [count / seconds], "evaluations/s", 100_000 / 180, "higher")
    if busy:
        yield Figure("how busy the card is", busy, "of 1", 0.8, "higher")


def _has_fashion_mnist() -> bool:
    from evaluators.data import fashion_mnist

    try:
        fashion_mnist.find()
    except ValueError:
        return False
    return True


def _watch(busy: list[float], ended: threading.Event) -> None:
    """Ask the driver twice a second how busy the card is."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    while not ended.wait(0.5):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            busy.append(float(answer.stdout.split()[0]) / 100)


def _record(device: torch.device) -> Any:
    return cuda_graph if device.type == "cuda" else None


def _since(started: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
