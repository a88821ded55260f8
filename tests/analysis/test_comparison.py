"""Groups of runs beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qd
from qd.analysis.comparison import STATISTICS, compare, find_runs
from qd.errors import UsageError
from qd.plots.style import encoded
from qd.plots.treatments import box_plots, curves, merged_maps
from qd.runs.campaign import perform, seed_jobs

KINDS = {"map_elites": {"kind": "map_elites", "initial": 100}, "random": {"kind": "random"}}


@pytest.fixture
def runs(cheap):
    """Two treatments of four runs each, in folders of their own; one is refined, both end on 20 × 20 cells."""
    for name, emitter in KINDS.items():
        bins = 10 if name == "map_elites" else 20
        axes = [{"metric": metric, "low": 0, "high": 100, "bins": bins} for metric in ("x", "y")]
        archive = {"measures": axes, "refine": [{"evaluations": 300, "bins": 20}] if bins == 10 else []}
        file = cheap(name, emitters=[emitter], archive=archive, budget={"evaluations": 1000})
        perform(seed_jobs(file, range(4), Path("all") / name))
    return Path("all")


def test_the_four_statistics_by_hand(runs):
    found = compare([runs])
    assert [one.name for one in found.treatments] == ["map_elites", "random"]
    assert (found.evaluations, found.filled) == (1000, 400)
    paths = find_runs([runs])
    cells = [{run.position(cell): elite.objective for cell, elite in run.elites.items()}
             for run in (qd.open_run(path).archive for path in paths)]  # fmt: skip
    most = {cell: max(one.get(cell, 0) for one in cells) for one in cells for cell in one}
    expected = []
    for one in cells:
        shares = [value / most[cell] for cell, value in one.items()]
        expected.append(
            [
                max(one.values()) / max(most.values()),
                sum(shares) / len(most),
                sum(shares) / len(one),
                len(one) / len(most),
            ]
        )
    for name, values in zip(STATISTICS, np.array(expected).T, strict=True):
        measured = np.concatenate([one.statistics[name] for one in found.treatments])
        assert measured == pytest.approx(values)


def test_merged_maps_curves_and_tests(runs):
    found = compare([runs / "map_elites", runs / "random"])
    first = found.treatments[0]
    archives = [qd.open_run(path).archive for path in first.folders]
    assert first.merged.qd_score == pytest.approx(
        sum(
            max(one.elites[cell].objective for one in archives if cell in one.elites)
            for cell in set().union(*(one.elites for one in archives))
        )
    )
    assert first.curves["qd_score"][:, -1] == pytest.approx([one.qd_score for one in archives])
    assert first.curves["best"][:, -1].tolist() == first.objectives.tolist()
    coverage = first.curves["coverage"]
    assert (np.diff(coverage[:, 50:], axis=1) >= 0).all()  # a refinement does not make it fall
    (test,) = (test for test in found.tests if test.statistic == "global_performance")
    assert (test.first, test.second, test.result.superiority) == ("map_elites", "random", 1.0)
    assert test.result.p == pytest.approx(2 / 70)
    data = found.data()
    assert data["treatments"][0]["statistics"]["coverage"]["runs"] == first.statistics["coverage"].tolist()
    assert len(data["tests"]) == 4
    assert len(data["curves"]["map_elites"]["best"]["median"]) == len(data["curves"]["evaluations"])


def test_a_minimised_objective_counts_from_its_worst_value(cheap):
    for name, emitter in KINDS.items():
        file = cheap(name, emitters=[emitter], archive={"objective": "most"}, budget={"evaluations": 500})
        perform(seed_jobs(file, range(2), Path("all") / name))
    found = compare([Path("all")])
    best = min(float(one.objectives.min()) for one in found.treatments)
    for one in found.treatments:
        expected = (100 - one.objectives) / (100 - best)
        assert one.statistics["global_performance"] == pytest.approx(expected)


def test_runs_that_log_everything_are_compared_too(cheap):
    file = cheap(log="all", budget={"evaluations": 300})
    perform(seed_jobs(file, range(2), Path("all")))
    found = compare([Path("all")])
    assert len(found.treatments) == 1
    assert found.tests == []
    assert np.isfinite(found.treatments[0].curves["best"][:, -1]).all()


def test_treatments_of_one_kind_are_told_apart_by_their_folders(cheap):
    for crossover in (0.0, 0.5):
        emitters = [{"kind": "map_elites", "crossover": crossover}]
        perform(seed_jobs(cheap(emitters=emitters, budget={"evaluations": 100}), range(2), Path(f"all/at-{crossover}")))
    assert [one.name for one in compare([Path("all")]).treatments] == ["map_elites (at-0.0)", "map_elites (at-0.5)"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "Trees"}, "their space differs"),
        ({"failing": 0.1}, "their evaluator differs"),
        ({"archive": {"objective": "most"}}, "their archive differs"),
        ({"archive": {"outside": "clip"}}, "their outside differs"),
        ({"budget": {"evaluations": 150}}, "their budgets differ, 100 and 150 .*budget.evaluations=150"),
        ({"archive": {"kind": "unstructured", "novelty": 0.1}}, "the archive has no cells that runs could share"),
    ],
)
def test_what_cannot_be_compared_is_refused(cheap, changes, message):
    qd.run(cheap(budget={"evaluations": 100}), out="a").close()
    qd.run(cheap(**{"budget": {"evaluations": 100}, **changes}), out="b").close()
    with pytest.raises(UsageError, match=f"(?s){message}"):
        compare([Path("a"), Path("b")])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no run in it; expected folders with log\.sqlite"):
        compare([tmp_path])


def test_the_command_prints_tables_or_json_and_draws(runs, qd_command):
    import json

    answer = qd_command("compare", runs, "--pictures", "pictures")
    assert answer.status == 0, answer.err
    for text in ("1,000 evaluations a run", "map_elites", "exact two-tailed Mann-Whitney U tests", "0.029"):
        assert text in answer.out
    drawn = sorted(path.name for path in Path("pictures").iterdir())
    assert drawn == ["box_plots.png", "curves.png", "merged_maps.png"]
    answer = qd_command("compare", runs, "--json")
    assert json.loads(answer.out) == json.loads(json.dumps(compare([runs]).data()))
    answer = qd_command("compare", runs, "--pictures", "nowhere/pictures")
    assert answer.status == 2
    assert "there is no folder" in answer.err


def test_pictures_are_equal_for_equal_comparisons(runs):
    found, again = compare([runs]), compare([runs])
    for draw in (box_plots, curves, merged_maps):
        assert encoded(draw(found), "png") == encoded(draw(again), "png")


def test_the_command_runs_seeds(cheap, qd_command):
    file = cheap(budget={"evaluations": 200})
    answer = qd_command("run", file, "--seeds", "3:5", "--out", "seeds")
    assert answer.status == 0, answer.err
    assert "2 runs: seeds" in answer.err
    assert "next: qd compare seeds" in answer.err
    assert sorted(path.name for path in Path("seeds").iterdir()) == ["seed-003", "seed-004"]
    answer = qd_command("run", file, "--processes", "2")
    assert answer.status == 2
    assert "give --seeds too" in answer.err
