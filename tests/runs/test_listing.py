"""What a run file may name, as people read it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import qd
from qd.runs.listing import ListedModule, in_words
from qd.testing.toys import copy_toy
from search_spaces import Choice, Integer, Real, Repeat, Struct, Variant


def test_genes_in_words() -> None:
    part = Struct(hidden=Integer(8, 128, log=True), share=Real(0, 0.5))
    assert in_words(part) == "(hidden: 8 to 128, log; share: 0 to 0.5)"
    assert in_words(Repeat(Variant(dense=part, none=Struct()), 1, 6)) == f"1 to 6 × dense {in_words(part)} or none"
    assert in_words(Repeat(Choice("relu", None), 2, 2)) == "2 × (relu | None)"
    assert in_words(Variant(**{name: part for name in "abcde"})) == "one of a, b, c, d, e"


def test_a_docstring_says_what_it_is_and_what_it_cites() -> None:
    text = """Attends as Smith et al. do (RoFormer, Su et al., arXiv 2104.09864), and (not cited) well.

    After arXiv 2306.04640 ("A model", 2003). Deviations: none.
    """
    one = ListedModule(("tokens",), {}, {}, True, text, True)
    assert one.about == "Attends as Smith et al. do, and (not cited) well"
    assert one.papers == ["RoFormer, Su et al., arXiv 2104.09864", '"A model", 2003', "arXiv 2306.04640"]


def test_every_module_of_the_shelf_is_listed() -> None:
    from search_spaces.shelf.kinds import modules_of

    listed = qd.modules()
    for port in ("vector", "tokens", "image"):
        for module in modules_of(port):
            assert port in listed[module.name].ports
            assert set(listed[module.name].genes) == set(module.genes.fields)
    for name, one in listed.items():
        assert one.about and len(one.about) < 250, f"{name}: the first sentence of its docstring says what it is"


def test_modules_of_installed_packages_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qd_command) -> None:
    copy_toy("modules", tmp_path, "installed_modules")
    (tmp_path / "gates-1.0.dist-info").mkdir()
    (tmp_path / "gates-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: gates\nVersion: 1.0\n")
    points = "[qd.modules]\ngated = installed_modules:Gated\n"
    (tmp_path / "gates-1.0.dist-info/entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    assert not qd.modules()["gated"].own
    lines = qd_command("modules").out.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("gated "))
    assert "A gated linear unit with a bottleneck" in lines[place] and "bottleneck: 2 to 16, log" in lines[place]
    assert "arXiv 1612.08083" in lines[place + 1] and "gate: sigmoid | tanh" in lines[place + 1]
    assert "of an installed package" in lines[place + 2]
    sys.modules.pop("installed_modules")
