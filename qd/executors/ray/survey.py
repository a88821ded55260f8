"""What every node of a cluster has, asked of the nodes themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.data.places import places

from ...environment import machine, versions
from .cluster import Cluster, Node

SECONDS = 60.0
"""A worker process starts within it, on a machine that is busy too."""


@dataclass(frozen=True)
class Report:
    """What a node has.

    Args:
        node: as the cluster knows it.
        versions: of Python and packages.
        memory_gib: physical.
        data: {data set: where it is, None where it is not}.
        failure: why it could not be asked, and what to do; empty where it could.
    """

    node: Node
    versions: dict[str, str] = field(default_factory=dict)
    memory_gib: float | None = None
    data: dict[str, str | None] = field(default_factory=dict)
    failure: str = ""


def survey(cluster: Cluster) -> list[Report]:
    """Ask every living node, all at once, within 60 s."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def ask(node: Node) -> Any:
        here = NodeAffinitySchedulingStrategy(node.id, soft=False)
        return ray.remote(_describe).options(num_cpus=0, max_retries=0, scheduling_strategy=here).remote()

    asked = [(node, ask(node)) for node in cluster.nodes()]
    until = time.monotonic() + SECONDS
    return [_report(node, reference, until) for node, reference in asked]


def disagreements(reports: list[Report]) -> Iterator[str]:
    """What keeps the nodes from being one cluster to a search, each with what to do about it."""
    here, data = versions(), {name: place for name, place in places().items() if isinstance(place, Path)}
    for report in reports:
        if report.failure:
            yield f"{report.node.host}: {report.failure}"
            continue
        other = [
            f"{name} {report.versions.get(name, 'missing')} instead of {here[name]}"
            for name in here
            if report.versions.get(name) != here[name]
        ]
        if other:
            yield (
                f"{report.node.host} has {', '.join(other)}: a result would depend on where it was computed."
                " Install the same on every node"
            )
        missing = [name for name in data if not report.data.get(name)]
        if missing:
            yield (
                f"{report.node.host} lacks data that this machine has: {', '.join(missing)}. Put it there in the same"
                " way (python -m evaluators.data.NAME fetches what is known by name)"
            )
        if report.node.resources.get("GPU") and report.versions.get("torch", "").endswith("+cpu"):
            yield f"{report.node.host} offers GPUs, and its torch is a CPU build: scripts/setup --gpu there"


def _describe() -> tuple[dict[str, str], float | None, dict[str, str | None]]:
    found = {name: str(place) if isinstance(place, Path) else None for name, place in places().items()}
    return versions(), machine()["memory_gib"], found


def _report(node: Node, reference: Any, until: float) -> Report:
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    try:
        return Report(node, *ray.get(reference, timeout=max(0.0, until - time.monotonic())))
    except GetTimeoutError:
        return Report(node, failure=f"did not answer within {SECONDS:.0f} s: overloaded, or cut off from this machine")
    except RayTaskError as error:  # most likely the package is missing there
        return Report(
            node, failure=f"{error.cause!r} when asked; expected this package to be installed there, as it is here"
        )
    except RayError as error:
        return Report(node, failure=f"was lost when asked ({type(error).__name__})")
