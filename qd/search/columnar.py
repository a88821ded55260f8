"""The loop that logs what entered an archive: for evaluations that take microseconds.

A batch is proposed, sent, told and logged as columns, and nothing is done in Python for each of its rows but for those
that enter the archive. The log keeps these rows; of all others it keeps how many there were, and every few tells
the archive's figures. No duplicate is looked for: what was proposed before is evaluated again, and every candidate has
the id of its one evaluation.

As in `Search`, one transaction per tell holds all that it changed, the batches that are under way and the state after
it, so that a resume goes on without loss. A batch is told when all of it has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from search_spaces.genes.columns import concatenate, take

from ..candidates import Purpose, Results, Status
from ..executors import Executor
from ..store.folder import RunFolder
from ..store.log import CandidateRow, EvaluationRow, Figures, Log, Transaction, parents_json
from ..store.pending import Batch, counts_of, pack_batch
from ..store.resume import Interrupted
from .loop import FULL_FIDELITY, Loop
from .problem import Problem
from .seeds import candidate_seeds
from .suspects import NOBODY, Suspects


class ColumnarSearch(Loop):
    """One search, from its first proposal or from where an accepted log left off.

    Args:
        problem, executor, log, folder, suspects: see `Loop`.
        interrupted: what the log says, when resuming.
    """

    def __init__(
        self,
        problem: Problem,
        executor: Executor,
        log: Log,
        folder: RunFolder,
        interrupted: Interrupted | None = None,
        suspects: Suspects = NOBODY,
    ) -> None:
        super().__init__(problem, executor, log, folder, interrupted.session + 1 if interrupted else 1, suspects)
        self._every = problem.config.log.every
        self._pending: dict[int, Batch] = {}
        if interrupted and interrupted.state:
            self._restore_state(interrupted.state)
            self.counts.update(counts_of(interrupted.state))
            self.archive.outside = interrupted.state["outside"]
            self._pending = {batch.number: batch for batch in interrupted.pending}
            names = {one.name for one in self._emitters}
            if unknown := {name for batch in interrupted.pending for name, _ in batch.shares} - names:
                raise ValueError(f"{min(unknown)!r} proposed a part of a batch, and is none of the emitters")
            if self.counts[Status.OK]:
                self._first_errors = None

    def _under_way(self) -> int:
        return sum(map(len, self._pending.values()))

    # ---------------------------------------------------------------- asking

    def _submit_again(self) -> None:
        self._submit(self._pending.values())

    def _submit(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            seeds = candidate_seeds(self._config.seed, batch.ids, Purpose.SEARCH, 0)
            self._send(batch.ids, batch.ids, seeds, batch.genotypes)

    def _ask(self) -> list[Batch]:
        """Fill the window with new batches."""
        batches = []
        while size := self._next_size():
            shares, parts = [], []
            for one, share in zip(self._emitters, self._shares(size), strict=True):
                if share:
                    shares.append((one.name, share))
                    parts.append(self._ask_emitter(one, share))
            batch = Batch(
                self._batches,
                self.proposals + 1,
                self._session,
                shares,
                [parents for part in parts for parents in part.parents],
                [operator for part in parts for operator in part.operators],
                concatenate([part.genotypes for part in parts]),
            )
            self._pending[batch.number] = batch
            self._batches += 1
            self.proposals += size
            self.evaluations_asked += size
            self.trainings_asked += size
            batches.append(batch)
        return batches

    def _ask_and_commit(self) -> None:
        batches = self._ask()
        if batches:
            self._log.commit(Transaction(self._state(), self.seconds, pending=[pack_batch(batch) for batch in batches]))
            self._submit(batches)

    # --------------------------------------------------------------- telling

    def _in_order(self, arrived: Sequence[Results]) -> Iterable[Results]:
        """Whole batches: under `order: arrival` as they are complete, under `order: id` as their turn comes."""
        for results in arrived:
            for number, batch in self._pending.items():
                ids = results.evaluation_ids
                rows = np.flatnonzero((ids >= batch.first) & (ids < batch.first + len(batch)))
                if len(rows):
                    part = results if len(rows) == len(results) else results.take(rows)
                    parked = self._parked.get(number)
                    self._parked[number] = Results.join([parked, part]) if parked else part
        for number in sorted(self._pending):
            if number in self._parked and len(self._parked[number]) == len(self._pending[number]):
                yield self._parked.pop(number)
            elif self._config.order == "id":
                return

    def _tell(self, results: Results, asking: bool) -> None:
        if (np.diff(results.evaluation_ids) < 0).any():
            results = results.take(np.argsort(results.evaluation_ids))
        batch = self._batch_of(int(results.evaluation_ids[0]))
        insertions = self._add(results, batch.ids, batch.genotypes)
        for value, count in zip(*np.unique(results.status, return_counts=True), strict=True):
            self.counts[Status(int(value))] += int(count)
        self._count_errors(results)
        self._note_gain()
        self._tell_emitters(results, batch)
        refined = self.archive.refine_if_due(self.evaluations)
        self._tells += 1
        del self._pending[batch.number]
        asked = self._ask() if asking else []
        self._keep_weights(insertions, results.evaluation_ids.tolist())
        entered = np.array([one.evaluation - batch.first for one in insertions], dtype=np.int64)
        last = not self._pending
        self._log.commit(
            Transaction(
                state=self._state(),
                seconds=self.seconds,
                tell=self._tells,
                results=results.take(entered),
                attempts=[
                    self._session - batch.session + results.attempts.get(id, 1) for id in batch.ids[entered].tolist()
                ],
                insertions=insertions,
                refined=refined,
                candidates=self._candidate_rows(batch, entered),
                evaluations=self._evaluation_rows(batch, entered),
                proposals=self.proposals,
                pending=[pack_batch(one) for one in asked],
                told_batch=batch.number,
                figures=self._figures() if last or self._tells % self._every == 0 else None,
            )
        )
        self._drop_weights(results)
        self._submit(asked)

    def _batch_of(self, id: int) -> Batch:
        return next(batch for batch in self._pending.values() if batch.first <= id < batch.first + len(batch))

    def _tell_emitters(self, results: Results, batch: Batch) -> None:
        emitters = {one.name: one for one in self._emitters}
        start = 0
        for name, size in batch.shares:
            rows = np.arange(start, start + size)
            whole = size == len(batch)
            own = results if whole else results.take(rows)
            genotypes = batch.genotypes if whole else take(batch.genotypes, rows)
            self._tell_emitter(emitters[name], own, batch.ids[rows], genotypes)
            start += size

    def _candidate_rows(self, batch: Batch, rows: np.ndarray) -> list[CandidateRow]:
        genes = self._space.genes
        names = [name for name, size in batch.shares for _ in range(size)]
        genotypes = take(batch.genotypes, rows)
        logged = []
        for index, tree, text in zip(rows, genes.trees(genotypes), genes.texts(genotypes), strict=True):
            row = int(index)
            logged.append(
                CandidateRow(
                    id=batch.first + row,
                    emitter=names[row],
                    operator=batch.operators[row],
                    parents=parents_json(batch.parents[row]),
                    genotype=text,
                    key=b"",
                    readable=genes.readable(tree),
                    twin=None,
                )
            )
        return logged

    def _evaluation_rows(self, batch: Batch, rows: np.ndarray) -> list[EvaluationRow]:
        ids = batch.ids[rows]
        seeds = candidate_seeds(self._config.seed, ids, Purpose.SEARCH, 0)
        return [
            EvaluationRow(
                id=id,
                candidate=id,
                batch=batch.number,
                purpose=Purpose.SEARCH.value,
                repeat=0,
                fidelity=FULL_FIDELITY,
                seed=seed,
                shared_seed=self._shared_seed,
                session=batch.session,
            )
            for id, seed in zip(ids.tolist(), seeds.tolist(), strict=True)
        ]

    def _figures(self) -> Figures:
        best = self.archive.best
        return Figures(
            tell=self._tells,
            evaluations=self.evaluations,
            ok=self.counts[Status.OK],
            elites=len(self.archive),
            cells=self.archive.cells,
            qd_score=self.archive.qd_score,
            best=best.objective if best else None,
        )

    def _state(self) -> dict[str, Any]:
        counts = {str(int(status)): count for status, count in self.counts.items()}
        return {**super()._state(), "counts": counts, "outside": self.archive.outside}
