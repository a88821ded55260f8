"""Training of candidates: options, order of the minibatches, one network alone, and many at once."""

from .alone import build_seeded, train_alone
from .augmentation import Augmentation
from .batches import minibatches
from .memory import StackSize
from .options import TrainingOptions
from .planner import Planner
from .population import Trained, train_population, train_stack
from .stopping import EarlyStopping

__all__ = [
    "Augmentation",
    "EarlyStopping",
    "Planner",
    "StackSize",
    "Trained",
    "TrainingOptions",
    "build_seeded",
    "minibatches",
    "train_alone",
    "train_population",
    "train_stack",
]
