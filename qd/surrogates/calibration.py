"""How sure a model may be, by its errors in rows that it was not fitted to."""

from __future__ import annotations

import numpy as np


def calibrate(errors: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Fit what the variance of an error is made of: a constant, for the noise, and shares of what a model gives.

    Args:
        errors: (N,) float64, of rows that were not fitted.
        spreads: (N, S) float64, at least 0: what may go with the squared error.

    Returns:
        (1 + S,) float64, at least 0: variance = first + rest · spreads, by least squares.
    """
    from scipy.optimize import nnls

    return nnls(np.column_stack([np.ones(len(errors)), spreads]), errors**2)[0]


def share_explained(errors: np.ndarray, values: np.ndarray) -> float:
    """Share of the variance of values that their errors leave; 0 where there is none."""
    spread = values.var()
    return float(1 - (errors**2).mean() / spread) if spread else 0.0
