"""Whether a Ray cluster can be used from here; if not, why, and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...errors import UsageError

SECONDS = 20.0
"""A cluster that has not answered by then is one that cannot be reached."""

TOKEN = (
    "export RAY_AUTH_MODE=token, and the cluster's token as RAY_AUTH_TOKEN=… or, in a file, RAY_AUTH_TOKEN_PATH=FILE"
    " (`ray get-auth-token` prints it on the cluster's head)"
)


def reach(address: str) -> None:
    """Make sure that the cluster at the address can be joined; asks it in a process of its own, within 20 s.

    Args:
        address: `auto`, or HOST:PORT.

    Raises:
        UsageError: it cannot be used from here; the message says what to do.
    """
    probe = Path(__file__).with_name("probe.py")
    command = [sys.executable, "-P", str(probe), address]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise UsageError(_message({"problem": "silent", "address": address})) from None
    try:
        found: dict[str, Any] = json.loads(answer.stdout)
    except json.JSONDecodeError:  # Ray ended the process
        found = {"problem": "ray", "address": address, "reason": answer.stderr.strip()[-500:]}
    if found["problem"] != "none":
        raise UsageError(_message({"asked": address, **found}))


def _message(found: dict[str, Any]) -> str:
    address = found.get("address")
    match found["problem"]:
        case "not_found":
            return (
                "executor.address: auto: no Ray cluster runs on this machine. Start one (ray start --head), join one"
                " (ray start --address=HOST:PORT), or leave out executor.address to have one started for this run"
            )
        case "unreachable":
            stale = ", which the last `ray start` on this machine left," if found["asked"] == "auto" else ""
            return (
                f"executor.address: {address}{stale} cannot be reached ({found['reason']}). Expected the HOST:PORT that"
                " `ray start --head` printed, its port (6379 unless chosen) open to this machine; is the head running?"
            )
        case "silent" | "ray":
            reason = f" ({found['reason']})" if found.get("reason") else f" within {SECONDS:.0f} s"
            return (
                f"executor.address: what listens at {address} did not answer as the head of a Ray cluster{reason}."
                " Expected the HOST:PORT that `ray start --head` printed (not the dashboard's or the client's port)"
            )
        case "token_missing":
            return f"executor.address: the cluster at {address} wants a token, and there is none here: {TOKEN}"
        case "token_not_sent":
            return (
                f"executor.address: the cluster at {address} wants a token. One was found here, but Ray does not send"
                " it to an address that was named unless told to: export RAY_AUTH_MODE=token"
            )
        case "token_wrong":
            return f"executor.address: the cluster at {address} refused the token that was found here: {TOKEN}"
        case "version":
            there, here = found["cluster"], found["here"]
            return (
                f"executor.address: the cluster at {address} runs Ray {there['ray']} on Python {there['python']}, and"
                f" this machine Ray {here['ray']} on Python {here['python']}. Both must be equal: install the same here"
                " and on every node (the same checkout and scripts/setup do)"
            )
        case _:
            return (
                f"executor.address: this machine is not a node of the cluster at {address} (its nodes:"
                f" {', '.join(found['hosts']) or 'none'}). Run qd on one of them, or join first:"
                f" ray start --address={address} --num-cpus=0"
            )
