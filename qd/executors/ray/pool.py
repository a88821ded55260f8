"""As many workers as were asked for, or as the cluster has room for: started, watched, and replaced when they die."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ...environment import __version__
from ...errors import QdError
from .cluster import Cluster
from .inbox import Inbox
from .ledger import Loss, Task
from .options import RayConfig
from .reasons import explain
from .worker import SIDE, Hello, Pulse, Worker

logger = logging.getLogger(__name__)

NODES_SECONDS = 5.0
"""How often the pool looks how much room the cluster has, and asks every machine for a sign of life."""
SILENT_SECONDS = 30.0
"""A machine that gives no sign for so long is taken for lost, though Ray may still wait for it."""
PLACE_SECONDS = 60.0
"""A worker that no machine has taken by then is asked for anew: the machine that had it may have fallen silent."""
OUTAGE_SECONDS = 10.0
"""When there is no worker for so long, it is said."""
FAILED_STARTS = 3
"""When the first this many workers cannot start, the search does not go on."""
LONGEST_PAUSE = 60.0
"""Between two attempts to start a worker, when starting fails."""


@dataclass(eq=False)
class Member:
    """A worker as the driver sees it.

    Args:
        actor: Ray's handle.
        asked: when it was asked for.
        home: where it lives, once it has said so.
        ready: whether it takes tasks.
        tasks: what it was given, in order, and the references of the answers; it works on the first.
        since: when it began with the first.
    """

    actor: Any
    asked: float
    home: Hello | None = None
    ready: bool = False
    tasks: deque[tuple[Task, Any]] = field(default_factory=deque)
    since: float = 0.0
    references: list[Any] = field(default_factory=list)
    """Of its start."""


@dataclass(eq=False)
class _Watch:
    """A machine's pulse: when it was last asked for, whether it has answered, and how long it has been silent."""

    actor: Any
    beat: Any = None
    silent: float = 0.0


class Pool:
    """Workers of one search.

    Args:
        cluster: where they live.
        config: how many, and what each of them gets.
        payload: (recipe, files, memory, gpus): arguments of `Worker.build`, in Ray's object store.
        inbox: where answers arrive.
        on_gone: called with a member that is gone, how, and why, after it has left `members`.
    """

    def __init__(
        self,
        cluster: Cluster,
        config: RayConfig,
        payload: tuple[Any, Any, Any, float],
        inbox: Inbox,
        on_gone: Callable[[Member, Loss, str], None],
    ) -> None:
        self.members: list[Member] = []
        self._cluster, self._config, self._payload = cluster, config, payload
        self._inbox, self._on_gone = inbox, on_gone
        options: dict[str, Any] = {
            "num_cpus": config.cpus,
            "num_gpus": config.gpus,
            "memory": config.memory,
            "max_restarts": 0,  # the pool replaces workers itself, and knows which candidates they had
            "max_task_retries": 0,
            "concurrency_groups": {SIDE: 1},
        }
        self._worker: Any = ray.remote(**options)(Worker)
        self._pulse: Any = ray.remote(num_cpus=0, max_restarts=0)(Pulse)
        self._watches: dict[str, _Watch] = {}
        self._wanted = config.workers or 0
        self._looked = -NODES_SECONDS
        self._tended = time.monotonic()
        self._had_workers = time.monotonic()
        self._outage = False
        self._failures = 0
        self._ever_ready = False
        self._not_before = 0.0
        self._told: set[str] = set()

    @property
    def ready(self) -> list[Member]:
        """Those that take tasks."""
        return [member for member in self.members if member.ready]

    @property
    def wanted(self) -> int:
        """How many there ought to be."""
        return self._wanted

    def tend(self) -> None:
        """Do what is due: start workers, notice machines that are silent, and say when there is no worker.

        Raises:
            QdError: no worker could be started.
        """
        now = time.monotonic()
        elapsed = min(now - self._tended, 1.0)  # what is silent while the driver looks away is not to blame
        self._tended = now
        for node, watch in list(self._watches.items()):
            watch.silent = watch.silent + elapsed if watch.beat is not None else 0.0
            if watch.silent >= SILENT_SECONDS:
                self._lose_node(node)
        if now - self._looked >= NODES_SECONDS:
            self._looked = now
            self._look(now)
        while len(self.members) < self._wanted and now >= self._not_before:
            self._start(now)
        self._mind_outage(now)

    def remove(self, member: Member, loss: Loss, reason: str) -> None:
        """End a worker; `tend` puts another in its place."""
        if member not in self.members:
            return
        self.members.remove(member)
        for reference in [*member.references, *(reference for _, reference in member.tasks)]:
            self._inbox.forget(reference)
        ray.kill(member.actor)
        self._on_gone(member, loss, reason)

    def died(self, member: Member, error: Exception) -> None:
        """Take in that a worker is gone: with its machine or the way there, or of what it did."""
        home = member.home
        if isinstance(error, ActorUnavailableError):
            self.remove(member, Loss.NODE, f"its machine cannot be reached: {explain(error)}")
        elif home is not None and home.node not in self._living_nodes():
            self.remove(member, Loss.NODE, f"its machine is gone: {explain(error)}")
        else:
            self.remove(member, Loss.WORKER, f"its worker died: {explain(error)}")

    def close(self) -> None:
        """End all of them."""
        for actor in [*(member.actor for member in self.members), *(watch.actor for watch in self._watches.values())]:
            ray.kill(actor)
        self.members.clear()
        self._watches.clear()

    # -------------------------------------------------------------- starting

    def _start(self, now: float) -> None:
        actor: Any = self._worker.remote()
        member = Member(actor, now)
        self.members.append(member)
        hello, built = actor.hello.remote(), actor.build.remote(*self._payload)
        member.references = [hello, built]
        self._inbox.expect(
            hello, lambda answer: self._placed(member, answer), lambda error: self._failed(member, error)
        )
        self._inbox.expect(built, lambda _: self._built(member), lambda error: self._failed(member, error))

    def _placed(self, member: Member, home: Hello) -> None:
        if home.version != __version__:
            reason = f"{home.place} has version {home.version} of qdnas, and this is {__version__}"
            self._give_up(member, reason, of_itself=True)
            return
        member.home = home

    def _built(self, member: Member) -> None:
        member.ready = True
        self._ever_ready, self._failures = True, 0
        if self._outage:
            self._outage = False
            logger.info("there are workers again: the search goes on")

    def _failed(self, member: Member, error: Exception) -> None:
        home = member.home
        of_itself = isinstance(error, RayTaskError) or (isinstance(error, RayActorError) and error.actor_init_failed)
        if not of_itself and (home is None or home.node not in self._living_nodes()):
            self.remove(member, Loss.NODE, explain(error))  # with its machine
        else:
            self._give_up(member, f"{home.place if home else 'a machine'}: {explain(error)}", of_itself)

    def _give_up(self, member: Member, reason: str, of_itself: bool) -> None:
        """End a worker that did not start: of itself, for a reason that the next will have too, or killed by others."""
        self.remove(member, Loss.NODE, reason)
        self._failures += 1
        if of_itself and not self._ever_ready and self._failures >= FAILED_STARTS:
            raise QdError(
                f"no worker could be started; the last reason was\n  {reason}\n"
                "Every machine of the cluster needs the same versions of Python and of this package, and the data"
            )
        self._not_before = time.monotonic() + min(LONGEST_PAUSE, 2.0**self._failures / 2)
        if reason not in self._told:
            self._told.add(reason)
            logger.warning(f"a worker could not be started, and will be tried again: {reason}")

    # -------------------------------------------------------------- watching

    def _look(self, now: float) -> None:
        living = self._living_nodes()
        homes = {member.home.node for member in self.members if member.home}
        for node in [node for node in self._watches if node not in living or node not in homes]:
            self._forget_watch(node)
        for node in homes & living:
            self._ask_for_sign(node)
        if self._config.workers is None:
            self._wanted = self._cluster.room(self._config)
        spare = max(0, len(self.members) - self._wanted)
        for member in [member for member in self.members if member.home is None][:spare]:
            self.remove(member, Loss.NODE, "there is no room for it")
        for member in list(self.members):
            if member.home is None and now - member.asked > PLACE_SECONDS:
                self.remove(member, Loss.NODE, "no machine has taken it")

    def _ask_for_sign(self, node: str) -> None:
        if node not in self._watches:
            strategy = NodeAffinitySchedulingStrategy(node, soft=False)
            self._watches[node] = _Watch(self._pulse.options(scheduling_strategy=strategy).remote())
        watch = self._watches[node]
        if watch.beat is not None:
            return

        def answered(_: object) -> None:
            watch.beat, watch.silent = None, 0.0

        def died(_: Exception) -> None:  # alone, or with its machine, which Ray then says of the workers too
            watch.beat = None
            self._forget_watch(node)

        watch.beat = watch.actor.beat.remote()
        self._inbox.expect(watch.beat, answered, died)

    def _lose_node(self, node: str) -> None:
        self._forget_watch(node)
        lost = [member for member in self.members if member.home and member.home.node == node]
        for member in lost:
            self.remove(member, Loss.NODE, f"its machine gave no sign for {SILENT_SECONDS:g} s")
        for place in sorted({member.home.place for member in lost if member.home}):
            logger.warning(f"{place} is silent: what it had is evaluated elsewhere")

    def _forget_watch(self, node: str) -> None:
        watch = self._watches.pop(node)
        if watch.beat is not None:
            self._inbox.forget(watch.beat)
        ray.kill(watch.actor)

    def _living_nodes(self) -> set[str]:
        return {node.id for node in self._cluster.nodes()}

    def _mind_outage(self, now: float) -> None:
        if any(member.home for member in self.members):
            self._had_workers = now
        elif not self._outage and now - self._had_workers > OUTAGE_SECONDS:
            self._outage = True
            logger.warning("there is no worker: waiting for a machine that has room for one")
