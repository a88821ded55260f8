"""Weights that were not kept are trained again, from what the search began with."""

from __future__ import annotations

from pathlib import Path

import pytest

import qd
from qd.analysis.rungs import inherited_from, start_of
from qd.exporting.weights import kept_weights, weights_again
from qd.runs.launch import prepare_again


def test_a_network_that_went_on_or_inherited_is_trained_again_as_it_was(workbench, logged):
    file = workbench.write(
        evaluator={"kind": f"{workbench.module}:Growing"},
        emitters=[{"kind": "map_elites", "initial": 20}],
        search={"order": "id", "rungs": {"fidelities": ["1/9", "1/3", 1]}, "inherit": True},
        budget={"evaluations": None, "trainings": 40},
    )
    run = qd.run(file, out="run")
    parts = prepare_again(run, run.config, None)
    elites = run.elites().to_dict("records")
    parents = inherited_from(run, [row["evaluation"] for row in elites])
    gone = set()
    for row in elites:
        kept = kept_weights(run, row["id"])
        assert kept is not None and not kept.retrained
        run.folder.delete_weights([row["evaluation"]])
        found = weights_again(run, row["id"], parts)
        assert found.retrained
        source = row["evaluation"]
        while (start := start_of(run, source)) is not None:
            source = start[0]
            if start[1] == 0:
                break
        lost = row["evaluation"] in parents and not run.folder.has_weights(source)
        gone |= {row["id"]} if lost else set()
        expected = 1 if lost else kept.metrics["trained"]
        assert found.metrics["trained"] == pytest.approx(expected)
        run.folder.write_weights(row["evaluation"], kept.weights)
    assert len(gone) < len(parents)
    said = [line for line in logged.messages if "began with the weights of its parent, which are gone" in line]
    assert len(said) == len(gone)


def test_the_model_card_says_that_weights_were_inherited(workbench):
    file = workbench.write(
        space={"kind": "sparse_moe"},
        evaluator={
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 200}},
            "training": {"epochs": 1},
        },
        archive={
            "objective": "val_accuracy",
            "measures": [{"metric": "parameters", "low": 500, "high": 60000, "bins": 6, "scale": "log"}],
        },
        emitters=[{"kind": "map_elites", "initial": 8}],
        search={"seed": 1, "order": "id", "chunk": 8, "window": 8, "inherit": True},
        budget={"evaluations": 40},
    )
    run = qd.run(file, out="run")
    marked = run.elites()[lambda frame: frame["inherited_from"].notna()].iloc[0]
    qd.export("run", "home", id=int(marked["id"]), formats="safetensors")
    card = Path("home/README.md").read_text()
    assert f"began with the weights of its parent, candidate {int(marked['inherited_from'])}:" in card
