"""Numbers as people read them."""

from __future__ import annotations

import pytest

from qd.wording import duration, number


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.6, "1:00:00"), (90_061, "25:01:01")]
)
def test_a_duration_is_read_like_a_clock(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.123456, "0.1235"), (999.94, "999.9"), (-1234.5, "-1,234"), (2e6, "2,000,000")]
)
def test_a_number_has_four_digits_or_its_thousands_apart(value, text):
    assert number(value) == text
