"""Answers that are awaited of a cluster, and who takes them in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError


class Inbox:
    """Calls a handler for every answer; answers that nobody awaits any longer are dropped."""

    def __init__(self) -> None:
        self._awaited: dict[Any, tuple[Callable[[Any], None], Callable[[Exception], None]]] = {}

    def expect(self, reference: Any, on_answer: Callable[[Any], None], on_error: Callable[[Exception], None]) -> None:
        """Await an answer: one of the two is called within some `wait`."""
        self._awaited[reference] = (on_answer, on_error)

    def forget(self, reference: Any) -> None:
        """Drop an answer, should it come after all."""
        self._awaited.pop(reference, None)

    def wait(self, seconds: float) -> None:
        """Wait until there is an answer, at most so long; then handle all that are there, errors last.

        A worker that died may have answered before: who is to blame for its death depends on that.
        """
        references = list(self._awaited)
        if not references:
            time.sleep(min(max(0.0, seconds), 0.5))
            return
        if not ray.wait(references, num_returns=1, timeout=max(0.0, seconds))[0]:
            return
        errors = []
        for reference in ray.wait(references, num_returns=len(references), timeout=0)[0]:
            try:
                answer = ray.get(reference)
            except RayError as error:
                errors.append((reference, error))
                continue
            if reference in self._awaited:
                self._awaited.pop(reference)[0](answer)
        for reference, error in errors:
            if reference in self._awaited:
                self._awaited.pop(reference)[1](error)
