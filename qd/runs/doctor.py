"""Looks for what would keep a search from running here, and says what a run would use."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.data.places import places

from .. import environment
from ..config import load
from ..errors import QdError, UsageError
from ..registry import ROOMS, Registry, installed_names
from . import problem
from .cards import CardReport, listed_cards, usable_cards

if TYPE_CHECKING:
    from ..training.rates import Rates

BATCH = 128
"""Examples in a minibatch of the typical network."""


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
        gpus: the cards that torch can use, by the fields of `CardReport`.
        chunk: what is trained together on the device of a run: device, run_file (None: a typical network instead),
            candidates, bytes_each (None where the evaluator does not say).
        measured: {device: rates}, by the fields of `Rates`; None where nothing was measured.
        data: {data set: where it is, None where it is not}.
        cluster: address and nodes; None where none was asked for.
        run: what a run would use: executor, workers, device.
        problems: empty where all is well.
    """

    versions: dict[str, str]
    machine: dict[str, Any]
    gpus: list[CardReport]
    chunk: dict[str, Any]
    measured: dict[str, Rates] | None
    data: dict[str, str | None]
    cluster: dict[str, Any] | None
    run: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"well": not self.problems, **asdict(self)}


def doctor(
    address: str | None = None,
    file: Path | str | None = None,
    plugins: Path | str | None = None,
    measure: bool = False,
) -> Diagnosis:
    """Look at this machine, and at a cluster where an address is given; without one, Ray is not started.

    Args:
        address: as `executor.address` in a run file.
        file: a run file, to say how many of its candidates would be trained together; its data are loaded.
        plugins: where its dotted paths are looked up; default: its folder.
        measure: whether to measure how fast the processor and each card are, about ten seconds for each.

    Raises:
        UsageError: the address has none of the forms that are known, or the run file is refused.
    """
    import torch  # takes seconds, as what imports it does

    from ..training.memory import free_bytes
    from ..training.rates import measure_rates

    chunk = None if file is None else _chunk_of(Path(file), plugins)
    problems = [Problem("versions", message) for message in _unmet_requirements()]
    gpus = _gpus(problems)
    found = places()
    problems += [Problem("data", f"{name}: {place}") for name, place in found.items() if isinstance(place, ValueError)]
    problems += [Problem("plug-ins", message) for message in _broken_plugins()]
    free = round(free_bytes(torch.device("cpu")) / 2**30, 1)
    machine = {**environment.machine(), "usable_cores": usable_cores(), "free_memory_gib": free}
    run = {"executor": "inline", "workers": 1, "device": "cuda" if gpus else "cpu"}
    devices = ["cpu", *(card.device for card in gpus)]
    diagnosis = Diagnosis(
        environment.versions(),
        machine,
        gpus,
        chunk or _typical_chunk(run["device"]),
        {device: measure_rates(torch.device(device)) for device in devices} if measure else None,
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


def _gpus(problems: list[Problem]) -> list[CardReport]:
    import torch

    usable = usable_cards()
    listed = [] if usable else listed_cards()
    if listed:
        problems.append(
            Problem(
                "gpus",
                f"this machine has {', '.join(listed)}, and torch {torch.__version__} cannot use it:"
                " scripts/setup --gpu installs a build with CUDA; where that is installed, the driver is older than it"
                " needs",
            )
        )
    return usable


def _chunk_of(file: Path, plugins: Path | str | None) -> dict[str, Any]:
    """How many candidates of a run file go together; `search.chunk: auto` would ask the same."""
    folder = Path(plugins).absolute() if plugins else file.resolve().parent
    parts = problem.prepare(load(file, kinds=Registry(folder)), str(file), folder)
    with parts.registry.at_hand():
        evaluator = parts.evaluator
        device = getattr(evaluator, "device", None)
        return {
            "device": None if device is None else str(device),
            "run_file": str(file),
            "candidates": evaluator.best_chunk if evaluator.evaluates else None,
            "bytes_each": evaluator.network_bytes if evaluator.evaluates else None,
        }


def _typical_chunk(device: str) -> dict[str, Any]:
    """The same of a small perceptron on pictures of 28 by 28."""
    import torch

    from ..training.memory import StackSize, training_bytes

    network = torch.nn.Sequential(torch.nn.Linear(784, 12), torch.nn.ReLU(), torch.nn.Linear(12, 10)).to(device)
    inputs = torch.rand(2, 784, device=device)
    return {
        "device": device,
        "run_file": None,
        "candidates": StackSize().of([network, network], inputs, BATCH),
        "bytes_each": training_bytes(network, inputs, BATCH),
    }


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
