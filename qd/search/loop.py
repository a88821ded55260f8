"""What every search loop has in common: budget, emitters, weights, and when to end.

Two loops share it. `Search` logs everything; `ColumnarSearch` logs what entered an archive, for evaluations so cheap
that a row of Python for each would cost more than they do.
"""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from search_spaces import Gene, Genotypes
from search_spaces.genes.columns import copied, take
from search_spaces.genes.own import is_own_tree

from ..archives import Insertion
from ..candidates import Candidates, Purpose, Results, Start, Status
from ..emitters import Emitter, Proposals, Told
from ..errors import QdError
from ..executors import Executor
from ..store.folder import RunFolder
from ..store.log import Log
from ..wording import none_is_ok
from .blame import BreachError, blamed
from .problem import Problem, WeightedEmitter
from .seeds import shared_seed, stream_seed
from .suspects import REASON, Suspects

FAILURES_AT_FIRST = 30
"""When of the first this many evaluations none is ok, the search stops."""
BATCHES_AHEAD = 8
"""Under `order: id`, where the run file names no window."""
SMALLEST_SHARE = 4
"""Towards the end of the budget batches shrink to a quarter at least: small stacks of networks train slowly."""
FULL_FIDELITY = 1.0
"""Results of it alone enter the archive."""
ROUNDING = 1e-9
"""Sums of fidelities are rounded: nine ninths may be a little less than 1."""
SMALLEST_GAIN = 1e-300
"""A gain of nothing is none, also of a QD score of 0."""


class Ending(StrEnum):
    """Why a search ended."""

    BUDGET = "budget used"
    PATIENCE = "no more gain"
    EXHAUSTED = "space exhausted"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Loop(ABC):
    """Ask, submit, log, tell, until the budget is used.

    Args:
        problem: what is searched, its archive empty or folded from the log.
        executor: where candidates are evaluated.
        log: open for writing.
        folder: where elites' weights are kept.
        session: number of this one, from 1.
        suspects: what was under way when the process of an earlier session died.
    """

    def __init__(
        self,
        problem: Problem,
        executor: Executor,
        log: Log,
        folder: RunFolder,
        session: int,
        suspects: Suspects,
    ) -> None:
        config, emitters = problem.config.search, problem.emitters
        self.archive = problem.archive
        self.counts: Counter[Status] = Counter()
        self.proposals = 0
        self.duplicates = 0
        self.screened = 0
        """Proposals that are known to fall outside the map, and were dropped."""
        self.evaluations_asked = 0
        self._space, self._emitters, self._executor = problem.space, list(emitters), executor
        self._log, self._folder, self._config, self._budget = log, folder, config, problem.config.budget
        self._metrics = list(problem.metrics)
        self._own_genes = is_own_tree(problem.space.genes)
        self._known_metrics = problem.known
        self._session, self._suspects = session, suspects
        self._alone: list[Results] = []
        self._should_stop: Callable[[], bool] = lambda: False
        self._rng = np.random.default_rng(stream_seed(config.seed, "search"))
        self._weights = np.array([one.weight for one in emitters]) / sum(one.weight for one in emitters)
        self._shared_seed = shared_seed(config.seed, Purpose.SEARCH, 0)
        self.trainings_asked = 0.0
        """Full budgets that all evaluations asked for cost."""
        self._cheapest = FULL_FIDELITY
        """What a new proposal costs, of a full budget."""
        self._gained: tuple[int, float] = (0, 0.0)
        """Evaluations and QD score when the score had last gained what `patience` asks for."""
        self._batches = 0
        self._tells = 0
        self._row_of_duplicates = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._parked: dict[int, Results] = {}
        self._with_weights = folder.with_weights()
        self._first_errors: Counter[str] | None = Counter()

    @property
    def evaluations(self) -> int:
        """Finished search evaluations, whatever their status."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float:
        """Search time, earlier sessions included."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def noted(self) -> dict[str, Any]:
        """What its session notes of it, for the case that the process dies."""
        return {"in_process": self._executor.in_process, "suspects": self._suspects.dump()}

    def run(
        self,
        on_tell: Callable[[Any], None] = lambda search: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Ending:
        """Search until the budget is used, the space is exhausted, or `should_stop` says so after a tell.

        Raises:
            QdError: none of the first evaluations is ok, all proposals are known to fall outside the map, or the log
                cannot be written.
        """
        self._started = time.monotonic()
        self._should_stop = should_stop
        self._submit_again()
        if not should_stop():
            self._ask_and_commit()
            self._stop_if_all_is_outside()
        while self._under_way():
            if should_stop() and not self._alone:
                return Ending.INTERRUPTED
            arrived, self._alone = self._alone or self._collect(), []
            if not arrived and self._config.order == "arrival":
                self._ask_and_commit()  # workers may have joined
            for results in self._in_order(arrived):
                self._tell(results, asking=not should_stop())
                self._stop_if_none_is_ok()
                on_tell(self)
        return self.spent or (Ending.EXHAUSTED if self._exhausted() else Ending.INTERRUPTED)

    def _collect(self) -> list[Results]:
        """What has come back; waits a moment for it."""
        return self._executor.collect(timeout=1.0)

    @abstractmethod
    def _under_way(self) -> int:
        """How many evaluations were asked and not told."""

    @abstractmethod
    def _submit_again(self) -> None:
        """Submit what an earlier session asked and did not tell."""

    @abstractmethod
    def _ask_and_commit(self) -> None:
        """Fill the window, log that, and submit it."""

    @abstractmethod
    def _in_order(self, arrived: Sequence[Results]) -> Iterable[Results]:
        """What can be told now."""

    @abstractmethod
    def _tell(self, results: Results, asking: bool) -> None:
        """Take in results, ask for more where `asking`, and log both in one transaction."""

    def _exhausted(self) -> bool:
        return False

    @property
    def spent(self) -> Ending | None:
        """Why nothing more may be asked for: a budget is used, or its patience; None: more may be."""
        limit = self._budget
        if limit.patience is not None and self.evaluations - self._gained[0] >= limit.patience.evaluations:
            return Ending.PATIENCE
        used = (
            (limit.evaluations is not None and self.evaluations_asked >= limit.evaluations)
            or (limit.seconds is not None and self.seconds >= limit.seconds)
            or not self._affordable(1, self._cheapest)
        )
        return Ending.BUDGET if used else None

    @property
    def _trainings_left(self) -> float:
        most = self._budget.trainings
        return math.inf if most is None else most - self.trainings_asked

    def _affordable(self, size: int, cost: float) -> int:
        """How many of so many evaluations the budget of trainings allows, each at this cost."""
        left = self._trainings_left
        return size if math.isinf(left) else max(0, min(size, math.floor(left / cost + ROUNDING)))

    def _note_gain(self) -> None:
        """Look, after a tell, whether the QD score has gained what `patience` asks for."""
        patience, score = self._budget.patience, self.archive.qd_score
        if patience is not None and score - self._gained[1] >= max(patience.gain * abs(self._gained[1]), SMALLEST_GAIN):
            self._gained = (self.evaluations, score)

    def _next_size(self) -> int:
        """How many candidates the next batch holds; 0 where the window has no room for it, or the budget is used.

        Under `order: id` it depends on the run file alone. Else the executor has its say, every worker gets a share of
        a narrow window, and batches shrink towards the end of the budget, so that workers finish at about one time.
        """
        if self.spent:
            return 0
        size, window = self._config.chunk_size, self._config.window
        left = None if self._budget.evaluations is None else self._budget.evaluations - self.evaluations_asked
        if self._budget.trainings is not None:
            affordable = math.floor(self._trainings_left / self._cheapest + ROUNDING)
            left = affordable if left is None else min(left, affordable)
        if self._config.order == "id":
            window = window or size * BATCHES_AHEAD
        else:
            slots = self._executor.slots
            size = self._executor.chunk(size)
            if window:
                size = min(size, max(1, window // slots))
            window = window or size * slots
            if left is not None:
                size = min(size, max(math.ceil(left / slots), math.ceil(size / SMALLEST_SHARE)))
        if self._under_way() + size > window:
            return 0
        return size if left is None else min(size, left)

    def _blamed(self, method: str, *components: object) -> contextlib.AbstractContextManager[None]:
        return blamed(self._folder.path, method, *components)

    def _ask_emitter(self, one: WeightedEmitter, size: int) -> Proposals:
        """What an emitter proposes: valid genotypes that are the search's own, and rows that belong together."""
        genes = self._space.genes
        others = [] if type(genes).__module__.startswith(Gene.__module__.rpartition(".")[0]) else [genes]
        with self._blamed("ask", one.emitter, *others):
            asked = one.emitter.ask(size, self.archive, one.rng)
            if not isinstance(asked, Proposals):
                raise BreachError(f"expected Proposals, got {type(asked).__name__}")
            genotypes = asked.genotypes if self._own_genes and is_own_emitter(one) else genes.accept(asked.genotypes)
            parents, operators = list(asked.parents), list(asked.operators)
            found = {"genotypes": len(genotypes), "parents": len(parents), "operators": len(operators)}
            if set(found.values()) != {size}:
                got = ", ".join(f"{count} {name}" for name, count in found.items())
                raise BreachError(f"expected {size} genotypes, with parents and an operator for each, got {got}")
            if set(map(type, operators)) != {str}:
                raise BreachError(
                    f"expected names of operators, got {next(o for o in operators if type(o) is not str)!r}"
                )
            return asked._replace(
                genotypes=genotypes,
                parents=[tuple(map(int, ids)) for ids in parents],
                operators=operators,
            )

    def _inside(self, asked: Proposals) -> Proposals:
        """Those that are not known to fall outside the map, where the run file wants it so; the others are counted."""
        if not self._config.screen:
            return asked
        outside = self._known_metrics.outside(asked.genotypes, self.archive)
        if not outside.any():
            return asked
        self.screened += int(outside.sum())
        return asked.take(np.flatnonzero(~outside))

    def _shares(self, size: int) -> list[int]:
        """How many of the next proposals each emitter makes."""
        return self._rng.multinomial(size, self._weights).tolist()

    def _send(
        self,
        ids: np.ndarray,
        evaluations: np.ndarray,
        seeds: np.ndarray,
        genotypes: Genotypes,
        purpose: Purpose = Purpose.SEARCH,
        shared_seed: int | None = None,
        fidelity: float = FULL_FIDELITY,
        starts: Mapping[int, Start] | None = None,
    ) -> None:
        candidates = Candidates(
            ids=ids,
            evaluation_ids=evaluations,
            seeds=seeds,
            shared_seed=self._shared_seed if shared_seed is None else shared_seed,
            genotypes=self._space.genes.column(genotypes),
            fidelity=fidelity,
            purpose=purpose,
            starts=starts or {},
        )
        if self._executor.in_process and self._suspects.concerns(evaluations):
            self._evaluate_one_by_one(candidates)
        else:
            self._executor.submit(candidates)

    def _evaluate_one_by_one(self, candidates: Candidates) -> None:
        """Evaluate suspects before all else, as one batch to the rest of the search; the log says who is next."""
        for row, id in enumerate(candidates.evaluation_ids.tolist()):
            if self._should_stop():
                return
            if self._suspects.is_lost(id):
                results = Results.without_metrics(
                    candidates.take([row]), Status.LOST, REASON.format(self._suspects.alone[id])
                )
                results.attempts[id] = 0  # in this session
            else:
                self._log.note_in_session({"evaluating": id})
                self._executor.submit(candidates.take([row]))
                arrived: list[Results] = []
                while not arrived:
                    arrived = self._executor.collect(timeout=1.0)
                results = Results.join(arrived)
            self._alone = [Results.join([*self._alone, results])]
        self._log.note_in_session({"evaluating": None})

    def _add(self, results: Results, candidates: np.ndarray, genotypes: Genotypes) -> list[Insertion]:
        """Offer what was answered to the archive; `candidates` (N,) and genotypes belong to the rows of `results`."""
        rows = np.flatnonzero(results.status == Status.OK)
        if len(rows) < len(results):
            genotypes = take(genotypes, rows)
        metrics = {name: column[rows] for name, column in results.metrics.items()}
        with self._blamed("add", self.archive):
            return self.archive.add(results.evaluation_ids[rows], candidates[rows], metrics, genotypes)

    def _tell_emitter(
        self, one: WeightedEmitter, results: Results, candidates: np.ndarray, genotypes: Genotypes
    ) -> None:
        """Tell an emitter what came of its proposals, in copies."""
        empty = np.full(len(results), np.nan)  # none of a batch without any answer has metrics
        metrics = {name: results.metrics.get(name, empty).copy() for name in self._metrics}
        objectives = self.archive.objective.sign * metrics[self.archive.objective.metric]
        told = Told(candidates.copy(), copied(genotypes), metrics, objectives)
        with self._blamed("tell", one.emitter):
            one.emitter.tell(told, self.archive, one.rng)

    def _count_errors(self, results: Results) -> None:
        """Note the errors of the first evaluations, as long as none is ok."""
        if self._first_errors is None:
            return
        if (results.status == Status.OK).any():
            self._first_errors = None
        else:
            ids = results.evaluation_ids.tolist()
            self._first_errors.update(results.errors.get(id, "no reason was given").strip() for id in ids)

    @property
    def needed_weights(self) -> set[int]:
        """Evaluations whose weights the search still needs, beside those of elites."""
        return set()

    def _keep_weights(self, insertions: Sequence[Insertion], told: Iterable[int]) -> None:
        """Write the weights of what became an elite, and what else of `told` is needed, before the log says so."""
        elites = {one.evaluation for one in insertions} - {one.displaced for one in insertions}
        try:
            for evaluation, weights in self._executor.fetch(sorted(elites | self.needed_weights & {*told})).items():
                self._with_weights.add(evaluation)
                self._folder.write_weights(evaluation, weights)
        except OSError as error:
            raise QdError(
                f"{self._folder.weights}: cannot write weights ({error}). All evaluations completed before are safe;"
                f" make room, then: qd resume {self._folder.path}"
            ) from error

    def _drop_weights(self, results: Results) -> None:
        """Delete those of elites that are none any more; the log says so already."""
        if self._with_weights:
            # not what `insertions` displaced: an elite may also leave its cell empty, or move to another
            gone = self._with_weights.difference(self.archive.elites.evaluations.tolist(), self.needed_weights)
            self._folder.delete_weights(gone)
            self._with_weights -= gone
        self._executor.release(results.evaluation_ids.tolist())

    def _stop_if_all_is_outside(self) -> None:
        if self.evaluations_asked or not self.screened:
            return
        raise QdError(
            f"all of the first {self.screened:,} proposals fall outside the map, by what is known before an evaluation:"
            f" {self._known_metrics.ranges(self.archive)}. Start again with other ranges, or with"
            " search: {screen: false}"
        )

    def _stop_if_none_is_ok(self) -> None:
        if self._first_errors is None or self._first_errors.total() < FAILURES_AT_FIRST:
            return
        error, times = self._first_errors.most_common(1)[0]
        invalid = self.counts[Status.INVALID]
        raise QdError(
            f"the first {self._first_errors.total()} evaluations all {none_is_ok(invalid, self.evaluations)};"
            f" the most frequent reason ({times} times):\n\n{error}\n\n"
            f"Fix its cause, then: qd resume {self._folder.path}"
        )

    def _state(self) -> dict[str, Any]:
        """What `_restore_state` needs; arrays are values of the emitters' states alone."""
        return {
            "proposals": self.proposals,
            "evaluations_asked": self.evaluations_asked,
            "batches": self._batches,
            "tells": self._tells,
            "screened": self.screened,
            "row_of_duplicates": self._row_of_duplicates,
            "seconds": self.seconds,
            "trainings": self.trainings_asked,
            "gained": list(self._gained),
            "rng": self._rng.bit_generator.state,
            "emitters": {
                one.name: {"state": self._state_of(one), "rng": one.rng.bit_generator.state} for one in self._emitters
            },
        }

    def _state_of(self, one: WeightedEmitter) -> dict[str, Any]:
        with self._blamed("state", one.emitter):
            state = one.emitter.state()
            if not isinstance(state, dict):
                raise BreachError(f"expected a dict, got {type(state).__name__}")
            return state

    def _restore_state(self, state: dict[str, Any]) -> None:
        self.proposals = state["proposals"]
        self.evaluations_asked = state["evaluations_asked"]
        self._batches, self._tells = state["batches"], state["tells"]
        self.screened = state.get("screened", 0)
        self._row_of_duplicates = state["row_of_duplicates"]
        self._seconds_before = state["seconds"]
        trainings = state.get("trainings")
        self.trainings_asked = float(self.evaluations_asked) if trainings is None else trainings
        evaluations, score = state.get("gained") or (0, 0.0)
        self._gained = (int(evaluations), score)
        self._rng.bit_generator.state = state["rng"]
        for one in self._emitters:
            saved = state["emitters"][one.name]
            with self._blamed("restore", one.emitter):
                one.emitter.restore(saved["state"])
            one.rng.bit_generator.state = saved["rng"]


def is_own_emitter(one: WeightedEmitter) -> bool:
    """Whether an emitter is one of this project: what it proposes of the project's own genes is valid and plain."""
    return type(one.emitter).__module__.startswith(f"{Emitter.__module__.rpartition('.')[0]}.")
