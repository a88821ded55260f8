"""Mixtures of experts."""

from .layer import MixtureOfExperts, load_balance, top_k_indices, top_k_mask
from .module import Mixture

__all__ = ["Mixture", "MixtureOfExperts", "load_balance", "top_k_indices", "top_k_mask"]
