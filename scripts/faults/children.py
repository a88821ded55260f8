"""Commands of qd, each in a process of its own that is forked from this one: nothing is imported again."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HEAVY = ("matplotlib.pyplot", "networkx", "onnx", "onnxruntime", "ray", "ribs.archives", "safetensors.torch",
         "sklearn.ensemble", "torch", "torch.export", "torch.onnx")  # fmt: skip
"""What commands import late; a child that must import it spends seconds on nothing else."""
ESCAPED = 70
"""Exit status of a child out of whose command something escaped."""


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    words: Sequence[str]
    status: int | None
    """Its exit status; negative: the signal that ended it; None: it was killed here."""
    hung: bool
    """It did not end within its time."""
    escaped: str
    """The traceback of what came out of the command, which it should have said as a message."""
    out: str
    err: str
    seconds: float

    @property
    def killed(self) -> bool:
        return self.status is None and not self.hung

    def __str__(self) -> str:
        how = "hung" if self.hung else "killed" if self.killed else f"status {self.status}"
        said = f"{_shortened(self.out)}{_shortened(self.err)}{_shortened(self.escaped)}"
        return f"$ qd {_shortened(' '.join(self.words))}\n{said}({how}, {self.seconds:.1f} s)"

    @property
    def cause(self) -> str:
        """The last line of what escaped, and where it was raised: the same for every case of one fault."""
        lines = self.escaped.strip().splitlines()
        places = [line.strip() for line in lines if line.startswith("  File ")]
        return f"{lines[-1][:120]} at {places[-1] if places else '?'}" if lines else f"status {self.status}"


def _shortened(text: str, most: int = 3000) -> str:
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}\n… {len(text) - most} characters …\n{text[-half:]}"


def preload() -> None:
    """Import everything, so that children need not."""
    import evaluators
    import qd
    import search_spaces

    for package in (qd, search_spaces, evaluators):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(("qd.testing", "qd.exporting.standalone")):
                with contextlib.suppress(ImportError):
                    importlib.import_module(module.name)
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def command(
    words: Sequence[str],
    folder: Path,
    *,
    kill_after: float | None = None,
    limit: float = 120.0,
    memory: int | None = None,
    before: Callable[[], object] = lambda: None,
    call: Callable[[], object] | None = None,
) -> Outcome:
    """Run `qd` with these words.

    Args:
        words: behind `qd`.
        folder: where it runs.
        kill_after: seconds until it is killed with SIGKILL, with all that it started; None: it may finish.
        limit: seconds after which it counts as hung.
        memory: bytes of data that it may hold; None: no bound.
        before: called in the child first.
        call: called instead of the command.
    """
    output = [folder / f".{name}" for name in ("out", "err", "escaped")]
    for path in output:
        path.write_bytes(b"")
    started = time.monotonic()
    process = os.fork()
    if not process:
        _child(words, folder, output, memory, before, call)
    if kill_after is None:
        status = _wait(process, started + limit)
    else:
        status = _wait(process, started + kill_after)
    hung = status is None and kill_after is None
    _kill_group(process)
    if status is None:
        os.waitpid(process, 0)
    out, err, escaped = (path.read_text(errors="replace") for path in output)
    return Outcome(words, status, hung, escaped, out, err, time.monotonic() - started)


def _wait(process: int, until: float) -> int | None:
    """The exit status, or the negative signal; None where the process goes on beyond `until`."""
    pause = 0.001
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        left = until - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, 0.02)


def _kill_group(process: int) -> None:
    """End a child and what it left running."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(process, signal.SIGKILL)


def _child(
    words: Sequence[str],
    folder: Path,
    output: Sequence[Path],
    memory: int | None,
    before: Callable[[], object],
    call: Callable[[], object] | None,
) -> None:
    status = ESCAPED
    try:
        os.setsid()
        os.chdir(folder)
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        for number, path in ((0, Path(os.devnull)), (1, output[0]), (2, output[1])):
            descriptor = os.open(path, os.O_RDWR if number == 0 else os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.argv = ["qd", *words]
        status = _called(before, call)
    except BaseException:
        output[2].write_text(traceback.format_exc())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _called(before: Callable[[], object], call: Callable[[], object] | None) -> int:
    from qd.cli import main
    from qd.errors import QdError

    try:
        before()
        if call is None:
            main()
        else:
            call()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except QdError as error:
        print(f"qd: {error}", file=sys.stderr)
        return error.exit_status
    return 0
