"""A search on two hosts, the link between them cut in mid-run and fixed.

The hosts are processes with network, mounts, process ids and host name of their own (Linux namespaces), joined by a
pair of virtual network devices. Ray is started on each as docs/cluster.md says. A host ends with its first process,
and all that ran on it, its devices included, ends with the host.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import qd
from qd.candidates import Status

ROOT = Path(__file__).resolve().parents[2]
TOKEN = secrets.token_hex(32)
PATIENCE = 240.0
"""Seconds until the test gives up waiting for something; on an idle machine nothing takes a quarter of it."""


class Host:
    """A host of one's own, with a folder for Ray and for output.

    Args:
        name: the host's.
        address: its IPv4 address on the link.
        folder: new.
    """

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name, self.address, self.folder = name, address, folder
        (folder / "tmp").mkdir(parents=True)
        Path("/tmp/ray").mkdir(exist_ok=True)
        first = (
            f"hostname {name} && mount --bind {folder}/tmp /tmp/ray && mount -t tmpfs tmpfs /dev/shm"
            " && ip link set lo up && echo up && exec sleep infinity"
        )
        spaces = ("--net", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child")
        self._process = subprocess.Popen(
            ["unshare", *spaces, "sh", "-c", first], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout and self._process.stderr
        if self._process.stdout.readline() != "up\n":
            self._process.kill()
            pytest.skip(f"no namespaces can be made here: {self._process.stderr.read().strip()}")
        self._started: list[subprocess.Popen[str]] = []
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self.first = children.read_text().split()[0]

    def start(self, name: str, *words: object) -> subprocess.Popen[str]:
        """Start a command on this host; what it prints goes to a file of that name."""
        inside = ("nsenter", "--target", self.first, "--net", "--mount", "--uts", "--pid", "--")
        environment = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        with (self.folder / name).open("a") as out:
            command = [*inside, *map(str, words)]
            self._started.append(
                subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True)
            )
        return self._started[-1]

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        """Ctrl-C for a command that `start` started: it is the child of nsenter."""
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        os.kill(int(child), signal.SIGINT)

    def run(self, *words: object) -> None:
        """Run a command to its end."""
        assert self.start("commands", *words).wait() == 0, self.said("commands")

    def said(self, name: str) -> str:
        return (self.folder / name).read_text()

    def ray(self, *words: str) -> None:
        """`ray start WORDS`, again and again where it ends; returns when it is up."""
        options = (f"--node-ip-address={self.address}", "--num-cpus=1", "--disable-usage-stats", "--block")
        start = f"until {sys.executable} -m ray.scripts.scripts start {' '.join(words + options)}; do sleep 1; done"
        process = self.start("ray", "sh", "-c", start)
        wait_for(lambda: "Ray runtime started" in self.said("ray"), process, lambda: self.said("ray"))

    def qd(self, *words: object) -> subprocess.Popen[str]:
        return self.start("qd", sys.executable, "-c", "from qd.cli import main; main()", *words)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
        for process in self._started:
            process.wait()


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str], said: Callable[[], str]) -> None:
    """Wait until something holds, which must be before the process ends."""
    until = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, said()
        assert time.monotonic() < until, said()
        time.sleep(0.1)


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    """Two that reach each other and nothing else."""
    missing = [name for name in ("unshare", "nsenter", "ip", "mount", "hostname") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and the commands of util-linux, iproute2 and hostname; missing: {missing or 'root'}")
    with contextlib.ExitStack() as stack:
        made = []
        for number, name in enumerate(("head", "other"), start=1):
            made.append(Host(name, f"10.77.0.{number}", tmp_path_factory.mktemp("hosts") / name))
            stack.callback(made[-1].end)
        ends = [word for host in made for word in ("link0", "netns", host.first)]
        link = ["ip", "link", "add", *ends[:3], "type", "veth", "peer", "name", *ends[3:]]
        subprocess.run(link, check=True)
        for host in made:
            host.run("ip", "address", "add", f"{host.address}/24", "dev", "link0")
            host.run("ip", "link", "set", "link0", "up")
        yield made[0], made[1]


def rows(folder: Path, question: str, *values: object) -> list[tuple]:
    """What the log answers; nothing where there is no log yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{folder}/log.sqlite?mode=ro", uri=True)) as log:
            return log.execute(question, values).fetchall()
    except sqlite3.OperationalError:
        return []


def told(folder: Path, host: str) -> int:
    """Results from a host so far."""
    return sum(count for (count,) in rows(folder, "SELECT COUNT(*) FROM results WHERE _worker = ?", host))


def check_accounts(folder: Path) -> None:
    """All that was ever asked was told once, each under its own name, and nothing was given up."""
    asked = [id for (id,) in rows(folder, "SELECT id FROM evaluations ORDER BY id")]
    assert asked == list(range(1, len(asked) + 1))
    answers = rows(
        folder,
        "SELECT r._evaluation, r._status, r.width, r.height, c.genotype FROM results r"
        " JOIN evaluations e ON e.id = r._evaluation JOIN candidates c ON c.id = e.candidate ORDER BY r._evaluation",
    )
    assert [id for id, *_ in answers] == asked
    for _, status, width, height, genotype in answers:
        genes = json.loads(genotype)
        if genes["x"] == genes["y"]:
            assert (status, width, height) == (Status.INVALID, None, None)
        else:
            assert (status, width, height) == (Status.OK, genes["x"], genes["y"])


@pytest.mark.slow
@pytest.mark.cluster
def test_a_host_that_is_not_of_the_cluster_is_told_how_to_join(hosts):
    head, other = hosts
    address = f"{head.address}:6379"
    head.ray("--head", "--port=6379", "--include-dashboard=false")
    assert other.qd("doctor", "--address", address).wait(PATIENCE) == 1
    assert f"this machine is not a node of the cluster at {address} (its nodes: {head.address})" in other.said("qd")
    assert f"ray start --address={address} --num-cpus=0" in other.said("qd")
    other.run("ip", "link", "set", "link0", "down")
    assert other.qd("doctor", "--address", address).wait(PATIENCE) == 1
    assert f"{address} cannot be reached (" in other.said("qd")


@pytest.mark.slow
@pytest.mark.cluster
def test_a_link_that_is_cut_and_mended_loses_and_doubles_nothing(hosts, workbench):
    head, other = hosts
    head.ray("--head", "--port=6379", "--include-dashboard=false")
    other.ray(f"--address={head.address}:6379")
    file = workbench.write(
        evaluator={"milliseconds": 200},
        search={"order": "arrival", "chunk": 2},
        executor={"kind": "ray", "address": "auto"},
        budget={"evaluations": 100_000},
    )
    folder = workbench.folder / "run"
    search = head.qd("run", file, "--out", folder)

    def wait(what: Callable[[], bool]) -> None:
        wait_for(what, search, lambda: head.said("qd"))

    wait(lambda: told(folder, "head") > 10 and told(folder, "other") > 10)

    other.run("ip", "link", "set", "link0", "down")
    wait(lambda: "other is silent" in head.said("qd"))
    alone, before = told(folder, "head"), told(folder, "other")
    wait(lambda: told(folder, "head") > alone + 10)
    assert told(folder, "other") == before

    other.run("ip", "link", "set", "link0", "up")
    wait(lambda: told(folder, "other") > before + 10)

    head.interrupt(search)
    assert search.wait(PATIENCE) == 130, head.said("qd")
    assert rows(folder, "SELECT MAX(_attempt) FROM results")[0][0] > 1
    count = qd.open_run(folder).count

    search = head.qd("resume", folder, f"budget.evaluations={count + 40}")
    assert search.wait(PATIENCE) == 0, head.said("qd")
    check_accounts(folder)
    assert qd.open_run(folder).count == count + 40
