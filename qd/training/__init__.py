"""Training of candidates: options, order of the minibatches, one network alone, many at once, and a bank for all."""

from .alone import build_seeded, train_alone
from .augmentation import Augmentation
from .bank import Bank
from .batches import minibatches
from .memory import StackSize
from .options import TrainingOptions
from .planner import Planner
from .population import Trained, Untrained, train_population, train_stack
from .stopping import EarlyStopping
from .supernet import BankOptions, train_bank

__all__ = [
    "Augmentation",
    "Bank",
    "BankOptions",
    "EarlyStopping",
    "Planner",
    "StackSize",
    "Trained",
    "TrainingOptions",
    "Untrained",
    "build_seeded",
    "minibatches",
    "train_alone",
    "train_bank",
    "train_population",
    "train_stack",
]
