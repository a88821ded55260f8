"""The keys of `executor: {kind: ray}` are checked at the door."""

from __future__ import annotations

import re

import pytest

from qd.errors import UsageError
from qd.executors.ray.options import ray_config


def test_defaults_and_units():
    config = ray_config({}, "run.yaml: executor")
    assert (config.address, config.workers, config.cpus, config.max_attempts) == ("local", None, 1.0, 3)
    assert ray_config({"memory": "1.5 GiB"}, "run.yaml: executor").memory == 1.5 * 2**30
    assert ray_config({"memory": 5_000_000}, "run.yaml: executor").memory == 5_000_000


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "head.example:6379", "[::1]:6379"])
def test_addresses(address):
    assert ray_config({"address": address}, "run.yaml: executor").address == address


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"adress": "auto"}, "run.yaml: executor.adress: unknown key; did you mean 'address'?"),
        ({"address": "ray://x:1"}, "run.yaml: executor.address: expected local, auto or HOST:PORT, got 'ray://x:1'"),
        ({"workers": 0}, "run.yaml: executor.workers: input should be greater than or equal to 1, got 0"),
        ({"workers": "two"}, "run.yaml: executor.workers: input should be a valid integer, got 'two'"),
        ({"gpus": 1.5}, "run.yaml: executor.gpus: expected a fraction below 1 or a whole number, got 1.5"),
        ({"memory": "much"}, "run.yaml: executor.memory: could not parse value and unit from byte string, got 'much'"),
        ({"timeout_seconds": 0}, "run.yaml: executor.timeout_seconds: input should be greater than 0, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(keys, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        ray_config({**keys}, "run.yaml: executor")
