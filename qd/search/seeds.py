"""Every seed of a run derives from the run's own, and from what it is for: never from a worker, a batch or a clock."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from ..candidates import Purpose

SEED_BITS = 53  # exact in a float64, so a seed survives JSON and every other tool


def candidate_seed(run_seed: int, candidate: int, purpose: Purpose, repeat: int) -> int:
    """The candidate's own seed, in [0, 2**53): it starts the initialisation. The same for every attempt."""
    return _derive("candidate", run_seed, candidate, purpose.value, repeat)


def candidate_seeds(run_seed: int, candidates: np.ndarray, purpose: Purpose, repeat: int) -> np.ndarray:
    """`candidate_seed` of each of (N,) ids: (N,) int64."""
    head = blake2b(f"('candidate', {run_seed!r}, ".encode(), digest_size=8)
    tail = f", {purpose.value!r}, {repeat!r})".encode()
    digests = []
    for candidate in candidates.tolist():
        digest = head.copy()  # half the time of starting anew
        digest.update(b"%d%b" % (candidate, tail))
        digests.append(digest.digest())
    return (np.frombuffer(b"".join(digests), dtype="<u8") >> np.uint64(64 - SEED_BITS)).astype(np.int64)


def shared_seed(run_seed: int, purpose: Purpose, repeat: int) -> int:
    """The seed that all candidates of a call share, in [0, 2**53): it orders the minibatches."""
    return _derive("shared", run_seed, purpose.value, repeat)


def stream_seed(run_seed: int, name: str) -> int:
    """The seed of a named random stream of the driver, e.g. of an emitter."""
    return _derive("stream", run_seed, name)


def share_of(run_seed: int, name: str, candidate: int) -> float:
    """A number in [0, 1) of a candidate's own, for a decision about it that is made once: uniform over candidates."""
    return _derive("share", run_seed, name, candidate) / (1 << SEED_BITS)


def _derive(*parts: object) -> int:
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - SEED_BITS)
