from pathlib import Path
from xml.etree import ElementTree

import pytest

import qd
from qd.archives import Axis, GridArchive, Objective
from qd.errors import UsageError


def test_what_people_print_shows_itself(networks: Path) -> None:
    run = qd.open_run(networks)
    best = run.archive.best
    assert best is not None
    network = run.network(best.candidate)
    assert "<img" in run._repr_html_()
    assert "sparse_moe" in run._repr_html_()
    assert "data:image/png;base64," in run.archive._repr_html_()
    assert str(best.candidate) in best._repr_html_()
    assert "<svg" in network._repr_html_()
    assert f"{network.metrics['val_accuracy']:.6g}" in network._repr_html_()
    assert network.genotype.data == best.genotype
    assert str(network.genotype) == run.readable(best.candidate)
    assert network.genotype.readable in network.genotype._repr_html_()
    ElementTree.fromstring(network.diagram())
    assert network.lineage()[0].id == best.candidate


def test_a_network_that_is_not_there_is_told(networks: Path) -> None:
    with pytest.raises(UsageError, match="there is no candidate 99999"):
        qd.open_run(networks).network(99999)


def test_an_archive_of_many_measures_says_what_it_is() -> None:
    axes = [Axis(name, 0, 1, 2, "linear", "<b>") for name in ("a", "b", "c")]
    archive = GridArchive(Objective("score", "maximise", 0, 1, ""), axes)
    assert "GridArchive(a (2)" in archive._repr_html_()
