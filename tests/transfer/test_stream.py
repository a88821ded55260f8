import json
import shutil
from pathlib import Path

import pytest
import yaml

import qd
from qd.errors import UsageError
from qd.transfer.library import build_library, open_library
from qd.transfer.stream import stream

TASKS = [{"data": "digits"}, {"data": "digits", "inverted": True}, {"data": "digits", "classes": [1, 2], "pair": "xor"}]


@pytest.fixture
def file(tmp_path) -> Path:
    """A stream of three small tasks."""
    data = {
        "space": {"kind": "module_library", "channels": [4], "hidden": [8, 16]},
        "evaluator": {
            "kind": "task_stream",
            "tasks": TASKS,
            "train_examples": 60,
            "validation_examples": 40,
            "test_examples": 100,
            "training": {"epochs": 1, "batch_size": 50, "learning_rate": 0.003},
        },
        "archive": {
            "objective": "val_accuracy",
            "measures": [
                {"metric": "trained_parameters", "low": 1, "high": 100000, "bins": 4, "scale": "log"},
                {"metric": "reuse", "low": 0, "high": 1, "bins": 2},
            ],
            "outside": "clip",
        },
        "emitters": [{"kind": "map_elites", "initial": 4}],
        "search": {"order": "id", "chunk": 2, "window": 2},
        "budget": {"evaluations": 2},
    }
    path = tmp_path / "stream.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.slow
def test_a_library_grows_from_task_to_task(file, tmp_path, digests):
    out = tmp_path / "out"
    result = stream(file, out)
    assert result is not None
    names = ["digits", "digits_inverted", "digits_12_pair_xor"]
    assert [one.task for one in result.tasks] == names
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"{index:02d}-{name}" for index, name in enumerate(names, 1)), "alone", "library", "stream.json",
    ]  # fmt: skip
    sizes = [one.library for one in result.tasks]
    assert sizes[0] == 4 and sizes == sorted(sizes) and sizes[-1] == len(open_library(out / "library"))
    assert [one.evaluations for one in result.tasks] == [2, 2, 2]
    assert result.tasks[0].alone is None  # its own search had no library
    assert {path.name for path in (out / "alone").iterdir()} == {f"02-{names[1]}", f"03-{names[2]}"}
    metrics = result.metrics
    gains = [one.accuracy - one.alone for one in result.tasks[1:] if one.alone is not None]
    assert metrics["forward_transfer"] == pytest.approx(sum(gains) / 2)
    assert metrics["forgetting"] == 0  # modules never change
    assert metrics["mean_accuracy"] == pytest.approx(sum(result.final) / 3)
    assert metrics["evaluations_per_task"] == 2
    libraries = [qd.open_run(out / one.folder).config.space.arguments.get("library") for one in result.tasks]
    assert libraries == [None, str(out / "library"), str(out / "library")]
    # What is finished is left alone.
    before = digests(out)
    again = stream(file, out)
    assert again == result and digests(out) == before


@pytest.mark.slow
def test_goes_on_where_it_was_interrupted(file, tmp_path):
    """After the first task's modules were written and before that was noted: the end is that of an undisturbed one."""
    whole, broken = stream(file, tmp_path / "whole", alone=False), tmp_path / "broken"
    assert whole is not None
    shutil.copytree(tmp_path / "whole" / "01-digits", broken / "01-digits")
    build_library([broken / "01-digits"], broken / "library")
    resumed = stream(file, broken, alone=False)
    assert resumed is not None
    assert [one.accuracy for one in resumed.tasks] == [one.accuracy for one in whole.tasks]
    names = [{one.digest for one in open_library(folder / "library")} for folder in (tmp_path / "whole", broken)]
    assert names[0] == names[1]


def test_a_given_library_is_copied(file, tmp_path, library, digests):
    before = digests(library.folder)
    result = stream(file, tmp_path / "out", alone=False, overrides=[f"space.library={library.folder}"])
    assert result is not None and result.tasks[0].library > len(library)
    assert digests(library.folder) == before
    assert set(library.records) < set(open_library(tmp_path / "out" / "library").records)


class TestBadInput:
    def refused(self, file, out, message, *overrides):
        with pytest.raises(UsageError, match=message):
            stream(file, out, overrides=overrides)

    def test_run_files_that_are_no_streams(self, file, tmp_path):
        out = tmp_path / "out"
        self.refused(file, out, "a stream needs the space module_library and the evaluator task_stream", "space.kind=x")
        self.refused(file, out, "a stream has two tasks or more, got 1", "evaluator.tasks=[{data: digits}]")
        self.refused(file, out, r"evaluator\.tasks\[0\]: noise: expected", "evaluator.tasks[0].noise=3")
        self.refused(file, out, "there is no such library", "space.library=nowhere")
        assert not out.exists()

    def test_folders_of_something_else(self, file, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").touch()
        self.refused(file, tmp_path / "out", "exists and is no stream of these tasks; choose another `out`")

    def test_a_damaged_summary(self, file, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "stream.json").write_text("[")
        self.refused(file, tmp_path / "out", "stream.json: expected what a stream wrote, but it is damaged")


def test_command(file, tmp_path, qd_command):
    two = json.dumps(TASKS[:2])
    answer = qd_command("stream", file, f"evaluator.tasks={two}", "--out", tmp_path / "out", "--no-alone", "--json")
    assert answer.status == 0
    assert json.loads(answer.out) == json.loads((tmp_path / "out" / "stream.json").read_text())
    shown = qd_command("stream", file, f"evaluator.tasks={two}", "--out", tmp_path / "out", "--no-alone")
    assert "digits_inverted" in shown.out and "forgetting: 0" in shown.out
