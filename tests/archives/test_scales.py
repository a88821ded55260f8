"""Cells at every scale: seconds, variances and rates are small, counts are large, and bins are bins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qd.archives import (
    Archive,
    Axis,
    CategoricalArchive,
    CVTArchive,
    GridArchive,
    Objective,
    Refinement,
    UnstructuredArchive,
    make_archive,
    widened,
)
from qd.config import ArchiveConfig
from qd.errors import UsageError
from qd.testing.toys.rings import Rings
from search_spaces import Metric

SCORE = Objective("score", "maximise", 0.0, 1.0, "")
ANY = st.floats(allow_nan=False, allow_infinity=False)


def place(archive: Archive, x: Any) -> list[int]:
    """The cells that values are inserted into, one after the other, each better than those before."""
    x = np.asarray(x, dtype=np.float64)
    ids = np.arange(len(x))
    told = archive.add(ids, ids, {"score": (ids + 1) / (len(ids) + 1), "x": x, "y": x}, [None] * len(x))
    assert [one.evaluation for one in told] == ids.tolist()
    assert archive.outside == 0
    return [one.cell for one in told]


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    scale = draw(st.sampled_from(["linear", "log"]))
    low, high = sorted(draw(st.tuples(ANY, ANY)))
    assume(low < high and (scale == "linear" or low > 0))
    axis = Axis("x", low, high, draw(st.integers(1, 40)), scale, "")
    assume(not axis.too_fine)
    return axis


@given(axes(), st.data())
def test_a_value_lies_between_the_edges_of_its_bin(axis: Axis, data: st.DataObject) -> None:
    value = data.draw(st.one_of(st.floats(axis.low, axis.high), st.sampled_from(axis.edges().tolist())))
    (cell,) = place(GridArchive(SCORE, [axis]), [value])
    low, high = axis.position(axis.edges()[cell : cell + 2])  # on a log scale numbers close by have one position
    position = axis.position(np.array([value]))[0]
    assert low <= position < high or (cell == axis.bins - 1 and position == high)


@given(axes(), st.integers(2, 5), st.data())
def test_finer_bins_lie_within_the_coarser_ones(axis: Axis, parts: int, data: st.DataObject) -> None:
    finer = Axis("x", axis.low, axis.high, axis.bins * parts, axis.scale, "")
    assume(not finer.too_fine)
    np.testing.assert_array_equal(finer.edges()[::parts], axis.edges())
    archive = GridArchive(SCORE, [axis], refine=[Refinement(evaluations=1, bins=[finer.bins])])
    (cell,) = place(archive, [data.draw(st.floats(axis.low, axis.high))])
    archive.refine([finer.bins])
    assert archive.occupied[0] // parts == cell


@pytest.mark.parametrize("exponent", [-1070, -40, 0, 40, 1000])
@pytest.mark.parametrize(
    "make",
    [
        lambda axes: GridArchive(SCORE, axes),
        lambda axes: CVTArchive(SCORE, axes, cells=12, samples=200),
        lambda axes: UnstructuredArchive(SCORE, axes, novelty=0.2),
        lambda axes: Rings(SCORE, axes),
    ],
    ids=["grid", "cvt", "unstructured", "plug-in"],
)
def test_cells_do_not_depend_on_the_unit(make: Callable[[list[Axis]], Archive], exponent: int) -> None:
    """Of one axis, the other stays what it is: distances weigh both alike."""
    values = np.arange(0, 9) / 8 if exponent < -1000 else np.linspace(0, 1, 50)

    def cells(unit: int) -> list[int]:
        high = math.ldexp(8, unit) if exponent < -1000 else math.ldexp(1, unit)
        x = np.ldexp(8 * values if exponent < -1000 else values, unit)
        archive = make([Axis("x", 0.0, high, 8, "linear", ""), Axis("y", 0.0, 1.0, 4, "linear", "")])
        ids = np.arange(len(x))
        told = archive.add(ids, ids, {"score": (ids + 1) / 100, "x": x, "y": values}, [None] * len(x))
        copy = getattr(archive, "pyribs", None) if not isinstance(archive, Rings) else None
        assert copy is None or copy.stats.num_elites == len(archive)
        return [one.cell for one in told]

    assert cells(exponent) == cells(0)


@pytest.mark.parametrize("high", [1e-5, 1e-6, 1e-9, 1e-300, 1.0, 1e9, 1e300])
def test_bins_are_as_wide_as_they_are_drawn(high: float) -> None:
    axis = Axis("x", 0.0, high, 20, "linear", "")
    assert place(GridArchive(SCORE, [axis]), (np.arange(200) + 0.5) / 200 * high) == (np.arange(200) // 10).tolist()


def test_the_whole_line_is_an_axis() -> None:
    x = [-1e308, -6e307, -1.0, 0.0, 1.0, 1e308]
    for archive, expected in (
        (GridArchive(SCORE, [Axis("x", -1e308, 1e308, 4, "linear", "")]), [0, 0, 1, 2, 2, 3]),
        (
            CVTArchive.around(SCORE, [Axis("x", -1e308, 1e308, 4, "linear", "")], np.array([[0.1], [0.5], [0.9]])),
            [0, 0, 1, 1, 1, 2],
        ),
    ):
        assert place(archive, x) == expected


def test_edges_are_the_numbers_that_a_person_would_write() -> None:
    assert Axis("x", 0.0, 0.3, 3, "linear", "").edges().tolist() == [0, 0.1, 0.2, 0.3]
    assert Axis("x", 0.0, 1.0, 10, "linear", "").edges().tolist() == [k / 10 for k in range(11)]
    assert Axis("x", 1e-4, 1.0, 4, "log", "").edges().tolist() == [1e-4, 1e-3, 1e-2, 0.1, 1]
    assert place(GridArchive(SCORE, [Axis("x", 0.1, 0.7, 6, "linear", "")]), [0.1, 0.2, 0.3, 0.6, 0.7]) == [
        0,
        1,
        2,
        5,
        5,
    ]


def test_categories_differ_by_whatever_they_differ_by() -> None:
    categories = (1e-9, 2e-9, 1e300, 5e-324)
    axis = Axis("x", -0.5, 3.5, 4, "linear", "", categories)
    assert place(CategoricalArchive(SCORE, [axis]), categories) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (
            {"low": 1.0, "high": 1.0 + 4e-16, "bins": 20},
            r"fewer numbers from 1.0 to 1.0000000000000004 than the 20 bins",
        ),
        ({"low": 0.0, "high": 1e-285}, "low and high lie 1e-280 apart at least, got low=0 and high=1e-285"),
        ({"low": 1e300, "high": 1.0000000000000002e300, "bins": 1, "scale": "log"}, "low and high lie within"),
        ({"low": 1e200, "high": 1.0000000000000002e200, "bins": 1, "scale": "log"}, "fewer numbers from 1e"),
        ({"low": -1e308, "high": 1e308}, r"low and high lie within ±1e\+300, got low=-1e\+308 and high=1e\+308"),
    ],
)
def test_an_axis_that_cannot_work_is_refused(measure: dict[str, Any], message: str) -> None:
    with pytest.raises((UsageError, ValueError), match=message):
        config = ArchiveConfig.model_validate({"objective": "score", "measures": [{"metric": "x", **measure}]})
        make_archive(config, {"score": Metric("", 0, 1), "x": Metric()})


def test_an_objective_that_overflows_is_no_elite() -> None:
    archive = GridArchive(Objective("score", "maximise", -1e300, 1e300, ""), [Axis("x", 0.0, 1.0, 4, "linear", "")])
    score = np.array([1e308, -1e308, np.inf, 1e300, -1e300, 9e299])
    archive.add(range(6), range(6), {"score": score, "x": np.array([0.1, 0.1, 0.1, 0.3, 0.6, 0.3])}, [None] * 6)
    assert archive.elites.evaluations.tolist() == [3, 4]
    assert archive.qd_score == 2e300
    assert archive.normalised_qd_score == pytest.approx(0.25)


@given(ANY, ANY)
def test_a_range_to_draw_is_one(one: float, other: float) -> None:
    low, high = widened(min(one, other), max(one, other))
    assert -math.inf < low < high < math.inf
    assert math.isfinite(high - low)
    assert not Axis("x", low, high, 20, "linear", "").too_fine
