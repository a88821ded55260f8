"""Which axes of a network's tensors are the same one, and their names.

An axis is a number. Those that an operation takes to be the same, such as both sides of a sum, are joined, and what an
operation makes anew is a new one: so the width of a residual stream is one axis from the stem to the head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

BATCH = 10_007
"""The size that stands for that of the batch, whatever it is: a prime that no other size has as a factor."""


class Axes:
    """All axes of a network, joined step by step."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._same: list[int] = []
        self._parts: dict[int, list[tuple[int, ...]]] = {}

    def new(self, size: int) -> int:
        """An axis that is like no other so far."""
        self._sizes.append(size)
        self._same.append(len(self._same))
        return len(self._same) - 1

    def news(self, sizes: Iterable[int]) -> list[int]:
        """Axes of a shape, all of them new."""
        return [self.new(size) for size in sizes]

    def root(self, axis: int) -> int:
        """The one that stands for all that are the same as this."""
        while self._same[axis] != axis:
            axis = self._same[axis]
        return axis

    def size(self, axis: int) -> int:
        """How long it is; a multiple of `BATCH` grows with the batch."""
        return self._sizes[axis]

    def join(self, first: int, second: int) -> int:
        """Two that are the same from now on, if they are equally long; returns the first."""
        one, other = sorted((self.root(first), self.root(second)))
        if self.size(one) == self.size(other) and one != other:
            self._same[other] = one
            self._parts.setdefault(one, []).extend(self._parts.pop(other, []))
        return first

    def merged(self, axes: Sequence[int]) -> int:
        """The axis that several become when they are flattened; the one that they were split from, where they were."""
        wanted = tuple(map(self.root, axes))
        for whole, splits in self._parts.items():
            if any(tuple(map(self.root, parts)) == wanted for parts in splits):
                return whole
        size = 1
        for axis in axes:
            size *= self.size(axis)
        whole = self.new(size)
        self._parts[whole] = [tuple(axes)]
        return whole

    def split(self, whole: int, sizes: Sequence[int]) -> list[int]:
        """The axes that one becomes; those that it was split into or made of before, where they have these sizes."""
        known = self._parts.setdefault(self.root(whole), [])
        for parts in known:
            if [self.size(axis) for axis in parts] == list(sizes):
                return list(parts)
        known.append(tuple(self.news(sizes)))
        return list(known[-1])

    def broadcast(self, tensors: Iterable[Sequence[int]], shape: Sequence[int]) -> list[int]:
        """The axes of a shape that tensors are stretched to; those that are not stretched are joined."""
        found: list[int | None] = [None] * len(shape)
        for axes in tensors:
            for place, axis in zip(range(len(shape) - len(axes), len(shape)), axes, strict=True):
                if self.size(axis) == shape[place]:
                    known = found[place]
                    found[place] = axis if known is None else self.join(known, axis)
        return [self.new(size) if axis is None else axis for axis, size in zip(found, shape, strict=True)]

    def reshaped(self, before: Sequence[int], shape: Sequence[int]) -> list[int]:
        """The axes of the same numbers in another shape."""
        found: list[int] = []
        left, right = list(before), list(shape)
        while right:
            if right[0] == 1 and not (left and self.size(left[0]) == 1):
                found.append(self.new(right.pop(0)))
                continue
            if left and self.size(left[0]) == 1 and right[0] != 1:
                left.pop(0)
                continue
            axes, sizes = [left.pop(0)], [right.pop(0)]
            while (have := _product(map(self.size, axes))) != (want := _product(sizes)):
                if have < want:
                    axes.append(left.pop(0))
                else:
                    sizes.append(right.pop(0))
            found += axes if axes and len(axes) == len(sizes) == 1 else self._cut(axes, sizes)
        return found

    def _cut(self, axes: Sequence[int], sizes: Sequence[int]) -> list[int]:
        whole = axes[0] if len(axes) == 1 else self.merged(axes)
        return [whole] if len(sizes) == 1 else self.split(whole, sizes)

    def names(self, known: dict[int, str], written: Iterable[int], weights: Iterable[int]) -> dict[int, str]:
        """{axis: name} of those that are written, in this order.

        Args:
            known: names of some.
            written: axes that need names.
            weights: axes of all weights: what is there most often, and has no name, is the width, W.
        """
        found = {self.root(axis): name for axis, name in known.items()}
        often = Counter(root for axis in weights if (root := self.root(axis)) not in found and self.size(axis) > 1)
        if often and "W" not in found.values():
            most = max(often.values())
            found[min(axis for axis, times in often.items() if times == most)] = "W"
        numbers = (f"U{number}" for number in count(1))

        def name(axis: int) -> str:
            axis = self.root(axis)
            if self.size(axis) == 1:
                return found.get(axis, "1")
            if axis not in found:
                parts = next((parts for parts in self._parts.get(axis, []) if min(parts) < axis), None)
                found[axis] = "·".join(map(name, parts)) if parts else next(numbers)
            return found[axis]

        return {axis: name(axis) for one in written for axis in (one, self.root(one))}


def _product(sizes: Iterable[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
