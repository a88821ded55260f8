import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import qd
from qd.archives import Axis, GridArchive, Objective
from qd.display import Displayed
from qd.errors import UsageError
from qd.reporting.notebook import html


def shown(thing: Displayed) -> str:
    """What a notebook shows."""
    page = thing._repr_html_()
    assert page is not None
    return page


def test_what_people_print_shows_itself(networks: Path) -> None:
    run = qd.open_run(networks)
    best = run.archive.best
    assert best is not None
    network = run.network(best.candidate)
    assert "<img" in shown(run)
    assert "sparse_moe" in shown(run)
    assert "data:image/png;base64," in shown(run.archive)
    assert str(best.candidate) in best._repr_html_()
    assert f"{network.metrics['val_accuracy']:.6g}" in shown(network)
    assert network.genotype.data == best.genotype
    assert str(network.genotype) == run.readable(best.candidate)
    assert network.genotype.readable in network.genotype._repr_html_()
    diagram, table, _ = shown(network).partition("<table>")
    assert table
    assert ElementTree.fromstring(diagram).tag.endswith("svg")
    assert network.lineage()[0].id == best.candidate


def test_a_network_that_is_not_there_is_told(networks: Path) -> None:
    with pytest.raises(UsageError, match="there is no candidate 99999"):
        qd.open_run(networks).network(99999)


def test_an_archive_of_many_measures_says_what_it_is() -> None:
    axes = [Axis(name, 0, 1, 2, "linear", "<b>") for name in ("a", "b", "c")]
    archive = GridArchive(Objective("score", "maximise", 0, 1, ""), axes)
    assert "GridArchive(a (2)" in shown(archive)


def test_of_what_nobody_knows_how_to_show_the_plain_text_is_left() -> None:
    class Strange(Displayed):
        pass

    assert Strange()._repr_html_() is None
    assert html(3) is None


def test_nothing_that_draws_is_imported_until_something_is_shown(finished: Path) -> None:
    look = (
        "import sys, qd\n"
        "run = qd.open_run(sys.argv[1])\n"
        "run.summary()\n"
        "assert 'matplotlib' not in sys.modules\n"
        "print(run._repr_html_()[:4])"
    )
    done = subprocess.run([sys.executable, "-c", look, str(finished)], capture_output=True, text=True, check=False)
    assert done.stdout == "<h4>\n", done.stderr
