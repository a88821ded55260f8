"""Logs that were damaged or mean harm: told in a few words, left as they are, and never obeyed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import qd
from qd.errors import UsageError
from qd.testing.damage import SCHEMAS, change

FIXTURES = Path(__file__).parent / "fixtures/version_1"


@pytest.mark.parametrize("what", SCHEMAS)
def test_other_tables_than_a_log_has_are_refused(tmp_path, digests, what):
    """Looking and resuming both begin here: nothing is asked of a table before."""
    run = Path(shutil.copytree(FIXTURES / "grid", tmp_path / "run"))
    change(run / "log.sqlite", SCHEMAS[what])
    before = digests(run)
    with pytest.raises(
        UsageError, match=r"log\.sqlite: the log is damaged \(.{5,200}\); it was left untouched"
    ) as error:
        qd.open_run(run)
    assert "\x1b" not in str(error.value)
    assert digests(run) == before
