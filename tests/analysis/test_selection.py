"""Which candidates a person means, and what is said where there is none of the kind."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize("id", [0, -1, 2**53, 2**63, 2**70, -(2**63) - 1])
def test_ids_that_no_candidate_has_are_refused(finished: Path, tmp_path: Path, qd_command, id: int) -> None:
    for words in (
        ("export", finished, f"--id={id}", "--to", tmp_path / "home"),
        ("train", finished, f"--id={id}", "--to", tmp_path / "home"),
        ("plot", "lineage", finished, f"--id={id}", "--out", tmp_path / "x.svg"),
    ):
        answer = qd_command(*words)
        assert answer.status == 2, words
        assert "there is no candidate" in answer.err or "expected numbers below 2**63" in answer.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("cell", ["", "x", "1,2,3", "-1,0", "99,0", "1.5,2", f"{'9' * 5000},0", "²,1"])
def test_cells_that_are_not_there_are_refused(finished: Path, tmp_path: Path, qd_command, cell: str) -> None:
    answer = qd_command("export", finished, f"--cell={cell}", "--to", tmp_path / "home")
    assert answer.status == 2
    assert "--cell: " in answer.err
    assert len(answer.err) < 1000
