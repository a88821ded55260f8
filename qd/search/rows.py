"""From rows of the log to the batch that an evaluator takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import Genotypes

from ..candidates import Candidates, Purpose
from ..store.log import EvaluationRow


def candidates_of(rows: Sequence[EvaluationRow], genotypes: Genotypes) -> Candidates:
    """The batch of N rows, at least one, that share purpose, fidelity and shared seed; with their genotypes."""
    return Candidates(
        ids=np.array([row.candidate for row in rows], dtype=np.int64),
        evaluation_ids=np.array([row.id for row in rows], dtype=np.int64),
        seeds=np.array([row.seed for row in rows], dtype=np.int64),
        shared_seed=rows[0].shared_seed,
        genotypes=genotypes,
        fidelity=rows[0].fidelity,
        purpose=Purpose(rows[0].purpose),
    )
