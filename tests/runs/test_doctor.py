"""The doctor finds what is wrong, says what to do, and starts nothing that it was not asked to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluators.data import fashion_mnist
from qd.runs.cards import CardReport, driver_version

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with files of Fashion-MNIST, which nobody reads here; elsewhere there is none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "nowhere")
    folder = fashion_mnist.cache_folder()
    folder.mkdir(parents=True)
    for name in fashion_mnist.FILES:
        (folder / name).touch()
    return folder


def install(folder: Path, name: str, version: str, *requirements: str) -> None:
    """Leave what pip leaves of a package, without the package."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join(lines + [f"Requires-Dist: {line}" for line in requirements]) + "\n")


def test_where_all_is_well_the_status_is_0(qd_command: Callable[..., Any], data: Path) -> None:
    answer = qd_command("doctor")
    assert answer.status == 0, answer.out
    for word in ("versions", "torch", "cores", "memory", "GPUs", str(data), "a run", "--workers", "all is well"):
        assert word in answer.out


def test_help_shows_an_example(qd_command: Callable[..., Any]) -> None:
    answer = qd_command("doctor", "--help")
    assert answer.status == 0
    assert "Example: qd doctor --address auto" in " ".join(answer.out.split())


def test_json_has_the_promised_keys(qd_command: Callable[..., Any], data: Path) -> None:
    answer = qd_command("doctor", "--json")
    found = json.loads(answer.out)
    keys = ["well", "versions", "machine", "gpus", "chunk", "measured", "data", "cluster", "run", "problems"]
    assert list(found) == keys
    assert found["measured"] is None
    assert found["chunk"]["bytes_each"] > 9550 * 4 * 4  # parameters, gradients, two moments
    assert found["chunk"]["run_file"] is None
    assert found["well"] is True
    assert found["problems"] == []
    assert found["cluster"] is None
    assert found["data"]["fashion_mnist"] == str(data)
    assert 1 <= found["machine"]["usable_cores"] <= found["machine"]["cores"]
    assert 0 < found["machine"]["free_memory_gib"] <= found["machine"]["memory_gib"]
    assert found["run"]["executor"] == "inline"
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))


RUN_FILE = """
space: {kind: sparse_moe}
evaluator: {kind: supervised, data: {kind: digits, split: {train: 200}}, device: cpu, stack_megabytes: 4}
archive: {objective: val_accuracy, measures: [{metric: parameters, low: 0, high: 1e5}]}
budget: {seconds: 9}
"""


def test_a_run_file_says_how_many_of_its_candidates_go_together(qd_command: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RUN_FILE)
    chunk = json.loads(qd_command("doctor", file, "--json").out)["chunk"]
    assert (chunk["device"], chunk["run_file"]) == ("cpu", str(file))
    assert chunk["candidates"] == max(1, min(32, 4 * 2**20 // chunk["bytes_each"]))
    assert f"{chunk['candidates']} candidates together on cpu" in qd_command("doctor", file).out


def test_an_evaluator_may_say_nothing_of_chunks(qd_command: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "retina.yaml"
    file.write_text(
        "space: {kind: retina}\nevaluator: {kind: retina}\nbudget: {seconds: 9}\n"
        "archive: {objective: accuracy, measures: [{metric: connection_cost, low: 0, high: 300}]}\n"
    )
    assert "does not say how many candidates it takes at once" in qd_command("doctor", file).out


def test_a_run_file_that_does_not_fit_is_refused(qd_command: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RUN_FILE.replace("sparse_moe", "sparse_mo"))
    answer = qd_command("doctor", file)
    assert (answer.status, answer.out) == (2, "")
    assert "did you mean 'sparse_moe'" in answer.err


def test_a_measurement_is_shown(qd_command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from qd.training import rates

    whole = rates.measure_rates
    monkeypatch.setattr(rates, "measure_rates", lambda device: whole(device, seconds=0.1))  # not ten
    found = json.loads(qd_command("doctor", "--measure", "--json").out)["measured"]
    assert "cpu" in found
    assert found["cpu"]["float32_flops_per_second"] > 0
    text = qd_command("doctor", "--measure").out
    assert "GB/s (read and written); products in float32" in text and "launches a second" in text


def test_a_card_is_described_in_a_line() -> None:
    card = CardReport("cuda:0", "NVIDIA H200", 139.8, 139.1, "570.1", "12.8", "sm_90", True, True, "3.6.0")
    memory = "139.8 GiB, 139.1 of them free"
    rest = "driver 570.1, CUDA 12.8, sm_90, bfloat16, tf32, Triton 3.6.0"
    assert str(card) == f"cuda:0 NVIDIA H200, {memory}, {rest}"
    old = replace(card, driver=None, bfloat16=False, tf32=False, triton=None)
    assert str(old).endswith("driver unknown, CUDA 12.8, sm_90, no Triton")


def test_missing_data_is_told_with_the_ways_to_get_it(qd_command: Callable[..., Any], data: Path) -> None:
    (data / fashion_mnist.FILES[0]).unlink()
    answer = qd_command("doctor")
    assert answer.status == 1
    assert "no fashion_mnist" in answer.out
    assert "wrong with data: fashion_mnist:" in answer.out
    assert "python -m evaluators.data.fashion_mnist" in answer.out


def test_packages_that_are_too_old_or_missing_are_told(
    qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("numpy>=99", "no-such-package", "torch>=2", "unused>=3; extra == 'test'")
    install(tmp_path / "packages", "qdnas", "9.9", *wanted)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    found = json.loads((answer := qd_command("doctor", "--json")).out)
    assert answer.status == 1
    first, second = [problem["message"] for problem in found["problems"]]
    assert first.startswith("expected numpy>=99, found 2.")
    assert second.startswith("expected no-such-package, found none: scripts/setup")
    assert {problem["about"] for problem in found["problems"]} == {"versions"}


def test_installed_plugins_that_break_their_contract_are_told(
    qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plugins.py").write_text(
        "from evaluators import Evaluator\n\n\nclass Half(Evaluator):\n    metrics = {}\n\n\nclass Other:\n    pass\n"
    )
    install(tmp_path, "broken", "1.0")
    (tmp_path / "broken-1.0.dist-info/entry_points.txt").write_text(
        "[qd.evaluators]\nhalf = broken_plugins:Half\nother = broken_plugins:Other\n"
        "[qd.spaces]\ngone = broken_plugins:Gone\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_plugins", raising=False)
    answer = qd_command("doctor", "--json")
    problems = json.loads(answer.out)["problems"]
    assert answer.status == 1
    assert {problem["about"] for problem in problems} == {"plug-ins"}
    gone, half, other = [problem["message"] for problem in problems]
    assert "importing broken_plugins:Gone, which is installed as 'gone'" in gone
    assert half == "qd.evaluators: half (broken_plugins:Half) does not define evaluate, which every Evaluator has"
    assert "other is no Evaluator: derive it from" in other


def test_a_card_that_torch_cannot_use_is_told(
    qd_command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch can use the GPU of this machine")
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n[ $1 = -L ] && echo 'GPU 0: NVIDIA L4 (UUID: GPU-0a1b)' || printf '550.54.15\\n550.54.15\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    answer = qd_command("doctor")
    assert answer.status == 1
    assert driver_version() == "550.54.15"
    assert "wrong with gpus: this machine has NVIDIA L4, and torch" in answer.out
    assert "scripts/setup --gpu" in answer.out


def test_without_an_address_ray_is_not_even_imported() -> None:
    script = "import sys; from qd.runs.doctor import doctor; doctor(); print('ray' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


def test_a_cluster_that_does_not_answer_is_told(qd_command: Callable[..., Any]) -> None:
    answer = qd_command("doctor", "--address", f"127.0.0.1:{free_port()}")
    assert answer.status == 1
    assert "wrong with cluster: executor.address:" in answer.out
    assert "cannot be reached" in answer.out


def test_an_address_of_no_known_form_is_refused(qd_command: Callable[..., Any]) -> None:
    answer = qd_command("doctor", "--address", "ray://head")
    assert (answer.status, answer.out) == (2, "")
    assert "executor.address: expected local, auto or HOST:PORT, got 'ray://head'" in answer.err


@pytest.fixture
def uneven(tmp_path: Path) -> Iterator[str]:
    """HOST:PORT of a cluster: its head has no data and another networkx, its second node a package that is broken."""
    processes: list[subprocess.Popen[str]] = []

    def start(folder: str, *words: str) -> None:
        log = tmp_path / f"{folder}.log"
        environment = os.environ | {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "RAY_AUTH_MODE": "disabled",
            "XDG_CACHE_HOME": str(tmp_path / "empty"),
            "PYTHONPATH": f"{tmp_path / folder}:{ROOT}",
        }
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
        with log.open("w") as out:
            processes.append(
                subprocess.Popen(
                    command, env=environment, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT, text=True
                )
            )
        while "Ray runtime started" not in log.read_text():
            assert processes[-1].poll() is None, log.read_text()
            time.sleep(0.1)

    install(tmp_path / "head", "networkx", "1.0")
    (tmp_path / "broken" / "qd").mkdir(parents=True)
    (tmp_path / "broken" / "qd" / "__init__.py").write_text("raise ImportError('half of it is missing')")
    address = f"127.0.0.1:{free_port()}"
    try:
        start("head", "--head", "--port", address.partition(":")[2], "--num-cpus=2", "--include-dashboard=false")
        start("broken", "--address", address, "--num-cpus=3")
        yield address
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.skipif(fashion_mnist.DEBIAN_FOLDER.exists(), reason="every process finds the data in Debian's folder")
def test_nodes_that_differ_from_this_machine_are_told(
    qd_process: Callable[..., Any], uneven: str, tmp_path: Path
) -> None:
    process = qd_process("doctor", "--address", uneven, "--json", cwd=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    found = json.loads(out)
    messages = [problem["message"] for problem in found["problems"]]
    assert len(messages) == 3, messages
    assert any("has networkx 1.0 instead of" in message for message in messages)
    assert any("lacks data that this machine has: fashion_mnist" in message for message in messages)
    assert any("half of it is missing" in message and "to be installed there" in message for message in messages)
    assert sorted(report["node"]["resources"]["CPU"] for report in found["cluster"]["nodes"]) == [2, 3]
    assert (found["run"]["executor"], found["run"]["workers"]) == ("ray", 5)
