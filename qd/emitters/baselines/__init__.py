"""The controls: what every claim is measured against. They share the loop, the log and the map with every emitter."""

from .evolutionary import Evolutionary
from .novelty_local_competition import NoveltyLocalCompetition
from .nsga2 import NSGA2
from .random import Random
from .regularised_evolution import RegularisedEvolution

__all__ = ["NSGA2", "Evolutionary", "NoveltyLocalCompetition", "Random", "RegularisedEvolution"]
