"""What a run file may name: emitters, and the controls that they are measured against."""

from .base import Emitter
from .baselines import NSGA2, Evolutionary, NoveltyLocalCompetition, Random, RegularisedEvolution
from .guided import Guided
from .map_elites import MapElites

KINDS: dict[str, type[Emitter]] = {
    "map_elites": MapElites,
    "guided": Guided,
    "evolutionary": Evolutionary,
    "novelty_local_competition": NoveltyLocalCompetition,
    "nsga2": NSGA2,
    "random": Random,
    "regularised_evolution": RegularisedEvolution,
}
