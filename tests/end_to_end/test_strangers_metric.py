"""A metric of networks that lies in a stranger's folder is an axis of the map, here and in workers of a cluster."""

from __future__ import annotations

import pytest

import qd

METRIC = '''
from qd.metrics.base import NetworkMetric
from search_spaces import Metric


class Depth(NetworkMetric):
    """Layers with weights, those of one kind, and the sum of their squared weights."""

    def __init__(self, layers: str = ""):
        self.layers = layers
        self.metrics = {"depth": Metric("layers", 0, 100), "norm": Metric("", 0)}

    def measure(self, subject):
        layers = [one for one in subject.network.modules() if hasattr(one, "weight")]
        weights = sum(float(one.weight.detach().double().square().sum()) for one in layers)
        return {"depth": sum(self.layers in type(one).__name__ for one in layers), "norm": weights}
'''


def settings(module: str) -> dict:
    return {
        "space": {"kind": "sparse_moe"},
        "evaluator": {
            "kind": "supervised",
            "data": {"kind": "digits", "split": {"train": 60}},
            "training": {"epochs": 1},
        },
        "metrics": [{"kind": f"{module}:Depth", "layers": "Linear"}, {"kind": "latency", "warm_up": 0, "repeats": 1}],
        "archive": {
            "objective": "val_accuracy",
            "measures": [
                {"metric": "depth", "low": 0, "high": 60, "bins": 30},
                {"metric": "norm", "low": 0.1, "high": 1000, "bins": 5, "scale": "log"},
            ],
        },
        "emitters": [{"kind": "map_elites", "initial": 8}],
        "search": {"seed": 2, "order": "id", "chunk": 4, "window": 8},
        "budget": {"evaluations": 16},
    }


class Stop(Exception):  # noqa: N818 - not an error, a power cut
    """What ends a search in the middle."""


def without_times(tables):
    """All of a log but what clocks say, and the run file, which names the executor."""
    for row in tables["results"]:
        del row["train_seconds"], row["latency"]
    return tables | {"meta": [row for row in tables["meta"] if row["name"] not in ("run_file", "ending")]}


@pytest.mark.slow
@pytest.mark.cluster
def test_it_gives_the_same_log_inline_resumed_and_in_workers(workbench, log_tables):
    workbench.plugin.write_text(METRIC)
    file = workbench.write(**settings(workbench.module))
    whole = qd.run(file, out="whole")
    assert len(whole.archive) > 2
    assert len(set(whole.evaluations()["depth"])) > 2
    assert whole.meta("digests").keys() == {f"{workbench.module}:Depth"}
    expected = without_times(log_tables(whole.folder.path, resumed=True))

    def power_cut(search):
        raise Stop

    with pytest.raises(Stop):
        qd.run(file, out="parts", progress=power_cut)
    resumed = qd.resume("parts")
    assert resumed.archive.elites == whole.archive.elites
    assert without_times(log_tables(resumed.folder.path, resumed=True)) == expected

    distributed = qd.run(file, out="ray", executor={"kind": "ray", "workers": 2})
    assert without_times(log_tables(distributed.folder.path, resumed=True)) == expected
