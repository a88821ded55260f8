"""Looks at a Ray cluster from a process of its own: `python probe.py ADDRESS` prints what it found as JSON.

Ray's client of the cluster's head (GCS) waits 40 s for an address that does not answer, and nothing in the same process
can end that wait; a process can be ended. It imports nothing of ours, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

CONNECT_SECONDS = 5.0


def look(address: str) -> dict[str, Any]:
    """What stands between this machine and the cluster.

    Args:
        address: `auto`, or HOST:PORT.

    Returns:
        `problem`: one of none, not_found, unreachable, token_missing, token_not_sent, token_wrong, version, not_a_node,
        ray; and what is known: `address`, `reason`, `cluster` and `here` (versions of Ray and Python), `hosts`.
    """
    from ray._private import services

    try:
        found = services.canonicalize_bootstrap_address(address)
    except ConnectionError:
        return {"problem": "not_found"}
    except OSError as error:  # the name cannot be resolved
        return {"problem": "unreachable", "address": address, "reason": str(error)}
    if found is None:  # RAY_ADDRESS=local
        return {"problem": "not_found"}
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return {"problem": "unreachable", "address": found, "reason": str(error)}
    implied = address == "auto" and not os.environ.get("RAY_ADDRESS")
    return {"address": found, **_look_at(found, implied)}


def _look_at(address: str, implied: bool) -> dict[str, Any]:
    from ray._common.usage import usage_lib
    from ray._private import services, utils
    from ray._private.authentication import authentication_token_setup as tokens
    from ray._raylet import AuthenticationTokenLoader, GcsClient  # pyright: ignore[reportAttributeAccessIssue]
    from ray.exceptions import AuthenticationError

    if implied:
        tokens.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)  # as ray.init("auto") does
    sent = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    known = AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
    if sent and not known:
        return {"problem": "token_missing"}
    try:
        client = GcsClient(address=address)
        metadata = usage_lib.get_cluster_metadata(client)
        nodes = client.get_all_node_info(timeout=CONNECT_SECONDS)
    except AuthenticationError:
        return {"problem": "token_wrong" if sent else "token_not_sent" if known else "token_missing"}
    except Exception as error:  # of whatever kind: Ray's client raises several, and a stranger may answer at the port
        return {"problem": "ray", "reason": str(error)}
    here = dict(zip(("ray", "python"), utils.compute_version_info(), strict=True))
    there = {"ray": metadata["ray_version"], "python": metadata["python_version"]} if metadata else here
    try:
        utils.check_version_info({f"{name}_version": value for name, value in there.items()}, "this machine")
    except RuntimeError:
        return {"problem": "version", "cluster": there, "here": here}
    alive = {id.hex(): node for id, node in nodes.items() if node.state == node.ALIVE}
    if not services.find_node_ids() & alive.keys():
        return {"problem": "not_a_node", "hosts": sorted({node.node_manager_address for node in alive.values()})}
    return {"problem": "none"}


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1])), flush=True)
    os._exit(0)  # Ray's threads would take a second to end
