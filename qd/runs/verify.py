"""`qd verify`: trains elites again from fresh seeds, in the run's own executor, and writes it to the run's log."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from search_spaces import Gene

from .. import environment
from ..analysis.run import Run, open_run
from ..analysis.selection import Selection, choose
from ..analysis.verification import Verification, verification
from ..candidates import Candidates, Purpose
from ..errors import UsageError
from ..executors import Executor
from ..search.loop import FULL_FIDELITY
from ..search.rows import candidates_of
from ..search.seeds import candidate_seed, shared_seed
from ..store.log import EvaluationRow, Log
from .launch import make_executor, prepare_again, staying_here
from .signals import interruptible

logger = logging.getLogger(__name__)

FIRST_ID = 10**12
"""Verifications are numbered from here on, so that a search that goes on afterwards counts as if there were none."""
BATCHES_AHEAD = 2
"""This many batches for each slot of the executor are under way."""

Progress = Callable[[int, int], None]
"""Called with how many evaluations are done, and of how many."""


def verify(
    folder: Path | str,
    *,
    where: str | None = None,
    top: int | None = None,
    cell: str | None = None,
    seeds: int = 5,
    plugins: Path | str | None = None,
    progress: Progress = lambda done, of: None,
) -> Verification:
    """Train elites again from fresh seeds at the full budget; a test split, where there is one, scores each of them.

    What the log already has is not repeated: asking for more seeds adds to those that are there, and what was
    interrupted goes on.

    Args:
        folder: the run's folder.
        where: an SQL condition over elites; default: all.
        top: only this many of them, the best first.
        cell: only the elite of this cell, such as "3,7".
        seeds: this many for each elite, at least 1.
        plugins: where dotted paths are looked up; default: where they were when the run began.
        progress: called now and then.

    Raises:
        UsageError: bad input; nothing was evaluated.
        QdError: another process writes to this run.
        KeyboardInterrupt: after Ctrl-C, when what was under way is in the log.
    """
    if seeds < 1:
        raise UsageError(f"`seeds`: expected at least 1, got {seeds}")
    run = open_run(folder)
    chosen = choose(run, Selection(where=where, cell=cell, top=top), verified_first=False)
    with staying_here():
        parts = prepare_again(run, run.config, plugins)
        with run.folder.lock(), contextlib.closing(make_executor(run.config, parts, str(run.folder.log))) as executor:
            work = _Work(run, parts.space.genes, chosen, seeds)
            if work.known:
                logger.info(f"{work.known:,} of {len(chosen) * seeds:,} evaluations are in the log already")
            run.close()
            with contextlib.closing(Log.reopen(run.folder.log, list(parts.metrics))) as log:
                log.set_meta("verified", {"time": environment.now(), **environment.describe(run.folder.place)})
                log.ask_verification(work.new)
                with interruptible() as interrupted, parts.registry.at_hand():
                    _evaluate(work, executor, log, progress, interrupted.is_set)
    if interrupted.is_set():
        logger.info("the same command goes on from here")
        raise KeyboardInterrupt
    found = verification(open_run(folder))
    if found is None:
        raise UsageError(f"{folder}: no elite was verified")
    return found


class _Work:
    """What is to be evaluated: rows that an interrupted verification left open, and new ones."""

    def __init__(self, run: Run, genes: Gene, chosen: Sequence[int], seeds: int) -> None:
        self.genes = genes
        rows = run.query(
            "SELECT e.*, _status IS NOT NULL FROM evaluations e LEFT JOIN results ON e.id = _evaluation"
            " WHERE e.purpose = ? ORDER BY e.id",
            [Purpose.VERIFICATION.value],
        )
        asked = {(row.candidate, row.repeat): (row, told) for *values, told in rows for row in [EvaluationRow(*values)]}
        self.chunk, self.seed = run.config.search.chunk_size, run.config.search.seed
        self.genotypes = run.genotypes(chosen)
        with run.decoding():
            genes.accept(list(self.genotypes.values()))
        self.tell = run.query("SELECT COALESCE(MAX(id), 0) FROM tells")[0][0]
        self.new: list[EvaluationRow] = []
        self.rows: list[EvaluationRow] = []
        self.known = 0
        session = run.query("SELECT MAX(id) FROM sessions")[0][0]
        next_id = max([FIRST_ID, *(row.id for row, _ in asked.values())]) + 1
        for repeat in range(1, seeds + 1):
            for candidate in chosen:
                row, told = asked.get((candidate, repeat), (None, False))
                if told:
                    self.known += 1
                    continue
                if row is None:
                    row = self._row(next_id, candidate, repeat, session)
                    next_id += 1
                    self.new.append(row)
                self.rows.append(row)

    def _row(self, id: int, candidate: int, repeat: int, session: int) -> EvaluationRow:
        return EvaluationRow(
            id=id,
            candidate=candidate,
            batch=repeat,
            purpose=Purpose.VERIFICATION.value,
            repeat=repeat,
            fidelity=FULL_FIDELITY,
            seed=candidate_seed(self.seed, candidate, Purpose.VERIFICATION, repeat),
            shared_seed=shared_seed(self.seed, Purpose.VERIFICATION, repeat),
            session=session,
        )

    def batches(self) -> Iterator[Candidates]:
        """Chunks of one repeat each: they share a seed."""
        for repeat in sorted({row.repeat for row in self.rows}):
            rows = [row for row in self.rows if row.repeat == repeat]
            for start in range(0, len(rows), self.chunk):
                chunk = rows[start : start + self.chunk]
                yield candidates_of(chunk, self.genes.column([self.genotypes[row.candidate] for row in chunk]))


def _evaluate(work: _Work, executor: Executor, log: Log, progress: Progress, should_stop: Callable[[], bool]) -> None:
    batches = work.batches()
    done = in_flight = 0
    progress(0, len(work.rows))
    while True:
        for batch in batches:
            executor.submit(batch)
            in_flight += len(batch)
            if in_flight >= BATCHES_AHEAD * executor.slots * work.chunk:
                break
        if not in_flight or should_stop():
            return
        for results in executor.collect(timeout=1.0):
            log.tell_verification(results, work.tell)
            executor.release(results.evaluation_ids.tolist())
            done += len(results)
            in_flight -= len(results)
            progress(done, len(work.rows))
