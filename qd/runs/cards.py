"""The graphics cards of this machine, as torch and their driver see them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True)
class CardReport:
    """A card that torch can use.

    Args:
        device: as torch names it, "cuda:0".
        name: the maker's.
        memory_gib: all of it.
        free_gib: what no process holds.
        driver: its version; None where nvidia-smi does not say.
        cuda: the version that torch was built for.
        capability: the architecture, such as "sm_90".
        bfloat16: whether the card computes with it.
        tf32: the same.
        triton: its version; None where it is not installed, and kernels written in it have plain torch in their place.
    """

    device: str
    name: str
    memory_gib: float
    free_gib: float
    driver: str | None
    cuda: str | None
    capability: str
    bfloat16: bool
    tf32: bool
    triton: str | None

    def __str__(self) -> str:
        precisions = [name for name, has in (("bfloat16", self.bfloat16), ("tf32", self.tf32)) if has]
        return ", ".join(
            [
                f"{self.device} {self.name}",
                f"{self.memory_gib:g} GiB, {self.free_gib:g} of them free",
                f"driver {self.driver or 'unknown'}",
                f"CUDA {self.cuda}",
                self.capability,
                *precisions,
                f"Triton {self.triton}" if self.triton else "no Triton",
            ]
        )


def usable_cards() -> list[CardReport]:
    """Those that torch can use."""
    import torch

    if not torch.cuda.is_available():
        return []
    driver, triton = driver_version(), triton_version()
    reports = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        major, minor = torch.cuda.get_device_capability(index)
        with torch.cuda.device(index):
            bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        reports.append(
            CardReport(
                f"cuda:{index}",
                torch.cuda.get_device_name(index),
                round(total / 2**30, 1),
                round(free / 2**30, 1),
                driver,
                torch.version.cuda,
                f"sm_{major}{minor}",
                bfloat16,
                major >= 8,
                triton,
            )
        )
    return reports


def driver_version() -> str | None:
    """Of NVIDIA's driver; None where nvidia-smi does not say."""
    answer = _asked("--query-gpu=driver_version", "--format=csv,noheader")  # options of nvidia-smi
    return next(iter(answer.splitlines()), None)


def listed_cards() -> list[str]:
    """Names of NVIDIA's cards as their driver lists them, whatever torch can do with them."""
    return re.findall(r"^GPU \d+: (.*?)(?: \(UUID.*)?$", _asked("-L"), re.MULTILINE)


def triton_version() -> str | None:
    """None where there is none."""
    if importlib.util.find_spec("triton") is None:
        return None
    try:
        return metadata.version("triton")
    except metadata.PackageNotFoundError:
        return "of an unknown version"


def _asked(*arguments: str) -> str:
    """What nvidia-smi prints; empty where there is none, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
