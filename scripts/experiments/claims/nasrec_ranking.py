"""NASRec: what scores from its supernet say of sub-nets trained alone, before and after the last layer is tuned."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.stats import kendalltau

from search_spaces import Genotype

from . import Claim, Found, Numbers, difference, mean
from .nasrec.crafted import count
from .nasrec.search import EPOCHS, SHORT, SUB_NETS, alone, built, inherited, sub_nets, supernet

TAU = "Kendall's τ"


@cache
def truth(seed: int) -> np.ndarray:
    """Validation losses of sub-nets that are trained alone."""
    return np.array([alone(one, seed) for one in sub_nets(seed)])


def arm(score: Callable[[Genotype, int], float]) -> Callable[[int], Numbers]:
    """How a score ranks the sub-nets; less is better in all."""

    def measure(seed: int) -> Numbers:
        scores, losses = np.array([score(one, seed) for one in sub_nets(seed)]), truth(seed)
        good = np.argsort(losses)[: SUB_NETS // 2]
        return {
            TAU: float(np.asarray(kendalltau(scores, losses))[0]),
            "τ among the better half": float(np.asarray(kendalltau(scores[good], losses[good]))[0]),
            "loss alone of the five that score best": float(losses[np.argsort(scores)[:5]].mean()),
        }

    return measure


def verdict(found: Found) -> tuple[str, str]:
    """Holds: the rank correlation rises by two standard errors."""
    rise, error = difference(found, "last layer tuned", "inherited", TAU)
    fresh, doubt = difference(found, "last layer tuned", "fresh weights, last layer tuned", TAU)
    size, slack = difference(found, "last layer tuned", "parameters", TAU)
    top, blur = difference(found, "last layer tuned", "inherited", "τ among the better half")
    why = (
        f"Kendall's τ with losses alone is {mean(found, 'inherited', TAU):.2f} as"
        f" inherited, and {rise:+.2f} ± {error:.2f} from that with the last layer tuned ({top:+.2f} ± {blur:.2f} among"
        f" the better half). After tuning it is {fresh:+.2f} ± {doubt:.2f} from tuning on fresh weights, which need no"
        f" supernet, and {size:+.2f} ± {slack:.2f} from counting parameters. Holds: a rise by two standard errors."
    )
    if rise > 2 * error:
        return "holds", why
    return ("does not hold" if rise < error else "undecided"), why


CLAIM = Claim(
    system="NASRec, its ranking (Zhang et al., arXiv 2207.07187)",
    claim=(
        "Scores of sub-nets with a supernet's weights rank them better, by what they reach when trained alone, once the"
        " last layer of each is tuned."
    ),
    test=(
        f"The networks, data and supernet ({EPOCHS} epochs of {SHORT:,} examples) of the claim of NASRec: {SUB_NETS}"
        " sub-nets at random, each trained alone from scratch on the same examples, once each. Kendall's τ of these"
        " validation losses with losses on 10,000 validation examples with inherited weights, as they are or after 64"
        " steps on the last layer; and with those of fresh weights after as many, and the number of parameters (more"
        " is better). Deviations: as there."
    ),
    arms={
        "inherited": arm(lambda one, seed: inherited(supernet(seed), one, False, seed)),
        "last layer tuned": arm(lambda one, seed: inherited(supernet(seed), one, True, seed)),
        "fresh weights, last layer tuned": arm(lambda one, seed: inherited(None, one, True, seed)),
        "parameters": arm(lambda one, seed: -float(count(built(one, seed)))),
    },
    verdict=verdict,
    seeds=3,
    digits=3,
)
