"""The map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from qd.archives import Axis, GridArchive, Objective
from qd.plots.heatmap import heatmap, save_heatmap
from qd.plots.style import COLOURS, EMPTY, axis_label, colours_of, new_figure, objective_label, short
from qd.testing.pictures import assert_looks_as

BASELINES = Path(__file__).with_name("baselines")

PARAMETERS = Axis("active_parameters", 1e3, 1e6, 6, "log", "parameters")
SPECIALISATION = Axis("specialisation", 0.0, 0.7, 4, "linear", "")


def archive(*axes: Axis, direction: str = "maximise", elites: int = 12) -> GridArchive:
    """Elites on a diagonal: the bin of elite i is i modulo the bins, its objective grows with i."""
    made = GridArchive(Objective("val_accuracy", direction, 0, 1, ""), axes)
    rows = np.arange(elites)
    metrics = {"val_accuracy": 0.1 + 0.05 * rows}
    for axis in axes:
        edges = axis.edges()
        metrics[axis.metric] = (edges[rows % axis.bins] + edges[rows % axis.bins + 1]) / 2
    made.add(rows.tolist(), rows.tolist(), metrics, [None] * elites)
    return made


def drawn(made: GridArchive, title: str = "") -> Figure:
    figure = new_figure(7.4, 5.6 if len(made.axes) == 2 else 3.2)
    heatmap(made, figure.add_subplot(), title)
    return figure


def mesh(figure: Figure) -> QuadMesh:
    return next(one for one in figure.axes[0].collections if isinstance(one, QuadMesh))


def drawn_values(figure: Figure) -> np.ma.MaskedArray:
    """Values of the cells as drawn, masked where there is none."""
    array = mesh(figure).get_array()
    assert array is not None
    return np.ma.masked_invalid(array)


def test_every_elite_lies_in_its_cell_and_the_rest_is_empty():
    made = archive(PARAMETERS, SPECIALISATION)
    values = drawn_values(drawn(made)).reshape(4, 6)
    expected = {(row % 6, row % 4): 0.1 + 0.05 * row for row in range(12)}
    assert len(expected) == 12
    for x in range(6):
        for y in range(4):
            if (x, y) in expected:
                assert values[y, x] == pytest.approx(expected[x, y])
            else:
                assert values[y, x] is np.ma.masked


def test_cells_lie_where_the_axes_say():
    corners = np.asarray(mesh(drawn(archive(PARAMETERS, SPECIALISATION))).get_coordinates())
    np.testing.assert_allclose(corners[0, :, 0], np.logspace(3, 6, 7))
    np.testing.assert_allclose(corners[:, 0, 1], np.linspace(0, 0.7, 5))


def test_axes_are_labelled_with_unit_and_range():
    axes, bar = drawn(archive(PARAMETERS, SPECIALISATION), "fashion").axes
    assert axes.get_xlabel() == "active parameters [parameters]"
    assert axes.get_ylabel() == "specialisation"
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_xlim() == pytest.approx((1e3, 1e6))
    assert axes.get_ylim() == pytest.approx((0, 0.7))
    assert bar.get_ylabel() == "val accuracy (more is better)"
    assert axes.get_title(loc="left") == "fashion\n12 of 24 cells filled (50%)"


def test_labels():
    assert axis_label(Axis("macs", 1, 2, 3, "log", "MAC/example")) == "macs [MAC/example]"
    assert objective_label(Objective("val_loss", "minimise", 0, 1, "nats")) == "val loss [nats] (less is better)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (999, "999"),
        (1000, "1k"),
        (20_000, "20k"),
        (1.5e6, "1.5M"),
        (3e9, "3G"),
        (-2e3, "-2k"),
    ],
)
def test_short_numbers(value, text):
    assert short(value) == text


def lightness(colour: tuple[float, float, float]) -> float:
    """Relative luminance (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_lightness_rises_with_the_value_and_empty_cells_are_no_colour_of_the_scale():
    colours = [to_rgb(colormaps[COLOURS](value)) for value in np.linspace(0, 1, 256)]
    assert (np.diff([lightness(colour) for colour in colours]) > 0).all()
    # grey, so it differs from every colour of the scale also for those who see fewer of them: they see grey as grey
    assert len(set(to_rgb(EMPTY))) == 1
    assert min(max(colour) - min(colour) for colour in colours) > 0.2
    assert min(np.abs(np.subtract(colour, to_rgb(EMPTY))).max() for colour in colours) > 0.3


def test_empty_cells_are_explained_where_there_are_any():
    legend = drawn(archive(PARAMETERS, SPECIALISATION)).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["no network found"]
    assert drawn(archive(PARAMETERS, SPECIALISATION)).axes[0].patch.get_hatch() == "////"
    full = archive(PARAMETERS)
    assert full.coverage == 1
    assert drawn(full).axes[0].get_legend() is None


def test_one_measure_is_a_strip():
    figure = drawn(archive(SPECIALISATION, elites=3))
    axes, bar = figure.axes
    assert axes.get_xlabel() == "specialisation"
    assert axes.get_yticks().tolist() == []
    values = drawn_values(figure).ravel()
    np.testing.assert_allclose(values.filled(-1), [0.1, 0.15, 0.2, -1])
    assert bar.get_ylabel() == "val accuracy\n(more is better)"


def test_a_minimised_objective_is_drawn_in_its_own_units():
    made = archive(SPECIALISATION, direction="minimise", elites=8)
    values = drawn_values(drawn(made)).ravel()
    np.testing.assert_allclose(values, [0.1, 0.15, 0.2, 0.25])  # the lower of the two in every cell


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_bright_is_good_whichever_way_is_better(direction):
    colours = colours_of(Objective("val_loss", direction, 0, 1, "nats"))
    best, worst = (1.0, 0.0) if direction == "maximise" else (0.0, 1.0)
    assert lightness(to_rgb(colours(best))) > lightness(to_rgb(colours(worst)))


def test_an_empty_archive_is_drawn_without_a_scale():
    figure = drawn(archive(PARAMETERS, SPECIALISATION, elites=0))
    assert len(figure.axes) == 1
    assert figure.axes[0].get_title(loc="left") == "0 of 24 cells filled (0%)"


@pytest.mark.parametrize(("name", "axes"), [("grid", (PARAMETERS, SPECIALISATION)), ("strip", (PARAMETERS,))])
def test_the_picture_looks_as_it_did(tmp_path, name, axes):
    figure = drawn(archive(*axes, elites=12 if len(axes) == 2 else 4), "fashion_moe-001")
    assert_looks_as(figure, BASELINES / f"heatmap_{name}", tmp_path)


def test_another_map_is_beyond_the_tolerance(tmp_path):
    figure = drawn(archive(PARAMETERS, SPECIALISATION, elites=9), "fashion_moe-001")
    title = figure.axes[0].get_title(loc="left").replace("9 of 24 cells filled (38%)", "12 of 24 cells filled (50%)")
    figure.axes[0].set_title(title, loc="left")
    with pytest.raises(AssertionError, match="heatmap_grid says something else"):
        assert_looks_as(figure, BASELINES / "heatmap_grid", tmp_path)


def test_pictures_appear_whole(tmp_path):
    for ending in ("png", "svg", "pdf"):
        save_heatmap(archive(PARAMETERS, SPECIALISATION), tmp_path / f"map.{ending}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.pdf", "map.png", "map.svg"]
