"""Looks for what would keep a search from running here, and says what a run would use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from evaluators.data.places import places

from .. import environment
from ..errors import QdError, UsageError
from ..registry import ROOMS, Registry, installed_names


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Args:
        about: versions, gpus, data, plug-ins or cluster.
        message: what was expected, what was found, what to do.
    """

    about: str
    message: str


@dataclass
class Diagnosis:
    """What was found.

    Args:
        versions: {package: version}, Python among them.
        machine: system, processor, cores (all), usable_cores (by this process), memory_gib, free_memory_gib.
        gpus: names of those that torch can use.
        data: {data set: where it is, None where it is not}.
        cluster: address and nodes; None where none was asked for.
        run: what a run would use: executor, workers, device.
        problems: empty where all is well.
    """

    versions: dict[str, str]
    machine: dict[str, Any]
    gpus: list[str]
    data: dict[str, str | None]
    cluster: dict[str, Any] | None
    run: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"well": not self.problems, **asdict(self)}


def doctor(address: str | None = None) -> Diagnosis:
    """Look at this machine, and at a cluster where an address is given; without one, Ray is not started.

    Args:
        address: as `executor.address` in a run file.

    Raises:
        UsageError: the address has none of the forms that are known.
    """
    import torch  # takes seconds, as what imports it does

    from ..training.memory import free_bytes

    problems = [Problem("versions", message) for message in _unmet_requirements()]
    gpus = _gpus(problems)
    found = places()
    problems += [Problem("data", f"{name}: {place}") for name, place in found.items() if isinstance(place, ValueError)]
    problems += [Problem("plug-ins", message) for message in _broken_plugins()]
    free = round(free_bytes(torch.device("cpu")) / 2**30, 1)
    machine = {**environment.machine(), "usable_cores": usable_cores(), "free_memory_gib": free}
    run = {"executor": "inline", "workers": 1, "device": "cuda" if gpus else "cpu"}
    diagnosis = Diagnosis(
        environment.versions(),
        machine,
        gpus,
        {name: str(place) if isinstance(place, Path) else None for name, place in found.items()},
        None,
        run,
        problems,
    )
    if address is not None:
        _examine_cluster(address, diagnosis)
    return diagnosis


def usable_cores() -> int:
    """Cores that this process may use; a container or a batch system may allow fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def _unmet_requirements() -> list[str]:
    """What is not installed as pyproject.toml asks for it; nothing where this package runs from a bare checkout."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("qdnas") or []
    except metadata.PackageNotFoundError:
        return []
    messages = []
    for requirement in map(Requirement, lines):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = "none"
        if version == "none" or not requirement.specifier.contains(version, prereleases=True):
            messages.append(
                f"expected {requirement}, found {version}: scripts/setup installs what belongs together"
                f" (or: pip install '{requirement}')"
            )
    return messages


def _broken_plugins() -> list[str]:
    """What installed packages bring that cannot be imported, or does not keep the contract of its room."""
    messages = []
    for room, about in ROOMS.items():
        for name in installed_names(room):
            try:
                found = Registry().find(room, name, f"qd.{room}")
            except UsageError as error:
                messages.append(str(error))
                continue
            if missing := sorted(getattr(found, "__abstractmethods__", ())):
                messages.append(
                    f"qd.{room}: {name} ({found.__module__}:{found.__name__}) does not define {', '.join(missing)},"
                    f" which every {about.contract.__name__} has"
                )
    return messages


def _gpus(problems: list[Problem]) -> list[str]:
    import torch

    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cards = _cards()
    if cards:
        problems.append(
            Problem(
                "gpus",
                f"this machine has {', '.join(cards)}, and torch {torch.__version__} cannot use it: scripts/setup --gpu"
                " installs a build with CUDA; where that is installed, the driver is older than it needs",
            )
        )
    return []


def _cards() -> list[str]:
    """NVIDIA's cards as their driver lists them, whatever torch can do with them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return re.findall(r"^GPU \d+: (.*?)(?: \(UUID.*)?$", listed, re.MULTILINE)


def _examine_cluster(address: str, diagnosis: Diagnosis) -> None:
    from ..executors.ray.cluster import connect
    from ..executors.ray.options import ray_config
    from ..executors.ray.survey import disagreements, survey

    config = ray_config({"address": address}, "executor")
    try:
        cluster = connect(config)
    except QdError as error:
        diagnosis.problems.append(Problem("cluster", str(error)))
        return
    try:
        reports = survey(cluster)
        diagnosis.cluster = {"address": cluster.address, "nodes": [asdict(report) for report in reports]}
        diagnosis.run = {**diagnosis.run, "executor": "ray", "workers": cluster.room(config)}
        diagnosis.problems += [Problem("cluster", message) for message in disagreements(reports)]
    finally:
        cluster.close()
