"""Run files of earlier versions, as their logs hold them."""

from __future__ import annotations

import pytest

from qd.config import check, from_log
from qd.errors import UsageError

BASE = {
    "space": {"kind": "retina"},
    "evaluator": {"kind": "retina"},
    "archive": {"objective": "x", "measures": [{"metric": "y", "low": 0, "high": 1, "bins": 2}]},
    "budget": {"evaluations": 1},
}


def test_a_guide_is_now_a_surrogate():
    before = BASE | {"emitters": [{"kind": "guided", "guide": "own", "pool": 9}, {"kind": "random"}]}
    after = BASE | {"emitters": [{"kind": "guided", "surrogate": "own", "pool": 9}, {"kind": "random"}]}
    assert from_log(before, "log.sqlite") == check(after, "log.sqlite") == from_log(after, "log.sqlite")
    assert from_log(after, "log.sqlite").emitters[0].arguments == {"surrogate": "own", "pool": 9}


def test_today_s_mistakes_are_still_refused():
    with pytest.raises(UsageError, match=r"log\.sqlite: budgett"):
        from_log(BASE | {"budgett": {}}, "log.sqlite")
