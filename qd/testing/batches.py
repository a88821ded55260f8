"""Batches as a search would submit them."""

from __future__ import annotations

import numpy as np

from search_spaces import Genotypes

from ..candidates import Candidates, Purpose
from ..search.seeds import candidate_seed, shared_seed


def make_candidates(
    genotypes: Genotypes,
    first_id: int = 1,
    purpose: Purpose = Purpose.SEARCH,
    fidelity: float = 1.0,
    run_seed: int = 0,
) -> Candidates:
    """A batch whose ids run from `first_id`; its evaluation ids descend, as nothing may rest on their order."""
    ids = np.arange(first_id, first_id + len(genotypes), dtype=np.int64)
    return Candidates(
        ids=ids,
        evaluation_ids=10_000_000 - 3 * ids,
        seeds=np.array([candidate_seed(run_seed, int(id), purpose, 0) for id in ids], dtype=np.int64),
        shared_seed=shared_seed(run_seed, purpose, 0),
        genotypes=genotypes,
        fidelity=fidelity,
        purpose=purpose,
    )
