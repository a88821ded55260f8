"""One rule for duplicates: an architecture is evaluated once at each fidelity.

Who proposes it first holds it. Duplicates of what is under way wait: an answer holds for them too, and after a failure
the first of them is evaluated in its place.
"""

from __future__ import annotations

from ..candidates import Purpose
from ..store.resume import Proposal, Unfinished

Key = tuple[bytes, float]
"""Of an architecture, and a fidelity."""


class Duplicates:
    """Which candidate holds each architecture at each fidelity, and who waits for it."""

    def __init__(self) -> None:
        self._holders: dict[Key, int] = {}
        self._waiting: dict[Key, list[Proposal]] = {}
        """{what is under way: its duplicates}."""
        self._next: list[Proposal] = []

    def holder(self, key: bytes, fidelity: float) -> int | None:
        """The candidate that has an answer or is under way; None where there is none."""
        return self._holders.get((key, fidelity))

    def hold(self, proposal: Proposal) -> None:
        """This candidate is to be evaluated: it holds its architecture at its fidelity."""
        self._holders[_key(proposal)] = proposal.candidate.id
        self._waiting[_key(proposal)] = []

    def wait(self, proposal: Proposal) -> None:
        """This is a duplicate; it waits where what it repeats is under way."""
        if _key(proposal) in self._waiting:
            self._waiting[_key(proposal)].append(proposal)

    def settle(self, proposal: Proposal, answered: bool) -> None:
        """Its evaluation has ended; without an answer, the first that waited is next."""
        key = _key(proposal)
        waiting = self._waiting.pop(key)
        if answered:
            return
        del self._holders[key]
        if waiting:
            first, *rest = waiting
            self._holders[key] = first.candidate.id
            self._waiting[key] = rest
            self._next.append(first)

    def take(self, size: int, fidelity: float) -> list[Proposal]:
        """At most so many that are next at a fidelity."""
        taken = [one for one in self._next if one.fidelity == fidelity][:size]
        ids = {one.candidate.id for one in taken}
        self._next = [one for one in self._next if one.candidate.id not in ids]
        return taken

    def state(self) -> list[int]:
        """Plain data: candidates that are next."""
        return [proposal.candidate.id for proposal in self._next]

    def restore(self, unfinished: Unfinished) -> None:
        """Go on where a log left off."""
        self._holders.update(unfinished.known)
        under_way = [proposal for row, proposal in unfinished.in_flight if row.purpose == Purpose.SEARCH]
        self._next.extend(unfinished.promoted)
        for proposal in [*under_way, *unfinished.promoted]:
            self._waiting[_key(proposal)] = []
        for proposal in unfinished.waiting:
            self._waiting[_key(proposal)].append(proposal)


def _key(proposal: Proposal) -> Key:
    return proposal.candidate.key, proposal.fidelity
