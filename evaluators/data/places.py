"""Where the data sets are on this machine."""

from __future__ import annotations

from pathlib import Path

from .diabetes import Diabetes
from .digits import Digits
from .fashion_mnist import FashionMNIST
from .flights import Flights
from .human_activity import HumanActivity
from .letters import Letters
from .mnist import MNIST
from .optical_digits import OpticalDigits
from .reviews import Reviews
from .shakespeare import Shakespeare
from .ucr import UCR

NEEDED = (Digits(), FashionMNIST())
"""What examples and tests use."""
OTHERS = {
    "mnist": MNIST(),
    "optical_digits": OpticalDigits(),
    "letters": Letters(),
    "diabetes": Diabetes(),
    "flights": Flights(),
    "ucr": UCR(),
    "human_activity": HumanActivity(),
    "reviews": Reviews(),
    "shakespeare": Shakespeare(),
}
"""What is fetched when somebody wants it, by the name of the kind."""


def places() -> dict[str, Path | ValueError]:
    """{name: folder of each data set, or the error that says how to get it}; nothing is read or imported.

    Of those that nobody has to have, only what is there is listed.
    """
    found: dict[str, Path | ValueError] = {}
    for name, data in [*((data.name, data) for data in NEEDED), *OTHERS.items()]:
        try:
            found[name] = data.place()
        except ValueError as error:
            if data in NEEDED:
                found[name] = error
    return found
