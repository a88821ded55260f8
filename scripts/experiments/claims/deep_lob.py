"""Do convolutions, an inception block and an LSTM tell where prices of an order book go?"""

from __future__ import annotations

from . import Claim

CLAIM = Claim(
    "DeepLOB (arXiv 1808.03668)",
    "Convolutions over an order book, an inception block and an LSTM tell the next move of the middle price better than"
    " simpler networks, and on stocks that they were not trained on.",
    "None: the claim is about recorded order books (FI-2010, LSE).",
    {},
    lambda found: (
        "cannot be tested here",
        "There is no recorded order book that can be had offline; what a generated one says of the middle price is what"
        " its rates put in. The module is tested as a module, and searched like all others.",
    ),
)
