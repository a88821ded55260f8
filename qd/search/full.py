"""The loop that logs everything: ask → submit → log → tell. Steady state: whoever is free gets work.

One transaction per tell holds the results, what they changed, what was asked next, and the state after all of it. So
the log alone says how to go on: resume restores the state and submits again, under their ids, the evaluations that were
asked but not told.

Under `order: arrival` results are told as they come. Under `order: id` whole batches are told in the order in which
they were asked, so the log does not depend on how many workers there are nor on how fast they are.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from search_spaces import Genotype, Invalid, SearchSpace
from search_spaces.genes import to_json
from search_spaces.genes.columns import take

from ..archives import Insertion
from ..candidates import Purpose, Results, Status, outcome_of
from ..executors import Executor
from ..registry import is_own
from ..space_hooks import key_or_error, module_graph_of
from ..store.folder import RunFolder
from ..store.log import CandidateRow, EvaluationRow, Log, StartRow, Transaction, parents_json
from ..store.resume import Proposal, Unfinished
from .duplicates import Duplicates
from .loop import FULL_FIDELITY, Loop
from .predictions import Forecasts
from .problem import Problem
from .reevaluation import Reevaluations, genotypes_of
from .rungs import Rungs
from .seeds import candidate_seed, shared_seed, stream_seed
from .starts import Starts
from .suspects import NOBODY, Suspects

logger = logging.getLogger(__name__)

OUTSIDE = "outside"
"""Emitter and operator of what no emitter proposed."""
STATUSES = tuple(Status)
"""By their values; five times as fast as `Status(value)`."""
DUPLICATES_IN_A_ROW = 1000
"""This many proposals without a new architecture mean that the space is exhausted."""


class Written(NamedTuple):
    """A genotype, as JSON, and for people."""

    genotype: Genotype
    text: str
    readable: str


class Search(Loop):
    """One search, from its first proposal or from where a log left off.

    Args:
        problem, executor, log, folder, suspects: see `Loop`.
        unfinished: what the log says, when resuming.
    """

    def __init__(
        self,
        problem: Problem,
        executor: Executor,
        log: Log,
        folder: RunFolder,
        unfinished: Unfinished | None = None,
        suspects: Suspects = NOBODY,
    ) -> None:
        super().__init__(problem, executor, log, folder, unfinished.session + 1 if unfinished else 1, suspects)
        self._duplicates = Duplicates()
        self._in_flight: dict[int, tuple[EvaluationRow, Proposal]] = {}
        self._open_batches: dict[int, int] = {}
        self._imported = deque(problem.config.imported)
        self._forecasts = Forecasts()
        self._refused: dict[int, tuple[Status, str]] = {}
        """{candidate: how it ends} of those of which the space gives no key."""
        self._returned: list[Results] = []
        """Of them, as if an executor had evaluated them."""
        self._logs_graphs = logs_graphs(problem)
        self._warned_of_graphs = False
        space = type(problem.space)
        self._plain_keys = space.key is SearchSpace.key and space.canonical is SearchSpace.canonical
        self._shared_seeds: dict[tuple[Purpose, int], int] = {}
        self._again = Reevaluations() if self._config.noise == "reevaluate" else None
        self._rungs: Rungs | None = None
        if self._config.rungs is not None:
            metrics = {name: metric for name, (metric, _) in problem.metrics.items()}
            rng = np.random.default_rng(stream_seed(self._config.seed, "rungs"))
            self._rungs = Rungs(self._config.rungs, self.archive, metrics, rng)
            self._cheapest = self._rungs.lowest
        self._starts = Starts(folder, self._config.seed, self._config.inherit)
        self._new_starts: list[StartRow] = []
        if unfinished:
            self._restore(unfinished)

    @property
    def reevaluations(self) -> int:
        """How many of the finished evaluations were of candidates that had been evaluated before."""
        return self._again.told if self._again else 0

    @property
    def in_flight(self) -> Mapping[int, tuple[EvaluationRow, Proposal]]:
        """{evaluation: what was asked} of all that was asked and not told."""
        return self._in_flight

    # --------------------------------------- for whoever owns the loop: see `ask_tell`

    def ask(self, size: int, fidelity: float | None = None) -> list[tuple[EvaluationRow, Proposal]]:
        """At most `size` new evaluations, which the log has; fewer where the budget or the space holds no more.

        Args:
            size: at least 1.
            fidelity: of new proposals; None: in full, or as the rungs say.
        """
        self._row_of_duplicates = 0  # those of an earlier ask, or from outside, exhaust nothing
        candidates: list[CandidateRow] = []
        asked: list[tuple[EvaluationRow, Proposal]] = []
        while (left := self._left(size - len(asked))) and (batch := self._ask_next(left, candidates, fidelity)):
            asked += batch
        self._commit_asked(candidates, asked)
        if not self._returned:
            return asked
        for results in self._collect():
            self.tell(results)
        self._stop_if_none_is_ok()
        left = [pair for pair in asked if pair[0].id in self._in_flight]
        return left + self.ask(size - len(left), fidelity)

    def enter(self, genotype: Genotype, fidelity: float = FULL_FIDELITY) -> tuple[EvaluationRow | None, Proposal]:
        """Take a genotype that no emitter proposed, as under way: the log has it. A duplicate has no evaluation."""
        [written] = self._written([genotype])
        proposal = self._propose(OUTSIDE, OUTSIDE, (), written, fidelity)
        new = proposal.candidate.twin is None
        asked = self._batch([self._evaluation(proposal, Purpose.SEARCH, 0)]) if new else []
        self._commit_asked([proposal.candidate], asked)
        return asked[0][0] if asked else None, proposal

    def tell(self, results: Results) -> None:
        """Take in results of evaluations under way, in one transaction, and ask for nothing."""
        self._tell(results, asking=False)

    def left(self, size: int) -> int:
        """How many of so many full evaluations the budget still allows."""
        return self._affordable(self._left(size), FULL_FIDELITY)

    def _left(self, size: int) -> int:
        """How many of so many evaluations the budget still allows, but for what they cost."""
        if self.spent:
            return 0
        most = self._budget.evaluations
        return size if most is None else min(size, most - self.evaluations_asked)

    # ---------------------------------------------------------------- asking

    def _under_way(self) -> int:
        return len(self._in_flight)

    def _submit_again(self) -> None:
        self._submit(pending for pending in self._in_flight.values())

    def _exhausted(self) -> bool:
        return self._row_of_duplicates >= DUPLICATES_IN_A_ROW

    def _ask(self) -> tuple[list[CandidateRow], list[tuple[EvaluationRow, Proposal]]]:
        """Fill the window with new batches; returns every new candidate, and the new evaluations."""
        candidates: list[CandidateRow] = []
        asked: list[tuple[EvaluationRow, Proposal]] = []
        while size := self._next_size():
            batch = self._ask_next(size, candidates)
            if not batch:
                break
            asked.extend(batch)
        return candidates, asked

    def _ask_next(
        self, size: int, candidates: list[CandidateRow], fidelity: float | None = None
    ) -> list[tuple[EvaluationRow, Proposal]]:
        """The next batch: who is evaluated again, else who goes up a rung, else new proposals."""
        fidelity = fidelity or (self._rungs.lowest if self._rungs else FULL_FIDELITY)
        return (
            self._ask_again(self._affordable(size, FULL_FIDELITY))
            or self._ask_promoted(size)
            or self._ask_batch(self._affordable(size, fidelity), candidates, fidelity)
        )

    def _ask_promoted(self, size: int) -> list[tuple[EvaluationRow, Proposal]]:
        if self._rungs is None:
            return []
        asked = []
        for one in self._rungs.promote(size, self._trainings_left, self._duplicates.holder):
            self._duplicates.hold(one.proposal)
            asked.append(self._evaluation(one.proposal, Purpose.SEARCH, 0, one.source, one.spent))
        return self._batch(asked)

    def _ask_batch(
        self, size: int, candidates: list[CandidateRow], fidelity: float
    ) -> list[tuple[EvaluationRow, Proposal]]:
        """At most `size` new evaluations; every new candidate is appended to `candidates`."""
        new = self._duplicates.take(size, fidelity)
        self.duplicates -= len(new)
        while self._imported and len(new) < size:
            [written] = self._written([self._imported.popleft()])
            proposal = self._propose("import", "import", (), written, fidelity)
            candidates.append(proposal.candidate)
            if proposal.candidate.twin is None:
                new.append(proposal)
        while len(new) < size and not self._exhausted():
            for one, share in zip(self._emitters, self._shares(size - len(new)), strict=True):
                if share:
                    asked = self._inside(self._ask_emitter(one, share))
                    self._row_of_duplicates += share - len(asked.parents)  # what is dropped is no new ground either
                    with self._blamed("ask", one.emitter):
                        self._forecasts.note(one.name, self.proposals + 1, asked.forecast, self.archive.objective)
                    trees = self._written(self._space.genes.trees(asked.genotypes))
                    for written, parent_ids, operator in zip(trees, asked.parents, asked.operators, strict=True):
                        proposal = self._propose(one.name, operator, parent_ids, written, fidelity)
                        candidates.append(proposal.candidate)
                        if proposal.candidate.twin is None:
                            new.append(proposal)
        parents = [self._starts.parent_of(proposal.candidate, self.archive) for proposal in new]
        pairs = zip(new, parents, strict=True)
        return self._batch([self._evaluation(proposal, Purpose.SEARCH, 0, parent) for proposal, parent in pairs])

    def _ask_again(self, size: int) -> list[tuple[EvaluationRow, Proposal]]:
        if self._again is None or not size:
            return []
        batch = self._again.take(size)
        return self._batch([self._evaluation(proposal, Purpose.REEVALUATION, repeat) for proposal, repeat in batch])

    def _batch(self, asked: list[tuple[EvaluationRow, Proposal]]) -> list[tuple[EvaluationRow, Proposal]]:
        if asked:
            self._open_batches[self._batches] = len(asked)
            self._batches += 1
        return asked

    def _written(self, genotypes: Sequence[Genotype]) -> list[Written]:
        """Genotypes with their texts."""
        genes = self._space.genes
        with self._blamed("readable", genes):  # once for all: entering it takes as long as a text
            return [Written(genotype, to_json(genotype), genes.readable(genotype)) for genotype in genotypes]

    def _propose(
        self, emitter: str, operator: str, parents: tuple[int, ...], written: Written, fidelity: float
    ) -> Proposal:
        genotype, text, readable = written
        found = text if self._plain_keys else key_or_error(self._space, genotype)
        key = blake2b((found if isinstance(found, str) else text).encode(), digest_size=16).digest()
        twin = self._duplicates.holder(key, fidelity)
        self.proposals += 1
        candidate = CandidateRow(
            id=self.proposals,
            emitter=emitter,
            operator=operator,
            parents=parents_json(parents),
            genotype=text,
            key=key,
            readable=readable,
            twin=twin,
        )
        proposal = Proposal(candidate, genotype, fidelity)
        if not isinstance(found, str):
            self._refused[candidate.id] = outcome_of(found)
        if twin is None:
            self._duplicates.hold(proposal)
            self._row_of_duplicates = 0
        else:
            self.duplicates += 1
            self._row_of_duplicates += 1
            self._duplicates.wait(proposal)
        return proposal

    def _evaluation(
        self, proposal: Proposal, purpose: Purpose, repeat: int, source: int | None = None, spent: float = 0.0
    ) -> tuple[EvaluationRow, Proposal]:
        """Number a new evaluation; it begins with the weights of `source`, where these were trained for `spent`."""
        self.evaluations_asked += 1
        self.trainings_asked += proposal.fidelity - spent
        candidate = proposal.candidate.id
        shared = self._shared_seeds.get((purpose, repeat))
        if shared is None:
            shared = self._shared_seeds[purpose, repeat] = shared_seed(self._config.seed, purpose, repeat)
        row = EvaluationRow(
            id=self.evaluations_asked,
            candidate=candidate,
            batch=self._batches,
            purpose=purpose.value,
            repeat=repeat,
            fidelity=proposal.fidelity,
            seed=candidate_seed(self._config.seed, candidate, purpose, repeat),
            shared_seed=shared,
            session=self._session,
        )
        self._in_flight[row.id] = (row, proposal)
        if source is not None:
            self._new_starts.append(StartRow(row.id, source, spent))
            self._starts.note(self._new_starts[-1:])
        return row, proposal

    def _take_starts(self) -> list[StartRow]:
        """What was asked with a start since the last call."""
        taken, self._new_starts = self._new_starts, []
        return taken

    def _ask_and_commit(self) -> None:
        self._commit_asked(*self._ask())

    def _commit_asked(self, candidates: list[CandidateRow], asked: list[tuple[EvaluationRow, Proposal]]) -> None:
        if candidates or asked:
            self._log.commit(
                Transaction(
                    self._state(),
                    self.seconds,
                    candidates=candidates,
                    evaluations=[row for row, _ in asked],
                    starts=self._take_starts(),
                    **self._forecasts.take(),
                )
            )
            self._submit(asked)

    def _submit(self, asked: Iterable[tuple[EvaluationRow, Proposal]]) -> None:
        batches: dict[int, list[tuple[EvaluationRow, Proposal]]] = {}
        for row, proposal in asked:
            batches.setdefault(row.batch, []).append((row, proposal))
        for batch in batches.values():
            refused = [row for row, _ in batch if row.candidate in self._refused]
            if refused:
                self._returned.append(self._refusals(refused))
            sent = [(row, proposal) for row, proposal in batch if row.candidate not in self._refused]
            if sent:
                self._send(
                    np.array([row.candidate for row, _ in sent], dtype=np.int64),
                    np.array([row.id for row, _ in sent], dtype=np.int64),
                    np.array([row.seed for row, _ in sent], dtype=np.int64),
                    [proposal.genotype for _, proposal in sent],
                    Purpose(sent[0][0].purpose),
                    sent[0][0].shared_seed,
                    sent[0][0].fidelity,
                    self._starts.read(row.id for row, _ in sent),
                )

    def _refusals(self, rows: Sequence[EvaluationRow]) -> Results:
        """Results of evaluations that nobody needs to do: the space gave no key of the candidates."""
        outcomes = [self._refused[row.candidate] for row in rows]
        return Results(
            np.array([row.id for row in rows], dtype=np.int64),
            np.array([status for status, _ in outcomes], dtype=np.int64),
            {},
            np.zeros(len(rows)),
            {row.id: text for row, (_, text) in zip(rows, outcomes, strict=True)},
        )

    def _collect(self) -> list[Results]:
        returned, self._returned = self._returned, []
        return returned or super()._collect()

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
        candidates = np.array([row.candidate for row, _ in told], dtype=np.int64)
        genotypes = self._space.genes.column([proposal.genotype for _, proposal in told])
        self._known_metrics.check(results, genotypes, self.archive)
        full = np.flatnonzero([row.fidelity == FULL_FIDELITY for row, _ in told])
        if len(full) == len(told):
            insertions = self._add(results, candidates, genotypes)
        else:
            insertions = self._add(results.take(full), candidates[full], take(genotypes, full))
        for (row, proposal), value in zip(told, results.status.tolist(), strict=True):
            status = STATUSES[value]
            self._settle(row, proposal, status)
            self.counts[status] += 1
        self._climb(results, told)
        self._note_gain()
        self._challenge()
        self._count_errors(results)
        self._tell_emitters(results, candidates, told)
        graphs = self._graphs(insertions) if self._logs_graphs else {}
        refined = self.archive.refine_if_due(self.evaluations)
        self._tells += 1
        self._row_of_duplicates = 0  # what was told may open new ground
        proposals = self.proposals  # before the next are asked: an interrupted search asks later, and logs the same
        asked_candidates, asked = self._ask() if asking else ([], [])
        if self._rungs is not None:
            self._rungs.forget_hopeless()
        self._keep_weights(insertions, results.evaluation_ids.tolist())
        if self._rungs is not None:
            self._rungs.forget(self._rungs.kept - self._with_weights)
        self._log.commit(
            Transaction(
                state=self._state(),
                seconds=self.seconds,
                tell=self._tells,
                results=results,
                attempts=[self._session - row.session + results.attempts.get(row.id, 1) for row, _ in told],
                insertions=insertions,
                refined=refined,
                graphs=graphs,
                candidates=asked_candidates,
                evaluations=[row for row, _ in asked],
                starts=self._take_starts(),
                anew=self._starts.take_missing(),
                proposals=proposals,
                **self._forecasts.take(),
            )
        )
        self._drop_weights(results)
        self._submit(asked)

    def _climb(self, results: Results, told: Sequence[tuple[EvaluationRow, Proposal]]) -> None:
        """Put results below the full budget onto their rungs."""
        self._starts.settle(results.evaluation_ids.tolist())
        if self._rungs is None:
            return
        fidelities = np.array([row.fidelity for row, _ in told])
        for fidelity in np.unique(fidelities[fidelities < FULL_FIDELITY]).tolist():
            rows = np.flatnonzero((fidelities == fidelity) & (results.status == Status.OK))
            if rows.size:
                metrics = {name: column[rows] for name, column in results.metrics.items()}
                proposals = [told[row][1] for row in rows.tolist()]
                self._rungs.add(fidelity, proposals, results.evaluation_ids[rows].tolist(), metrics)

    @property
    def needed_weights(self) -> set[int]:
        return self._starts.sources | (self._rungs.kept if self._rungs else set())

    def _tell_emitters(
        self, results: Results, candidates: np.ndarray, told: Sequence[tuple[EvaluationRow, Proposal]]
    ) -> None:
        # of a candidate that is evaluated again its emitter has heard already; of lower fidelities it never hears
        names = np.array([proposal.candidate.emitter if is_first(row) else "" for row, proposal in told])
        for one in self._emitters:
            if not one.emitter.hears:
                continue
            rows = np.flatnonzero(names != "" if one.emitter.remembers else names == one.name)
            if len(rows):
                own = [told[row][1].genotype for row in rows.tolist()]
                self._tell_emitter(one, results.take(rows), candidates[rows], own)

    def _settle(self, row: EvaluationRow, proposal: Proposal, status: Status) -> None:
        """Close the batch's row; an answer holds for waiting duplicates, after a failure the first of them is next."""
        self._open_batches[row.batch] -= 1
        if not self._open_batches[row.batch]:
            del self._open_batches[row.batch]
        if self._again is not None:
            if row.purpose == Purpose.REEVALUATION:
                self._again.tell(row.candidate)
                return
            if status is Status.OK and is_first(row):
                self._again.answered([proposal])
        self._refused.pop(row.candidate, None)
        self._duplicates.settle(proposal, status.is_answer)

    def _challenge(self) -> None:
        if self._again is not None:
            assert self.archive.averages is not None
            self._again.challenge(self.archive.averages.challenged)
            self.archive.averages.challenged.clear()

    def _graphs(self, insertions: Sequence[Insertion]) -> dict[int, Any]:
        """{candidate: module graph} of those that are elites now."""
        graphs = {}
        for one in insertions:
            elite = self.archive.elites.get(one.cell)
            if elite is not None and elite.evaluation == one.evaluation:
                graph = self._graph(elite.genotype)
                if graph is not None:
                    graphs[elite.candidate] = graph
        return graphs

    def _graph(self, genotype: Genotype) -> Any:
        """The module graph of a genotype; None where the space gives none that is one: it is said once."""
        try:
            return module_graph_of(self._space, genotype)
        except (ValueError, Invalid) as error:  # a diagram less is no reason to end a search
            if not self._warned_of_graphs:
                self._warned_of_graphs = True
                logger.warning(f"{error}; such networks have no diagram")
            return None

    # ----------------------------------------------------------------- state

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "promoted": self._duplicates.state(),
            "imported": len(self._imported),
            "again": self._again.state() if self._again else [],
            "rungs": self._rungs.state() if self._rungs else None,
        }

    def _remind(self, unfinished: Unfinished) -> None:
        """Tell those emitters that learn from all answers what the log holds."""
        told = unfinished.told
        for one in self._emitters:
            if one.emitter.remembers and told is not None and len(told.results):
                self._tell_emitter(one, told.results, told.candidates, told.genotypes)

    def _restore(self, unfinished: Unfinished) -> None:
        state = unfinished.state
        if state is None:
            return
        self._remind(unfinished)
        self._restore_state(state)
        self.counts.update(unfinished.counts)
        if self.counts[Status.OK]:
            self._first_errors = None
        self.duplicates = unfinished.duplicates
        self._duplicates.restore(unfinished)
        open_ones = [*(proposal for _, proposal in unfinished.in_flight), *unfinished.promoted, *unfinished.waiting]
        for proposal in [] if self._plain_keys else open_ones:
            found = key_or_error(self._space, proposal.genotype)
            if not isinstance(found, str):
                self._refused[proposal.candidate.id] = outcome_of(found)
        for row, proposal in unfinished.in_flight:
            self._in_flight[row.id] = (row, proposal)
            self._open_batches[row.batch] = self._open_batches.get(row.batch, 0) + 1
        self._starts.note(unfinished.starts)
        if self._rungs is not None:
            self._rungs.restore(state["rungs"], unfinished.rungs)
        for _ in range(len(self._imported) - state["imported"]):
            self._imported.popleft()
        if self._again is not None:
            assert self.archive.averages is not None
            self._again.restore(state["again"], unfinished.answered, unfinished.reevaluations)
            self.archive.averages.set_genotypes(genotypes_of(unfinished.answered))
            self.archive.averages.challenged.clear()


def is_first(row: EvaluationRow) -> bool:
    """Whether an emitter hears of it: the search's first evaluation of a candidate in full."""
    return row.purpose == Purpose.SEARCH and row.fidelity == FULL_FIDELITY


def logs_graphs(problem: Problem) -> bool:
    """Whether module graphs are logged, of elites: where who looks could not make them again from the genotype."""
    return not is_own("spaces", problem.config.space.kind) or problem.space.graph_needs_files
