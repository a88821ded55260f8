"""A driver killed before any operation on files: what it left is read, and goes on or begins again in place."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qd
from qd.errors import UsageError
from qd.store.folder import RunFolder

KILL = """
import ctypes, os, shutil, sys, traceback
from pathlib import Path
import qd
import qd.store.log

action, network, ends = sys.argv[1:]
if network == "network":
    qd.store.log.on_network = lambda path: "nfs"
killer = ctypes.CDLL(os.environ["LD_PRELOAD"])
operations, last = (ctypes.c_long.in_dll(killer, name) for name in ("operations", "last"))


def act(folder):
    if action == "run":
        qd.run("run.yaml", out=folder)
    else:
        qd.resume(folder, budget={"evaluations": 8})


def killed(at):
    # in a fork, which has imported all it needs
    folder = Path(f"killed-{at:03d}")
    child = os.fork()
    if not child:
        if action == "resume":
            shutil.copytree("half", folder)
        operations.value, last.value = 0, at
        status = 1
        try:
            act(folder)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), f"{folder}: status {status}"
    return status == 9


qd.run("run.yaml", out="half", budget={"evaluations": 4})
qd.resume("half", budget={"evaluations": 4})  # imports what only a resume needs
if action == "resume":
    shutil.copytree("half", "unkilled")
before = operations.value
act(Path("unkilled"))
most = operations.value - before
for at in [*range(1, int(ends) + 1), *range(most - int(ends) + 1, most + 1)]:
    assert killed(at), f"{at} of {most}"
    print(f"killed-{at:03d}")
"""


@pytest.fixture(scope="module")
def killer(tmp_path_factory) -> Path:
    """A library that ends the process that it is preloaded into before a given operation."""
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        pytest.skip("needs Linux, and a C compiler: apt-get install gcc")
    made = tmp_path_factory.mktemp("killer") / "killer.so"
    source = Path(__file__).with_name("killer.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


def killed_everywhere(killer: Path, folder: Path, *words: str) -> list[Path]:
    """A folder for each of the first and the last operations, killed before it."""
    environment = os.environ | {"LD_PRELOAD": str(killer), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KILL, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [folder / line for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("action", "keep", "filesystem", "ends"),
    [
        ("run", "all", "local", 12),
        pytest.param("run", "accepted", "network", 20, marks=pytest.mark.slow),
        pytest.param("resume", "all", "network", 20, marks=pytest.mark.slow),
        pytest.param("resume", "accepted", "local", 20, marks=pytest.mark.slow),
    ],
)
def test_a_kill_before_any_file_operation_loses_nothing(workbench, log_tables, killer, action, keep, filesystem, ends):
    file = workbench.write(log={"keep": keep}, budget={"evaluations": 8})
    folders = killed_everywhere(killer, workbench.folder, action, filesystem, str(ends))
    assert len(folders) == 2 * ends
    whole = workbench.folder / "unkilled"
    tables, files = log_tables(whole, resumed=True), names(whole)
    for folder in folders:
        if RunFolder(folder).log.exists():
            with contextlib.closing(qd.open_run(folder)) as looked:
                assert looked.count in (0, 4, 8)
            found = qd.resume(folder, budget={"evaluations": 8})
        else:
            assert action == "run"
            if RunFolder(folder).never_began:
                with pytest.raises(UsageError, match="was ended before it began; start it again"):
                    qd.resume(folder)
            found = qd.run(file, out=folder)
        found.close()
        assert log_tables(folder, resumed=True) == tables, folder
        assert names(folder) == files, folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}
