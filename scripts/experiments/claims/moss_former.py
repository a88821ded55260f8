"""Do attention and a recurrence-free memory together beat either alone?"""

from __future__ import annotations

from typing import Any

from evaluators.data.human_activity import HumanActivity
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces.chain import Chain
from search_spaces.shelf.fsmn import Fsmn
from search_spaces.shelf.gated_attention import GatedAttention

from . import Claim, Found, Numbers, difference, trained

DATA = HumanActivity(split=Split(train=960))
TRAINING = TrainingOptions(epochs=6, batch_size=32, learning_rate=0.003)
SPACE = Chain("tokens", (GatedAttention(), Fsmn()), width=(32,), depth=(1, 4), patch=4)
ATTENTION = {"kind": "gated_attention", "queries": 64, "values": 1, "group": 8, "reach": "both"}
MEMORY = {"kind": "fsmn", "inner": 32, "order": 5, "layers": 2}
LAYERS = {
    "both": [ATTENTION, MEMORY],
    "attention alone": [ATTENTION, ATTENTION],
    "memory alone": [MEMORY, MEMORY],
}


def _arm(layers: list[dict[str, Any]]) -> Any:
    def measure(seed: int) -> Numbers:
        genotype = {"width": 32, "positions": "none", "layers": layers}
        (found,) = trained(SPACE, [genotype], DATA, TRAINING, seed)
        return {"accuracy": found["val_accuracy"], "loss": found["val_loss"], "parameters": found["parameters"]}

    return measure


def _verdict(found: Found) -> tuple[str, str]:
    gains = {arm: difference(found, "both", arm, "accuracy") for arm in LAYERS if arm != "both"}
    shown = ", ".join(f"{gain:+.3f} ± {error:.3f} against {arm}" for arm, (gain, error) in gains.items())
    why = f"accuracy of both: {shown} (standard errors)."
    if all(gain > 2 * error for gain, error in gains.values()):
        return "holds", f"Both beat either by more than two standard errors: {why}"
    if any(gain < -2 * error for gain, error in gains.values()):
        return "does not hold", f"One part alone is better by more than two standard errors: {why}"
    return "undecided", f"Not both differences are above two standard errors: {why}"


CLAIM = Claim(
    "MossFormer2 (arXiv 2312.11825)",
    "Gated attention and a block with a feed-forward memory, together, beat either alone.",
    "Human activity (960 windows of training persons, cut into 32 steps), two layers of width 32, 180 updates, accuracy"
    " on other persons. One layer of each kind, or two of one; sizes are chosen so that all have about the same"
    " parameters. The paper separates voices, with 24 layers of each kind of width 512.",
    {name: _arm(layers) for name, layers in LAYERS.items()},
    _verdict,
    seeds=3,
)
