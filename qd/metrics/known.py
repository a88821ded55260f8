"""What metrics and the space know of candidates before they are trained, in columns."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import Genotypes, SearchSpace, Task

from ..interrupts import Interrupted, told_apart
from .joined import JoinedMetrics
from .untrained import Untrained

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.inputs import Inputs


def known_metrics(
    measured: JoinedMetrics,
    space: SearchSpace,
    task: Task | None,
    genotypes: Genotypes,
    names: Collection[str],
    examples: Callable[[], tuple[Inputs, Tensor]] | None = None,
) -> dict[str, np.ndarray]:
    """{name: (N,) float64} of metrics that training does not change; NaN where one is not known of a candidate.

    Args:
        measured: metrics of networks, and of genotypes, bound.
        space: whose own metrics may be known too.
        task: of the networks; None where none is built.
        genotypes: N, valid.
        names: that are asked for.
        examples: gives inputs and targets, those that trained networks are measured on; None: there are none.
    """
    wanted = [name for name in names if name in measured.metrics or name in space.metrics]
    columns = {name: np.full(len(genotypes), np.nan) for name in wanted}
    for row, genotype in enumerate(space.genes.trees(genotypes)):
        subject = Untrained(genotype, space, task, examples)
        found = measured.known(subject, wanted)
        try:
            with told_apart():
                found.update({name: subject.given[name] for name in space.metrics if name in subject.given})
        except Interrupted:
            raise
        except BaseException:  # its evaluation will tell
            pass
        for name, value in found.items():
            if name in columns:
                columns[name][row] = value
    return {name: column for name, column in columns.items() if not np.isnan(column).all()}
