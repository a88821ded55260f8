"""Layers that search spaces build networks from; torch is all they need."""

from .feed_forward import ACTIVATIONS, Activation, FeedForward, Residual
from .mixture import MixtureOfExperts, load_balance, top_k_mask

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "FeedForward",
    "MixtureOfExperts",
    "Residual",
    "load_balance",
    "top_k_mask",
]
