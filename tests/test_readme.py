"""What the README shows does what it says."""

import re
from pathlib import Path

import qd

README = (Path(__file__).parents[1] / "README.md").read_text()


def block(language: str, holding: str) -> str:
    [found] = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text]
    return found


def test_the_plug_in_is_short_and_runs(tmp_path):
    plug_in = block("python", "class Cells")
    assert len(plug_in.splitlines()) < 40
    (tmp_path / "cell_table.py").write_text(plug_in)
    (tmp_path / "cells.yaml").write_text(block("yaml", "cell_table:Cells"))
    run = qd.run(tmp_path / "cells.yaml", out=tmp_path / "out", budget={"evaluations": 300})
    counts = run.summary()["evaluations"]
    assert counts["ok"] + counts["invalid"] == 300
    assert len(run.archive) > 10
    best = run.elites().iloc[0]
    assert set(best["genotype"]["operations"]) <= {"conv3", "conv5", "pool", "skip"}


def test_files_and_pictures_that_it_names_are_there():
    root = Path(__file__).parents[1]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (root / target).exists(), target
