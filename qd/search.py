"""The loop: ask → submit → log → tell. Steady state: whoever is free gets work, without a barrier.

One transaction per tell holds the results, what they changed, what was asked next, and the state after all of it. So
the log alone says how to go on: resume restores the state and submits again, under their ids, the evaluations that were
asked but not told.

Under `order: arrival` results are told as they come. Under `order: id` whole batches are told in the order in which
they were asked, so the log does not depend on how many workers there are nor on how fast they are.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import numpy as np

from search_spaces import Genotype, SearchSpace
from search_spaces.genes import to_json

from .archives import GridArchive, Insertion
from .candidates import Candidates, Purpose, Results, Status
from .config import BudgetConfig, SearchConfig
from .emitters import Emitter
from .errors import QdError
from .executors import Executor
from .seeds import candidate_seed, shared_seed, stream_seed
from .store.folder import RunFolder
from .store.log import CandidateRow, EvaluationRow, Log, Transaction, parents_json
from .store.resume import Proposal, Unfinished

DUPLICATES_IN_A_ROW = 1000
"""So many proposals without a new architecture mean that the space is exhausted."""
FAILURES_AT_FIRST = 30
"""When the first so many evaluations all fail, the search stops."""
FULL_FIDELITY = 1.0


class Ending(StrEnum):
    """Why a search ended."""

    BUDGET = "budget used"
    EXHAUSTED = "space exhausted"
    INTERRUPTED = "interrupted"


@dataclass
class WeightedEmitter:
    """An emitter, its share of the proposals, and its own random stream."""

    name: str
    emitter: Emitter
    weight: float
    rng: np.random.Generator


class Search:
    """One search, from its first proposal or from where a log left off.

    Args:
        space: gives genes, keys and module graphs.
        archive: empty, or folded from the log.
        emitters: who proposes.
        executor: where candidates are evaluated.
        log: open for writing.
        folder: where elites' weights are kept.
        config: seed, order, chunk and window.
        budget: when to end.
        unfinished: what the log says, when resuming.
    """

    def __init__(
        self,
        space: SearchSpace,
        archive: GridArchive,
        emitters: Sequence[WeightedEmitter],
        executor: Executor,
        log: Log,
        folder: RunFolder,
        config: SearchConfig,
        budget: BudgetConfig,
        unfinished: Unfinished | None = None,
    ) -> None:
        self.archive = archive
        self.counts: Counter[Status] = Counter()
        self.proposals = 0
        self.duplicates = 0
        self.evaluations_asked = 0
        self._space, self._emitters, self._executor = space, list(emitters), executor
        self._log, self._folder, self._config, self._budget = log, folder, config, budget
        self._session = unfinished.session + 1 if unfinished else 1
        self._window = config.window or config.chunk * (executor.slots if config.order == "arrival" else 8)
        self._rng = np.random.default_rng(stream_seed(config.seed, "search"))
        self._weights = np.array([one.weight for one in emitters]) / sum(one.weight for one in emitters)
        self._shared_seed = shared_seed(config.seed, Purpose.SEARCH, 0)
        self._batches = 0
        self._tells = 0
        self._row_of_duplicates = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._known: dict[bytes, int] = {}
        self._in_flight: dict[int, tuple[EvaluationRow, Proposal]] = {}
        self._waiting: dict[int, list[Proposal]] = {}
        self._promoted: deque[Proposal] = deque()
        self._parked: dict[int, Results] = {}
        self._open_batches: dict[int, int] = {}
        self._first_errors: Counter[str] | None = Counter()
        if unfinished:
            self._restore(unfinished)

    @property
    def evaluations(self) -> int:
        """Finished search evaluations, whatever their status."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float:
        """Search time, earlier sessions included."""
        return self._seconds_before + time.monotonic() - self._started

    def run(
        self,
        on_tell: Callable[[Search], None] = lambda search: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Ending:
        """Search until the budget is used, the space is exhausted, or `should_stop` says so after a tell.

        Raises:
            QdError: every one of the first evaluations failed, or the log cannot be written.
        """
        self._started = time.monotonic()
        self._submit(pending for pending in self._in_flight.values())
        if not should_stop():
            self._ask_and_commit()
        while self._in_flight:
            if should_stop():
                return Ending.INTERRUPTED
            for results in self._in_order(self._executor.collect(timeout=1.0)):
                self._tell(results, asking=not should_stop())
                on_tell(self)
        if self._budget_used():
            return Ending.BUDGET
        return Ending.EXHAUSTED if self._exhausted else Ending.INTERRUPTED

    # ---------------------------------------------------------------- asking

    @property
    def _exhausted(self) -> bool:
        return self._row_of_duplicates >= DUPLICATES_IN_A_ROW

    def _budget_used(self) -> bool:
        limit = self._budget
        return (limit.evaluations is not None and self.evaluations_asked >= limit.evaluations) or (
            limit.seconds is not None and self.seconds >= limit.seconds
        )

    def _ask(self) -> tuple[list[CandidateRow], list[tuple[EvaluationRow, Proposal]]]:
        """Fill the window with new batches; returns every new candidate, and the new evaluations."""
        candidates: list[CandidateRow] = []
        asked: list[tuple[EvaluationRow, Proposal]] = []
        while len(self._in_flight) + self._config.chunk <= self._window and not self._budget_used():
            batch = self._ask_batch(candidates)
            if not batch:
                break
            asked.extend(batch)
        return candidates, asked

    def _ask_batch(self, candidates: list[CandidateRow]) -> list[tuple[EvaluationRow, Proposal]]:
        size = self._config.chunk
        if self._budget.evaluations is not None:
            size = min(size, self._budget.evaluations - self.evaluations_asked)
        new: list[Proposal] = []
        while self._promoted and len(new) < size:
            new.append(self._promoted.popleft())
            self.duplicates -= 1
        while len(new) < size and not self._exhausted:
            shares = self._rng.multinomial(size - len(new), self._weights).tolist()
            for one, share in zip(self._emitters, shares, strict=True):
                if share:
                    proposals = one.emitter.ask(share, self.archive, one.rng)
                    for genotype, parents, operator in zip(*proposals, strict=True):
                        proposal = self._propose(one.name, operator, parents, genotype)
                        candidates.append(proposal.candidate)
                        if proposal.candidate.twin is None:
                            new.append(proposal)
        batch = [self._evaluation(proposal) for proposal in new]
        if batch:
            self._open_batches[self._batches] = len(batch)
            self._batches += 1
        return batch

    def _propose(self, emitter: str, operator: str, parents: tuple[int, ...], genotype: Genotype) -> Proposal:
        key = blake2b(self._space.key(genotype).encode(), digest_size=16).digest()
        twin = self._known.get(key)
        self.proposals += 1
        candidate = CandidateRow(
            id=self.proposals,
            emitter=emitter,
            operator=operator,
            parents=parents_json(parents),
            genotype=to_json(genotype),
            key=key,
            readable=self._space.genes.readable(genotype),
            twin=twin,
        )
        proposal = Proposal(candidate, genotype)
        if twin is None:
            self._known[key] = candidate.id
            self._waiting[candidate.id] = []
            self._row_of_duplicates = 0
        else:
            self.duplicates += 1
            self._row_of_duplicates += 1
            if twin in self._waiting:
                self._waiting[twin].append(proposal)
        return proposal

    def _evaluation(self, proposal: Proposal) -> tuple[EvaluationRow, Proposal]:
        self.evaluations_asked += 1
        candidate = proposal.candidate.id
        row = EvaluationRow(
            id=self.evaluations_asked,
            candidate=candidate,
            batch=self._batches,
            purpose=Purpose.SEARCH.value,
            repeat=0,
            fidelity=FULL_FIDELITY,
            seed=candidate_seed(self._config.seed, candidate, Purpose.SEARCH, 0),
            shared_seed=self._shared_seed,
            session=self._session,
        )
        self._in_flight[row.id] = (row, proposal)
        return row, proposal

    def _ask_and_commit(self) -> None:
        candidates, asked = self._ask()
        if candidates or asked:
            self._log.commit(
                Transaction(self._state(), self.seconds, candidates=candidates, evaluations=[row for row, _ in asked])
            )
            self._submit(asked)

    def _submit(self, asked: Iterable[tuple[EvaluationRow, Proposal]]) -> None:
        batches: dict[int, list[tuple[EvaluationRow, Proposal]]] = {}
        for row, proposal in asked:
            batches.setdefault(row.batch, []).append((row, proposal))
        for batch in batches.values():
            self._executor.submit(
                Candidates(
                    ids=np.array([row.candidate for row, _ in batch], dtype=np.int64),
                    evaluation_ids=np.array([row.id for row, _ in batch], dtype=np.int64),
                    seeds=np.array([row.seed for row, _ in batch], dtype=np.int64),
                    shared_seed=self._shared_seed,
                    genotypes=[proposal.genotype for _, proposal in batch],
                    fidelity=FULL_FIDELITY,
                    purpose=Purpose.SEARCH,
                )
            )

    # --------------------------------------------------------------- telling

    def _in_order(self, arrived: Sequence[Results]) -> Iterable[Results]:
        """What can be told now: everything that arrived, or under `order: id` the batches whose turn it is."""
        if not arrived:
            return
        if self._config.order == "arrival":
            yield Results.join(arrived)
            return
        for results in arrived:
            batches = np.array([self._in_flight[id][0].batch for id in results.evaluation_ids.tolist()])
            for batch in np.unique(batches).tolist():
                part = results.take(np.flatnonzero(batches == batch))
                parked = self._parked.get(batch)
                self._parked[batch] = Results.join([parked, part]) if parked else part
        while self._open_batches:
            turn = min(self._open_batches)
            if turn not in self._parked or len(self._parked[turn]) < self._open_batches[turn]:
                return
            yield self._parked.pop(turn)

    def _tell(self, results: Results, asking: bool) -> None:
        results = results.take(np.argsort(results.evaluation_ids))
        told = [self._in_flight.pop(id) for id in results.evaluation_ids.tolist()]
        statuses = [Status(value) for value in results.status.tolist()]
        insertions = self._add(results, told)
        for (row, proposal), status in zip(told, statuses, strict=True):
            self._settle(row, proposal, status)
            self._count(status, results.errors.get(row.id, ""))
        graphs = self._graphs(told, statuses)
        self._tells += 1
        self._row_of_duplicates = 0  # what was told may open new ground
        proposals = self.proposals
        candidates, asked = self._ask() if asking else ([], [])
        kept = self._keep_weights(insertions)
        self._log.commit(
            Transaction(
                state=self._state(),
                seconds=self.seconds,
                tell=self._tells,
                results=results,
                attempts=[self._session - row.session + 1 for row, _ in told],
                insertions=insertions,
                graphs=graphs,
                candidates=candidates,
                evaluations=[row for row, _ in asked],
                proposals=proposals,
            )
        )
        self._folder.delete_weights(
            one.displaced for one in insertions if one.displaced is not None and one.displaced not in kept
        )
        self._executor.release(results.evaluation_ids.tolist())
        self._submit(asked)
        self._stop_if_all_failed()

    def _add(self, results: Results, told: Sequence[tuple[EvaluationRow, Proposal]]) -> list[Insertion]:
        rows = np.flatnonzero(results.status == Status.OK).tolist()
        return self.archive.add(
            results.evaluation_ids[rows].tolist(),
            [told[row][0].candidate for row in rows],
            {name: column[rows] for name, column in results.metrics.items()},
            [told[row][1].genotype for row in rows],
        )

    def _settle(self, row: EvaluationRow, proposal: Proposal, status: Status) -> None:
        """Close the batch's row; an answer holds for waiting duplicates, after a failure the first of them is next."""
        self._open_batches[row.batch] -= 1
        if not self._open_batches[row.batch]:
            del self._open_batches[row.batch]
        waiting = self._waiting.pop(row.candidate)
        if status.is_answer:
            return
        del self._known[proposal.candidate.key]
        if waiting:
            first, *rest = waiting
            self._known[proposal.candidate.key] = first.candidate.id
            self._waiting[first.candidate.id] = rest
            self._promoted.append(first)

    def _count(self, status: Status, error: str) -> None:
        self.counts[status] += 1
        if status.is_answer:
            self._first_errors = None
        elif self._first_errors is not None:
            self._first_errors[error.strip()] += 1

    def _graphs(self, told: Sequence[tuple[EvaluationRow, Proposal]], statuses: Sequence[Status]) -> dict[int, Any]:
        graphs = {}
        for (row, proposal), status in zip(told, statuses, strict=True):
            graph = self._space.module_graph(proposal.genotype) if status is Status.OK else None
            if graph is not None:
                graphs[row.candidate] = graph
        return graphs

    def _keep_weights(self, insertions: Sequence[Insertion]) -> set[int]:
        """Write the weights of what became an elite; they are there before the log says so."""
        elites = {self.archive.elites[one.cell].evaluation for one in insertions}
        try:
            for evaluation, weights in self._executor.fetch(sorted(elites)).items():
                self._folder.write_weights(evaluation, weights)
        except OSError as error:
            raise QdError(
                f"{self._folder.weights}: cannot write weights ({error}). All that was told before is safe;"
                f" make room, then: qd resume {self._folder.path}"
            ) from error
        return elites

    def _stop_if_all_failed(self) -> None:
        if self._first_errors is None or self._first_errors.total() < FAILURES_AT_FIRST:
            return
        error, times = self._first_errors.most_common(1)[0]
        raise QdError(
            f"the first {self._first_errors.total()} evaluations all failed;"
            f" the most frequent error ({times} times):\n\n{error}\n\n"
            f"Mend its cause, then: qd resume {self._folder.path}"
        )

    # ----------------------------------------------------------------- state

    def _state(self) -> dict[str, Any]:
        return {
            "proposals": self.proposals,
            "evaluations_asked": self.evaluations_asked,
            "batches": self._batches,
            "tells": self._tells,
            "row_of_duplicates": self._row_of_duplicates,
            "promoted": [proposal.candidate.id for proposal in self._promoted],
            "seconds": self.seconds,
            "rng": self._rng.bit_generator.state,
            "emitters": {
                one.name: {"state": one.emitter.state(), "rng": one.rng.bit_generator.state} for one in self._emitters
            },
        }

    def _restore(self, unfinished: Unfinished) -> None:
        state = unfinished.state
        if state is None:
            return
        self.proposals = state["proposals"]
        self.evaluations_asked = state["evaluations_asked"]
        self._batches, self._tells = state["batches"], state["tells"]
        self._row_of_duplicates = state["row_of_duplicates"]
        self._seconds_before = state["seconds"]
        self._rng.bit_generator.state = state["rng"]
        for one in self._emitters:
            one.emitter.restore(state["emitters"][one.name]["state"])
            one.rng.bit_generator.state = state["emitters"][one.name]["rng"]
        self.counts.update(unfinished.counts)
        if any(status.is_answer for status in self.counts):
            self._first_errors = None
        self.duplicates = unfinished.duplicates
        self._known.update(unfinished.known)
        for row, proposal in unfinished.in_flight:
            self._in_flight[row.id] = (row, proposal)
            self._open_batches[row.batch] = self._open_batches.get(row.batch, 0) + 1
            self._waiting[row.candidate] = []
        self._promoted.extend(unfinished.promoted)
        for proposal in unfinished.promoted:
            self._waiting[proposal.candidate.id] = []
        for proposal in unfinished.waiting:
            holder = self._known[proposal.candidate.key]
            self._waiting[holder].append(proposal)


def emitter_names(kinds: Sequence[str]) -> list[str]:
    """["random", "map_elites", "random"] → ["random", "map_elites", "random_2"]."""
    seen: Counter[str] = Counter()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return names
