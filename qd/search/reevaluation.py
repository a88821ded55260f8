"""`noise: reevaluate`: candidates between whom a cell changed hands are evaluated again, under new seeds.

Of the adaptive sampling of Justesen, Mouret and Risi (MAP-Elites for noisy domains, 2019), which evaluates a challenger
until it has as many evaluations as the elite. Deviation: both are evaluated once more whenever a cell changes hands,
the mean decides, and who was thrown out stays known and may come back. Evaluating the elite alone, as one might, leaves
the lucky challenger in its place: see docs/decisions/030-who-is-evaluated-again.md.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

from ..store.resume import Proposal


class Reevaluations:
    """Who is to be evaluated again, and how often each has been.

    Attributes:
        told: how many are finished.
    """

    def __init__(self) -> None:
        self.told = 0
        self._answered: dict[int, Proposal] = {}
        self._queue: deque[int] = deque()
        self._open: set[int] = set()
        self._repeats: Counter[int] = Counter()

    def answered(self, proposals: Iterable[Proposal]) -> None:
        """Note candidates that are ok, and so may be evaluated again."""
        self._answered.update({proposal.candidate.id: proposal for proposal in proposals})

    def challenge(self, candidates: Sequence[int]) -> None:
        """Queue candidates; one that is queued or under way already waits for that."""
        for candidate in candidates:
            if candidate not in self._open:
                self._open.add(candidate)
                self._queue.append(candidate)

    def take(self, size: int) -> list[tuple[Proposal, int]]:
        """The next batch, with the number of its repeat: at most `size` that are evaluated for the same time."""
        batch: list[tuple[Proposal, int]] = []
        rest: deque[int] = deque()
        repeat = self._repeats[self._queue[0]] + 1 if self._queue else 0
        for candidate in self._queue:
            if len(batch) < size and self._repeats[candidate] + 1 == repeat:
                self._repeats[candidate] = repeat
                batch.append((self._answered[candidate], repeat))
            else:
                rest.append(candidate)
        self._queue = rest
        return batch

    def tell(self, candidate: int) -> None:
        """One has finished, whatever came of it."""
        self.told += 1
        self._open.discard(candidate)

    def state(self) -> list[int]:
        """Plain data: the queue."""
        return list(self._queue)

    def restore(self, state: Sequence[int], answered: Sequence[Proposal], asked: Iterable[tuple[int, bool]]) -> None:
        """Go on where a log left off.

        Args:
            state: the queue.
            answered: every candidate that is ok.
            asked: (candidate, whether it was told) of every reevaluation.

        Raises:
            ValueError: who is to be evaluated again never was.
        """
        self.answered(answered)
        if unknown := {*state, *(candidate for candidate, _ in asked)} - self._answered.keys():
            raise ValueError(f"candidate {min(unknown)} is to be evaluated again, and was not ok before")
        self._queue.extend(state)
        self._open.update(state)
        for candidate, told in asked:
            self._repeats[candidate] += 1
            self.told += told
            if not told:
                self._open.add(candidate)


def genotypes_of(proposals: Iterable[Proposal]) -> dict[int, Any]:
    """{candidate: genotype}."""
    return {proposal.candidate.id: proposal.genotype for proposal in proposals}
