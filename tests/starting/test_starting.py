"""`qd init` writes a run file that runs, for every kind of data that a person may bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import qd
from qd.errors import UsageError
from qd.inspecting.epoch import Epoch
from qd.starting.guess import guess
from qd.starting.plan import plan
from qd.training import TrainingOptions

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def few_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer random networks than people have."""
    monkeypatch.setattr("qd.inspecting.epoch.TOGETHER", 2)
    monkeypatch.setattr("qd.inspecting.epoch.LEAST_STEPS", 2)
    monkeypatch.setattr("qd.starting.ranges.DRAWN", 6)


def table(folder: Path) -> list[str]:
    """A table with a category, a missing number, and a price."""
    lines = ["area,street,price"]
    for area in RNG.uniform(50, 150, 90).round(1).tolist():
        lines.append(f"{area if area > 60 else ''},{'north' if area % 2 > 1 else 'south'},{area * 1000 + 0.5}")
    (folder / "homes.csv").write_text("\n".join(lines) + "\n")
    return ["--data", "homes.csv", "--target", "price", "--goal", "speed"]


def classes_of_table(folder: Path) -> list[str]:
    table(folder)
    return ["--data", "homes.csv", "--target", "street", "--goal", "specialisation"]


def images(folder: Path) -> list[str]:
    """Folders of dark and bright pictures."""
    from PIL import Image

    for name, least in (("dark", 0), ("bright", 100)):
        (folder / "pictures" / name).mkdir(parents=True)
        for index in range(30):
            pixels = RNG.integers(least, least + 150, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{index}.png")
    return ["--data", "pictures"]


def arrays(folder: Path) -> list[str]:
    """Vectors in one file."""
    x = RNG.normal(size=(90, 5))
    np.savez(folder / "mine.npz", x=x, y=(x[:, 0] > 0).astype(int))
    return ["--data", "mine.npz", "--minutes", "0.5", "--out", "other.yaml", "--set", "split.test=0.3"]


def series(folder: Path) -> list[str]:
    """Slow and fast waves, as the archives of UCR have them."""
    lines = ["@univariate true", "@equalLength true", "@classLabel true slow fast", "@data"]
    for index in range(60):
        wave = np.sin(np.arange(16) * (1 + index % 2) / 2) + RNG.normal(0, 0.1, 16)
        lines.append(",".join(f"{value:.3f}" for value in wave) + f":{('slow', 'fast')[index % 2]}")
    (folder / "waves.ts").write_text("\n".join(lines) + "\n")
    return ["--data", "waves.ts", "--goal", "specialisation"]


def text(folder: Path) -> list[str]:
    (folder / "play.txt").write_text("To be, or not to be: that is the question. " * 60)
    return ["--data", "play.txt", "--set", "steps=8"]


def by_name(folder: Path) -> list[str]:
    return ["--data", "digits", "--set", "split.train=200"]


@pytest.mark.parametrize(
    "lay_out", [table, classes_of_table, images, arrays, series, text, by_name], ids=lambda one: one.__name__
)
def test_what_it_writes_runs(
    lay_out: Callable[[Path], list[str]], tmp_path: Path, qd_command: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = lay_out(tmp_path)
    answer = qd_command("init", *words)
    assert answer.status == 0, answer.err
    [file] = tmp_path.glob("*.yaml")
    assert f"next: qd run {file.name}" in answer.err
    written_text = file.read_text()
    assert all(len(line) <= 160 for line in written_text.splitlines())
    written = yaml.safe_load(written_text)
    assert written["budget"]["seconds"] == (30 if "--minutes" in words else 300)
    run = qd.run(file, budget={"evaluations": 6, "seconds": 60}, search={"chunk": 6}, archive={"outside": "drop"})
    assert len(run.elites()) >= 1, "ranges hold random networks"
    again = qd_command("init", *words)
    assert again.status == 2
    assert "nothing is overwritten" in again.err
    assert file.read_text() == written_text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--data: where are they?"),
        (["--data", "digts"], "no data set of that name; did you mean 'digits'?"),
        (["--data", "homes.csv", "--target", "prize"], "did you mean 'price'?"),
        (["--data", "homes.csv"], "data.target: this key is missing"),
        (["--data", "homes.csv", "--target", "price", "--goal", "specialisation"], "--goal: experts specialise"),
        (["--data", "digits", "--goal", "beauty"], "--goal: expected size, speed, specialisation, got 'beauty'"),
        (["--data", "digits", "--minutes", "0"], "--minutes: expected more than 0"),
        (["--data", "digits", "--space", "moe"], "space.kind: unknown SearchSpace 'moe'"),
        (["--data", "digits", "--out", "nowhere/run.yaml"], "there is no folder nowhere"),
        (["--data", "notes.doc"], "expected a file that ends in .csv"),
        (["--data", "empty"], "there are none in it"),
        (["--data", "homes.csv", "--target", "price", "--space", "conv_blocks"], "convolutions"),
    ],
)
def test_bad_input_is_refused_and_nothing_created(
    words: list[str], says: str, tmp_path: Path, qd_command: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path)
    (tmp_path / "notes.doc").write_text("")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    answer = qd_command("init", *words)
    assert answer.status == 2
    assert says in answer.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_person_is_asked_on_a_terminal(tmp_path: Path, monkeypatch: Any, qd_command: Callable[..., Any]) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(tmp_path)
    table(tmp_path)
    monkeypatch.setattr("sys.stdin", Terminal("homes.csv\nprice\nspeed\n2\n"))
    answer = qd_command("init")
    assert answer.status == 0, answer.err
    written = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert written["evaluator"]["data"] == {"kind": "table", "path": "homes.csv", "target": "price"}
    assert [one["metric"] for one in written["archive"]["measures"]] == ["macs", "latency"]
    assert written["budget"] == {"seconds": 120}


def test_places_elsewhere_are_absolute(tmp_path: Path, monkeypatch: Any) -> None:
    table(tmp_path)
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path / "runs")
    qd.init("../homes.csv", target="price", out="outside.yaml")
    assert yaml.safe_load(Path("outside.yaml").read_text())["evaluator"]["data"]["path"] == str(tmp_path / "homes.csv")


def test_the_kind_is_told_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "cats/tabby").mkdir(parents=True)
    (tmp_path / "cats/tabby/1.PNG").write_text("")
    (tmp_path / "a.npz").write_text("")
    assert guess(str(tmp_path / "cats"))["kind"] == "image_folder"
    assert guess(str(tmp_path / "a.npz"))["kind"] == "arrays"
    assert guess(str(tmp_path / "a.npz"), "mine:Data")["kind"] == "mine:Data"
    assert guess("digits") == {"kind": "digits"}
    with pytest.raises(UsageError, match="there is no such file or folder"):
        guess(str(tmp_path / "b.npz"))


@pytest.mark.parametrize("examples", [60, 1_000, 60_000, 2_000_000])
@pytest.mark.parametrize("step", [0.0005, 0.05])
def test_training_fits_the_time_there_is(examples: int, step: float) -> None:
    options = TrainingOptions()
    steps = max(1, examples // options.batch_size)
    found = plan(examples, Epoch(step * steps, step * steps, 1, 1000, {}), options, 300)
    assert 2 <= found.epochs <= 40
    assert found.train is None or 1000 <= found.train < examples
    used = found.epochs * max(1, (found.train or examples) // found.batch_size)
    assert used * step * found.candidates <= 300 * 1.01 or found.candidates == 1
    assert 6 <= found.bins <= 20
    if step == 0.0005:
        assert found.candidates >= 200
