"""A cluster is joined or started, or refused with the remedy, and Ray stays off stdout."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qd.errors import UsageError
from qd.executors.ray.cluster import Node, connect, read_variables_again
from qd.executors.ray.options import ray_config
from qd.executors.ray.reach import reach

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef" * 4
RAY = (sys.executable, "-m", "ray.scripts.scripts")
QUIET = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def config(**keys: Any):
    return ray_config(keys, "run.yaml: executor")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(autouse=True)
def no_token(tmp_path: Path) -> Iterator[None]:
    """No token of the person who runs the tests is found, and Ray remembers none of ours."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
            environment.delenv(name, raising=False)
        environment.setenv("HOME", str(tmp_path))
        yield
    read_variables_again()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a cluster of one node with 2 cores and 2 logical GPUs, which wants a token."""
    port = free_port()
    words = ("start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--num-gpus=2", "--memory=4000000000")
    environment = os.environ | QUIET | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    log = tmp_path_factory.mktemp("ray") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*RAY, *words, "--include-dashboard=false"], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    while "Ray runtime started" not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.wait(60)


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)


@pytest.mark.slow
@pytest.mark.cluster
def test_with_the_right_token_it_is_joined_and_left(guarded, with_token):
    handler = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        cluster = connect(config(address=guarded, workers=2, gpus=0.5, memory="1GB"))
        assert signal.getsignal(signal.SIGTERM) is handler
        assert [node.resources["CPU"] for node in cluster.nodes()] == [2]
        assert cluster.resources()["GPU"] == 2
        assert cluster.address.endswith(guarded.rpartition(":")[2])
        cluster.close()
        cluster.close()
    reach(guarded)  # leaving does not end it: this raises where nobody answers


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, r"wants a token, and there is none here: export RAY_AUTH_MODE=token.*RAY_AUTH_TOKEN_PATH"),
        ({"RAY_AUTH_MODE": "token"}, "wants a token, and there is none here"),
        ({"RAY_AUTH_TOKEN": TOKEN}, "One was found here, but Ray does not send it.*export RAY_AUTH_MODE=token"),
        (
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong" * 8},
            r"refused the token that was found.*get-auth-token",
        ),
    ],
)
def test_without_the_right_token_it_is_refused(guarded, monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        connect(config(address=guarded))


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"workers": 3},
            r"asked for 3 workers of cpus: 1, and the cluster has room for 2 \(.*: 2 cores, 2 GPUs, 4.0 GB",
        ),
        ({"cpus": 2.5}, r"asked for a worker of cpus: 2.5, and no node of the cluster has room for one \(.*: 2 cores"),
        ({"gpus": 3}, r"asked for a worker of cpus: 1, gpus: 3, and no node"),
        ({"memory": "5GB"}, r"asked for a worker of cpus: 1, memory: 5.0 GB, and no node.* 4.0 GB\)"),
        ({"workers": 2, "memory": "3GB"}, r"2 workers of cpus: 1, memory: 3.0 GB, and the cluster has room for 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_there_is(guarded, with_token, keys, message):
    with pytest.raises(UsageError, match=message):
        connect(config(address=guarded, **keys))


@pytest.mark.slow
@pytest.mark.cluster
def test_a_cluster_of_other_versions_is_refused(guarded, with_token):
    """The cluster is made to say that it was started by another Ray, as one of another version says."""
    write = (
        "import sys; from ray._raylet import GcsClient; from ray._common.usage import usage_lib\n"
        "import json; client = GcsClient(address=sys.argv[1]); said = usage_lib.get_cluster_metadata(client)\n"
        "print(json.dumps(said)); said |= json.loads(sys.argv[2])\n"
        "client.internal_kv_put(b'CLUSTER_METADATA', json.dumps(said).encode(), True, namespace=b'cluster')"
    )
    words = [sys.executable, "-c", write, guarded]
    before = subprocess.run([*words, '{"ray_version": "2.1.0"}'], check=True, capture_output=True, text=True).stdout
    try:
        with pytest.raises(
            UsageError, match=r"runs Ray 2\.1\.0 on Python .* and this machine Ray .* Both must be equal"
        ):
            connect(config(address=guarded))
    finally:
        subprocess.run([*words, before], check=True, capture_output=True)


def test_where_nobody_listens_is_said_at_once():
    with pytest.raises(UsageError, match=r"cannot be reached \(.*refused\)\. Expected the HOST:PORT that `ray start"):
        connect(config(address=f"127.0.0.1:{free_port()}"))
    with pytest.raises(UsageError, match=r"nowhere\.invalid:6379 cannot be reached"):
        connect(config(address="nowhere.invalid:6379"))


@pytest.mark.slow
@pytest.mark.cluster
def test_a_stranger_at_the_port_is_told_from_a_cluster(monkeypatch):
    """Ray's own client waits 40 s for it; 20 s are given, of which the test needs but a few."""
    monkeypatch.setattr("qd.executors.ray.reach.SECONDS", 5.0)
    with socket.socket() as listener:
        listener.bind(("", 0))  # Ray turns 127.0.0.1 into the machine's address
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UsageError, match=rf"what listens at {address} did not answer as the head.* within 5 s"):
            connect(config(address=address))


LOCAL = """
import os, signal, sys, time
import ray
from ray.exceptions import WorkerCrashedError
from qd.executors.ray.cluster import connect
from qd.executors.ray.options import ray_config

def end(number, frame): print("ended by the person's handler"); sys.exit(7)
signal.signal(signal.SIGTERM, end)
before = dict(os.environ)
print("before")
cluster = connect(ray_config({"workers": 3, "cpus": 1.5}, "run.yaml: executor"))
assert cluster.resources()["CPU"] == 5, cluster.resources()

@ray.remote(max_retries=0)
def task(die):
    print("a worker's line", flush=True)
    os.write(1, b"another\\n")
    if die: os._exit(1)

@ray.remote(num_cpus=100)
def too_large(): pass

waiting = too_large.remote()
ray.get(task.remote(False))
try:
    ray.get(task.remote(True))
except WorkerCrashedError:
    print("crashed")
time.sleep(3)  # for Ray to tell of the worker's death
cluster.close()
cluster.close()
assert not ray.is_initialized()
assert {n: v for n, v in os.environ.items() if n.startswith("RAY_AUTH")} == {}
assert not os.path.exists(os.path.expanduser("~/.ray")), "Ray left a token in the home folder"
print("after")
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_a_local_cluster_leaves_no_trace_and_no_word_on_stdout(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(LOCAL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=120)
    assert answer.stdout.splitlines() == ["before", "crashed", "after", "ended by the person's handler"], answer.stderr
    assert answer.returncode == 7


@pytest.mark.parametrize(
    ("has", "keys", "room"),
    [
        ({"CPU": 4}, {}, 4),
        ({"CPU": 4}, {"cpus": 0.3}, 13),
        ({"CPU": 4}, {"gpus": 1}, 0),
        ({"CPU": 8, "GPU": 2}, {"gpus": 0.25}, 8),
        ({"CPU": 8, "GPU": 2}, {"gpus": 0.6}, 2),
        ({"CPU": 8, "GPU": 4}, {"gpus": 2}, 2),
        ({"CPU": 8, "memory": 10e9}, {"memory": "3GB"}, 3),
        ({"memory": 10e9}, {}, 0),
    ],
)
def test_room_is_counted_as_ray_counts(has, keys, room):
    assert Node("1", "10.0.0.1", has).room(config(**keys)) == room
