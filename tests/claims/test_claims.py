"""The page of claims says what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.experiments.claims import find, names, page

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"


def test_the_page_is_made_of_what_was_found() -> None:
    assert PAGE.read_text() == page(), "python scripts/claims.py --table docs/claims.md makes it again"


@pytest.mark.parametrize("name", names())
def test_every_claim_has_arms_to_compare_or_says_why_not(name: str) -> None:
    claim = find(name)
    assert claim.claim and claim.test and claim.system
    if claim.arms:
        assert len(claim.arms) > 1 and claim.seeds > 1
    else:
        assert claim.verdict({})[0] == "cannot be tested here"
