"""Architectures that were found before seed a new search."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

import qd
from qd.config import load
from qd.errors import UsageError
from qd.exporting.architecture import Architecture
from qd.transfer.seeding import import_into

WIDER = '''

class Wider(Space):
    """The same with genes that the others lack."""

    def __init__(self, side: int = 30):
        super().__init__(side)
        self.genes = Struct(**self.genes.fields, depth=Integer(2, 9), kind=Choice("plain", "residual"))
'''


@pytest.fixture
def before(workbench) -> qd.Run:
    return qd.run(workbench.write(), out="before")


def exported(run: qd.Run, folder, *ids: int) -> None:
    """Folders of exports, without the networks that a table does not have."""
    for id in ids:
        (folder / str(id)).mkdir(parents=True)
        architecture = Architecture.of(run, id)
        (folder / str(id) / "architecture.json").write_text(json.dumps(vars(architecture)))


def test_elites_of_a_run_are_proposed_first(workbench, before, qd_command):
    target = workbench.write("next.yaml")
    target.write_text("# a comment\n" + target.read_text())
    answer = qd_command("import", "before", "--into", "next.yaml")
    assert answer.status == 0
    assert f"{len(before.archive)} architectures added to next.yaml; next: qd run next.yaml" in answer.err
    assert target.read_text().startswith("# a comment\n")
    wanted = before.elites()["genotype"].tolist()
    assert load(target).imported == wanted
    run = qd.run(target, out="next")
    rows = run.query("SELECT genotype, operator, emitter, parents FROM candidates ORDER BY id LIMIT ?", [len(wanted)])
    assert [json.loads(row[0]) for row in rows] == wanted
    assert {row[1:] for row in rows} == {("import", "import", "[]")}
    assert run.count == 200
    assert run.query("SELECT COUNT(*) FROM candidates WHERE operator = 'import'") == [(len(wanted),)]


def test_a_search_stopped_among_them_goes_on(workbench, before, log_tables):
    target = workbench.write("next.yaml")
    import_into(target, ["before"])
    whole = qd.run(target, out="whole")

    def stop(search):
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        qd.run(target, out="parts", progress=stop)
    qd.resume("parts")
    assert log_tables(whole.folder.path, resumed=True) == log_tables(workbench.folder / "parts", resumed=True)


def test_exports_and_folders_of_exports_are_taken(workbench, before):
    first, second, third, *_ = before.elites()["id"].tolist()
    exported(before, workbench.folder / "one", first)
    exported(before, workbench.folder / "many", second, third)
    target = workbench.write("next.yaml")
    result = import_into(target, [f"one/{first}", "many"])
    found = before.genotypes([first, second, third])
    assert sorted(map(str, result.added)) == sorted(map(str, found.values()))
    again = import_into(target, ["many", "before"])
    assert again.known == 2 + 3
    assert len(load(target).imported) == len(before.archive)
    import_into(target, ["before"])
    assert len(load(target).imported) == len(before.archive)


def test_missing_genes_take_their_defaults_and_that_is_said(workbench, before, logged):
    workbench.plugin.write_text(workbench.plugin.read_text() + WIDER)
    target = workbench.write("next.yaml", space={"kind": f"{workbench.module}:Wider"})
    first = before.elites().iloc[0]
    exported(before, workbench.folder / "one", first["id"])
    result = import_into(target, [f"one/{first['id']}"])
    assert result.added == [first["genotype"] | {"depth": 2, "kind": "plain"}]
    assert f"one/{first['id']}: missing genes take their defaults: depth = 2, kind = 'plain'" in logged.messages
    assert (
        f"one/{first['id']}: of the space {workbench.module}:Space, taken into {workbench.module}:Wider"
        in logged.messages
    )
    assert qd.run(target, out="next").query("SELECT operator FROM candidates WHERE id = 1") == [("import",)]


def test_what_the_space_does_not_allow_is_refused_by_name(workbench, before, logged):
    target = workbench.write("next.yaml", space={"side": 10})
    result = import_into(target, ["before"])
    small = [one for one in before.elites()["genotype"] if one["x"] < 10 and one["y"] < 10]
    assert sorted(map(str, result.added)) == sorted(map(str, small))
    assert len(result.refused) == len(before.archive) - len(small) > 0
    assert any("expected an integer in [0, 9]" in line for line in logged.messages)
    target = workbench.write("tiny.yaml", space={"side": 1})
    text = target.read_text()
    with pytest.raises(UsageError, match="allows none of what was to be imported; the file is unchanged"):
        import_into(target, ["before"])
    assert target.read_text() == text


def test_other_keys_may_follow_and_comments_stay(workbench, before):
    target = workbench.write("next.yaml")
    import_into(target, ["before"])
    target.write_text(target.read_text() + "# the end\nexecutor: {kind: inline}\n")
    shutil.copytree("before", "copy")
    import_into(target, ["copy"])
    exported(before, workbench.folder / "one", 1)
    text = target.read_text()
    data = yaml.safe_load(text)
    assert data["executor"] == {"kind": "inline"}
    assert len(data["imported"]) >= len(before.archive)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imported": [{"x": 1}]}, r"imported\[0\]: entry 'y' is missing; qd import completes genotypes"),
        ({"imported": [{"x": 1, "y": 2, "colour": "green"}]}, r"imported\[0\]: colour: expected one of 'red', 'blue'"),
        ({"imported": [{"x": 1, "y": 2, "colour": "red"}], "log": "accepted"}, "imported: needs every candidate"),
    ],
)
def test_a_run_file_with_bad_imports_is_refused(workbench, changes, message):
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**changes), out="run")


def test_import_refuses(workbench, qd_command):
    workbench.write()
    (workbench.folder / "empty").mkdir()
    answer = qd_command("import", "empty", "--into", "run.yaml")
    assert answer.status == 2
    assert "empty: expected an export (architecture.json in it), a folder of exports, or a run's folder" in answer.err
    answer = qd_command("import", "empty", "--into", "nowhere.yaml")
    assert answer.status == 2
    assert "nowhere.yaml: no such file" in answer.err
