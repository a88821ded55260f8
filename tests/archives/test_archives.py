"""Archives: what enters, what is counted, and what the statistics say."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qd.archives import Axis, GridArchive, Insertion, Objective, make_archive, make_axis, make_objective
from qd.config import ArchiveConfig, AxisConfig, ObjectiveConfig
from qd.errors import UsageError
from search_spaces import Metric

SCORE = Objective("score", "maximise", 0.0, 1.0, "")
LOSS = Objective("loss", "minimise", 0.0, 2.0, "nat")
WIDTH = Axis("width", 0.0, 4.0, 4, "linear", "units")
COST = Axis("cost", 1.0, 1000.0, 3, "log", "MAC")


def archive(objective: Objective = SCORE, axes: tuple[Axis, ...] = (WIDTH,), outside: str = "drop") -> GridArchive:
    return GridArchive(objective, axes, outside)


def add(target: GridArchive, first: int = 1, **metrics: Any) -> list[Insertion]:
    """Add rows: evaluations count from `first`, candidates are ten times as much, genotypes say so."""
    columns = {name: np.array(values, dtype=float) for name, values in metrics.items()}
    evaluations = list(range(first, first + len(next(iter(columns.values())))))
    genotypes = [{"of": evaluation} for evaluation in evaluations]
    return target.add(evaluations, [10 * evaluation for evaluation in evaluations], columns, genotypes)


def facts(one: GridArchive) -> tuple:
    """All that an archive says, but for the last bits of its sums."""
    return dict(one.elites), list(one.occupied), one.outside, one.best, one.coverage


MEASURE = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 3.9, 4.0, 4.1, math.nan, math.inf, -math.inf])
ROW = st.tuples(
    st.sampled_from([0.0, 0.25, 0.25, 0.5, 1.0, math.nan, math.inf]),
    MEASURE,
    st.sampled_from([0.0, 0.5, 1.0, 9.0, 10.0, 99.0, 1000.0, 1001.0, -3.0, math.nan]),
)


@given(
    rows=st.lists(ROW, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    outside=st.sampled_from(["drop", "clip"]),
    direction=st.sampled_from(["maximise", "minimise"]),
)
def test_rows_cut_into_calls_in_any_way_give_the_same_archive(
    rows: list[tuple[float, float, float]], cuts: list[int], outside: str, direction: str
) -> None:
    def fold(edges: list[int]) -> tuple[GridArchive, list[Insertion]]:
        one = archive(Objective("score", direction, 0.0, 1.0, ""), (WIDTH, COST), outside)
        insertions: list[Insertion] = []
        for start, end in zip([0, *edges], [*edges, len(rows)], strict=True):
            score, width, cost = zip(*rows[start:end], strict=True) if start < end else ((), (), ())
            insertions += add(one, start + 1, score=score, width=width, cost=cost)
        return one, insertions

    by_one, expected = fold(list(range(1, len(rows))))
    cut, insertions = fold(sorted(min(edge, len(rows)) for edge in cuts))
    assert insertions == expected
    assert facts(cut) == facts(by_one)
    assert cut.qd_score == pytest.approx(by_one.qd_score)
    agrees_with_pyribs(cut)
    agrees_with_a_plain_map_elites(cut, rows, insertions)


def agrees_with_pyribs(one: GridArchive) -> None:
    data: Any = one.pyribs.data()
    assert dict(zip(data["index"].tolist(), data["solution"].tolist(), strict=True)) == {
        cell: elite.evaluation for cell, elite in one.elites.items()
    }
    stats = one.pyribs.stats
    assert stats.num_elites == len(one)
    assert stats.coverage == one.coverage
    if one.best is not None:
        assert stats.obj_max == one.objective.sign * one.best.objective


def agrees_with_a_plain_map_elites(one: GridArchive, rows: list[tuple], insertions: list[Insertion]) -> None:
    """MAP-Elites in ten lines."""
    best: dict[int, tuple[float, int]] = {}
    entered = []
    outside = 0
    for evaluation, (score, width, cost) in enumerate(rows, 1):
        inside = 0 <= width <= 4 and 1 <= cost <= 1000
        outside += not inside
        possible = not (math.isnan(width) or math.isnan(cost) or cost < 0) if one.clips else inside
        if not (possible and math.isfinite(score)):
            continue
        bins = (min(3, int(min(4, max(0, width)))), min(2, int(math.log10(min(1000, max(1, cost))) + 1e-9)))
        cell = bins[0] * 3 + bins[1]
        if cell not in best or score * one.objective.sign > best[cell][0] * one.objective.sign:
            entered.append(Insertion(evaluation, cell, best[cell][1] if cell in best else None))
            best[cell] = (score, evaluation)
    assert {cell: (elite.objective, elite.evaluation) for cell, elite in one.elites.items()} == best
    assert insertions == entered
    assert one.outside == outside
    low, high = one.objective.low, one.objective.high
    shares = [score - low if one.objective.sign > 0 else high - score for score, _ in best.values()]
    assert one.qd_score == pytest.approx(sum(shares))
    assert one.normalised_qd_score == pytest.approx(sum(shares) / (high - low) / 12)


def test_a_better_result_displaces_and_an_equal_one_does_not() -> None:
    one = archive()
    assert add(one, 1, score=[0.5], width=[0.5]) == [Insertion(1, 0, None)]
    assert add(one, 2, score=[0.5, 0.4], width=[0.6, 0.7]) == []
    assert add(one, 4, score=[0.6, 0.7, 0.7], width=[0.6, 0.7, 0.8]) == [Insertion(4, 0, 1), Insertion(5, 0, 4)]
    assert one.elites[0] == (5, 50, 0.7, {"of": 5})


@pytest.mark.parametrize(
    ("outside", "cells", "counted"),
    [("drop", {1: 1}, 5), ("clip", {0: 2, 1: 1, 3: 4}, 5)],
)
def test_what_lies_outside_is_counted_and_dropped_or_clipped(outside: str, cells: dict, counted: int) -> None:
    one = archive(outside=outside)
    add(one, score=[0.5] * 6, width=[1.5, -0.1, math.nan, 4.1, -math.inf, math.inf])
    assert {cell: elite.evaluation for cell, elite in one.elites.items()} == cells
    assert one.outside == counted


@pytest.mark.parametrize(("value", "cell"), [(0.0, 0), (0.99, 0), (1.0, 1), (3.0, 3), (4.0, 3)])
def test_a_bin_holds_its_lower_bound_and_the_last_one_both(value: float, cell: int) -> None:
    one = archive()
    assert add(one, score=[0.5], width=[value]) == [Insertion(1, cell, None)]


@pytest.mark.parametrize("high", [0.7, 1 / 3, 1e-9, 123456.789])
def test_the_upper_bound_is_inside_whatever_its_digits(high: float) -> None:
    one = archive(axes=(Axis("width", 0.0, high, 7, "linear", ""), Axis("cost", high, 9 * high, 5, "log", "")))
    assert add(one, score=[0.5, 0.5], width=[high, high], cost=[high, 9 * high]) == [
        Insertion(1, 30, None),
        Insertion(2, 34, None),
    ]
    assert one.outside == 0


@pytest.mark.parametrize(("value", "cell"), [(1, 0), (9.9, 0), (10, 1), (99, 1), (100, 2), (1000, 2)])
def test_a_logarithmic_axis_has_equal_bins_in_powers(value: float, cell: int) -> None:
    one = archive(axes=(COST,))
    assert add(one, score=[0.5], cost=[value]) == [Insertion(1, cell, None)]


@pytest.mark.parametrize("outside", ["drop", "clip"])
def test_what_has_no_logarithm_is_never_inserted(outside: str) -> None:
    one = archive(axes=(COST,), outside=outside)
    assert add(one, score=[0.5], cost=[-1.0]) == []
    assert one.outside == 1


def test_edges_are_in_the_metrics_unit() -> None:
    assert WIDTH.edges().tolist() == [0, 1, 2, 3, 4]
    assert COST.edges() == pytest.approx([1, 10, 100, 1000])


def test_a_minimised_objective_is_shown_in_its_own_units() -> None:
    one = archive(LOSS)
    assert add(one, loss=[1.5, 0.5, 0.7, 1.0], width=[0, 0, 0, 1]) == [
        Insertion(1, 0, None),
        Insertion(2, 0, 1),
        Insertion(4, 1, None),
    ]
    assert one.best is not None
    assert one.best.objective == 0.5
    assert one.qd_score == pytest.approx((2 - 0.5) + (2 - 1.0))
    assert one.normalised_qd_score == pytest.approx(2.5 / (2 * 4))


def test_statistics_by_hand() -> None:
    one = archive(Objective("score", "maximise", -1.0, 3.0, ""), (WIDTH, COST))
    assert (one.coverage, one.qd_score, one.normalised_qd_score, one.best, len(one)) == (0, 0, 0, None, 0)
    add(one, score=[0, 3, -1], width=[0, 1, 2], cost=[1, 10, 100])
    assert one.cells == 12
    assert len(one) == 3
    assert one.coverage == 3 / 12
    assert one.qd_score == pytest.approx(1 + 4 + 0)
    assert one.normalised_qd_score == pytest.approx(5 / (4 * 12))
    assert repr(one) == "GridArchive(width (4) × cost (3): 3 of 12 cells, best score 3)"


def test_of_equally_good_elites_the_earliest_is_the_best() -> None:
    one = archive()
    add(one, 5, score=[0.9], width=[3])
    add(one, 2, score=[0.9, 0.1], width=[0, 1])
    assert one.best is not None
    assert one.best.evaluation == 2


def test_cells_are_numbered_row_by_row() -> None:
    one = archive(axes=(WIDTH, COST))
    add(one, score=[0.5], width=[2.5], cost=[500])
    (cell,) = one.occupied
    assert cell == 2 * 3 + 2
    assert one.position(cell) == (2, 2)


def test_a_fold_gives_elites_their_genotypes_afterwards() -> None:
    one = archive()
    one.add([1, 2], [7, 9], {"score": np.array([0.5, 0.6]), "width": np.array([0.0, 3.0])}, [None, None])
    one.set_genotypes({7: "seven", 8: "eight", 9: "nine"})
    assert [elite.genotype for elite in one.elites.values()] == ["seven", "nine"]


# ------------------------------------------------------- from a run file

METRICS = {
    "score": Metric("points", 0, 10),
    "loss": Metric("nat", 0, math.inf, "minimise"),
    "cost": Metric("MAC", 0, math.inf, "minimise"),
}


def test_a_run_file_describes_an_archive() -> None:
    text = '{"objective": "score", "measures": [{"metric": "cost", "low": 1, "high": 100, "bins": 5, "scale": "log"}]}'
    one = make_archive(ArchiveConfig.model_validate({**json.loads(text), "outside": "clip"}), METRICS)
    assert one.objective == Objective("score", "maximise", 0, 10, "points")
    assert one.axes == (Axis("cost", 1, 100, 5, "log", "MAC"),)
    assert one.clips


@pytest.mark.parametrize(("low", "high", "expected"), [(None, 5.0, (0, 5)), (1.0, 5.0, (1, 5)), (-1.0, 2.5, (-1, 2.5))])
def test_a_run_file_may_narrow_the_range_of_the_objective(low: float | None, high: float, expected: tuple) -> None:
    objective = make_objective(ObjectiveConfig(metric="loss", low=low, high=high), METRICS, "archive.objective")
    assert (objective.low, objective.high) == expected
    assert (objective.sign, objective.worst) == (-1.0, -high)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ObjectiveConfig(metric="loss"),
            r"^here: the normalised QD score needs a finite range, and 'loss' has \[0, inf\]",
        ),
        (ObjectiveConfig(metric="scoer"), r"^here.metric: no metric 'scoer' is reported; did you mean 'score'\?"),
        (ObjectiveConfig(metric="loss", high=-1), r"^here: low must be below high, got low=0 and high=-1"),
    ],
)
def test_an_objective_that_cannot_be_normalised_is_refused(config: ObjectiveConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_objective(config, METRICS, "here")


def test_an_axis_on_a_metric_that_nobody_reports_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^here.metric: no metric 'depth' is reported; known: cost, loss, score$"):
        make_axis(AxisConfig(metric="depth", low=0, high=1), METRICS, "here")
