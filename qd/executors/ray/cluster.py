"""The connection to a Ray cluster: one that is started for the search, or one that runs already.

Measured with Ray 2.60: a local cluster is up after 5 to 13 s. `ray.init` replaces the handler of SIGTERM, and
`ray.shutdown` takes it away; "(raylet)" lines are printed to stdout even with `log_to_driver=False`; a token is left in
the home folder, and from then on changes what `ray start` does. None of this gets past this file.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import QdError, UsageError
from .options import RayConfig
from .reach import reach

ENVIRONMENT = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""For Ray, where the person has not set it otherwise: leave `uv run` alone, and report nothing to anyone."""

TOKEN_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
UNITS = 10_000
"""Ray counts fractions of resources in ten-thousandths."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Args:
        id: Ray's, in hex.
        host: its address.
        resources: its totals: CPU and GPU (counts), memory (bytes), and others.
    """

    id: str
    host: str
    resources: Mapping[str, float]

    def room(self, config: RayConfig) -> int:
        """How many workers it holds when nothing else runs there."""
        asked = {"CPU": config.cpus, "memory": float(config.memory or 0)}
        holds = [_units(self.resources.get(name, 0)) // _units(amount) for name, amount in asked.items() if amount]
        if config.gpus >= 1:
            holds.append(int(self.resources.get("GPU", 0) // config.gpus))
        elif config.gpus:  # the share of a worker lies on one card
            holds.append(int(self.resources.get("GPU", 0)) * (UNITS // _units(config.gpus)))
        return min(holds)

    def __str__(self) -> str:
        has = [f"{self.resources.get('CPU', 0):g} cores"]
        if self.resources.get("GPU"):
            has.append(f"{self.resources['GPU']:g} GPUs")
        return f"{self.host}: {', '.join(has)}, {_gigabytes(self.resources.get('memory', 0))}"


class Cluster:
    """A live connection. A process has only one at a time: Ray's is global.

    Args:
        address: HOST:PORT of the head.
        before: {variable: value} of the environment, to go back to when the connection ends; None for a connection
            that is not ours to end.
    """

    def __init__(self, address: str, before: Mapping[str, str | None] | None) -> None:
        self.address = address
        self._before = before

    @property
    def is_ours(self) -> bool:
        """Whether this connection was made here, and did not exist in the process before."""
        return self._before is not None

    def nodes(self) -> list[Node]:
        """The nodes that are alive now."""
        import ray

        rows: list[dict[str, Any]] = ray.nodes()
        return [Node(row["NodeID"], row["NodeManagerAddress"], row["Resources"]) for row in rows if row["Alive"]]

    def resources(self) -> dict[str, float]:
        """Totals of all living nodes: CPU and GPU (counts), memory (bytes), and others."""
        totals: dict[str, float] = {}
        for node in self.nodes():
            for name, amount in node.resources.items():
                totals[name] = totals.get(name, 0.0) + amount
        return totals

    def room(self, config: RayConfig) -> int:
        """How many workers the cluster holds when nothing else runs there."""
        return sum(node.room(config) for node in self.nodes())

    def close(self) -> None:
        """End what `connect` started; may be called twice."""
        if self._before is None:
            return
        import ray

        with _signals_kept():
            ray.shutdown()
        _restore(self._before)
        self._before = None


def connect(config: RayConfig) -> Cluster:
    """Start or join the cluster that the run file names.

    A local cluster has as many logical cores as the workers ask for, else those of the machine, and a token of its
    own. A connection that this process has already is used as it is, and left open by `Cluster.close`.

    Raises:
        UsageError: it cannot be reached, it refuses us, or it has no room for a worker, or not for as many as were
            asked for. Said within 30 s; nothing is left running.
        QdError: a local cluster could not be started.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        cluster = Cluster(ray.get_runtime_context().gcs_address, before=None)
        if config.address not in ("local", "auto", cluster.address):
            raise UsageError(
                f"executor.address: this process is connected to {cluster.address} already, and {config.address} was"
                " asked for; call ray.shutdown() first"
            )
    elif config.address == "local":
        cluster = _start(config)
    else:
        reach(config.address)
        cluster = _join(config.address)
    try:
        _check_room(cluster, config)
    except BaseException:
        cluster.close()
        raise
    return cluster


def _start(config: RayConfig) -> Cluster:
    cores = None if config.workers is None else math.ceil(round(config.workers * config.cpus, 4))
    try:
        token = os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)
        return _init({"RAY_AUTH_TOKEN": token}, address="local", num_cpus=cores, include_dashboard=False)
    except Exception as error:  # Ray raises many kinds
        raise QdError(f"executor: a local Ray cluster could not be started ({error}); its logs: /tmp/ray") from error


def _join(address: str) -> Cluster:
    try:
        return _init({}, address=address)
    except Exception as error:  # Ray raises many kinds
        raise UsageError(f"executor.address: the cluster at {address} could not be joined: {error}") from error


def _init(variables: Mapping[str, str], **arguments: Any) -> Cluster:
    import ray
    from ray._private import ray_constants, worker

    before = {name: os.environ.get(name) for name in TOKEN_VARIABLES}
    os.environ.update(variables)
    # Ray has read this variable when it was imported, which may have been before ENVIRONMENT was set.
    ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "1"
    worker._worker_logs_enabled = False  # what has been printing "(raylet)" lines to stdout
    read_variables_again()  # likewise the token
    with _signals_kept():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **arguments)
        except BaseException:
            ray.shutdown()
            _restore(before)
            raise
    return Cluster(ray.get_runtime_context().gcs_address, before)


def _restore(variables: Mapping[str, str | None]) -> None:
    """Put the token's variables back."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    read_variables_again()


def read_variables_again() -> None:
    """Ray keeps what it has read of the token's variables."""
    from ray._raylet import AuthenticationTokenLoader, Config  # pyright: ignore[reportAttributeAccessIssue]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():  # also where Python still knows them: the system may not
            signal.signal(number, handler)


def _check_room(cluster: Cluster, config: RayConfig) -> None:
    nodes = cluster.nodes()
    room = sum(node.room(config) for node in nodes)
    wanted = [f"cpus: {config.cpus:g}"]
    if config.gpus:
        wanted.append(f"gpus: {config.gpus:g}")
    if config.memory:
        wanted.append(f"memory: {_gigabytes(config.memory)}")
    asked = f"{'a worker' if config.workers is None else f'{config.workers} workers'} of {', '.join(wanted)}"
    has = "; ".join(map(str, nodes[:5])) + (f"; and {len(nodes) - 5} nodes more" if len(nodes) > 5 else "")
    if room == 0:
        raise UsageError(
            f"executor: asked for {asked}, and no node of the cluster has room for one ({has}). Ask for less"
        )
    if config.workers is not None and room < config.workers:
        raise UsageError(
            f"executor: asked for {asked}, and the cluster has room for {room} ({has}). Ask for less, or leave out"
            " executor.workers: then there are as many as there is room for, and more when nodes join"
        )


def _units(amount: float) -> int:
    return max(1, round(amount * UNITS)) if amount else 0


def _gigabytes(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB"
