"""The metric `latency`."""

from __future__ import annotations

import pytest
import torch

import qd
from qd.errors import UsageError
from qd.metrics.latency import LatencyOptions, latency
from search_spaces import Task

TASK = Task((1, 8, 8), 10)


class Watched(torch.nn.Module):
    """Notes what it is called with."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x):
        self.calls.append((tuple(x.shape), torch.get_num_threads(), self.training))
        return x


def test_it_is_the_median_of_the_repeats_after_the_warm_up(monkeypatch):
    times = iter([0.0, 0.5, 1.0, 1.001, 2.0, 2.003])  # 500 ms, 1 ms and 3 ms
    monkeypatch.setattr("qd.metrics.latency.time.perf_counter", lambda: next(times))
    network = Watched()
    before = torch.get_num_threads()
    found = latency(network, TASK, LatencyOptions(batch=4, threads=before + 1, warm_up=2, repeats=3))
    assert found == pytest.approx(3.0)
    assert network.calls == [((4, 1, 8, 8), before + 1, False)] * 5
    assert torch.get_num_threads() == before


LATENCY = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "image_classification", "data": "digits", "epochs": 1, "train_examples": 100},
    "latency": {"batch": 16, "repeats": 5},
    "archive": {
        "objective": "val_accuracy",
        "measures": [{"metric": "latency", "low": 1e-6, "high": 10_000, "bins": 10, "scale": "log"}],
    },
    "emitters": [{"kind": "random"}],
    "search": {"order": "arrival"},
    "budget": {"evaluations": 4},
}


def test_a_map_over_latency_is_a_line_of_the_run_file(workbench):
    run = qd.run(workbench.write(**LATENCY), out="run")
    assert run.metrics["latency"].unit == "ms/16 examples"
    assert run.metrics["latency"].time
    frame = run.evaluations()
    assert min(frame["latency"].tolist()) > 0
    assert run.config.dump()["latency"] == {"device": "cpu", "batch": 16, "threads": 1, "warm_up": 5, "repeats": 5}
    assert run.elites().shape[0] >= 1
    assert {"val_accuracy", "macs"} < set(run.metrics)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"order": "id"}}, "'latency' is a time and differs between equal runs"),
        ({"latency": None}, "the metric 'latency' needs a line of its own: latency: {device: cpu, batch: 1}"),
        ({"latency": {"device": "tpu"}}, "latency: device: expected auto, cpu, cuda"),
        ({"latency": {"repeats": 0}}, "latency.repeats: input should be greater than or equal to 1, got 0"),
        ({"latency": {"bacth": 1}}, "latency.bacth: unknown key; did you mean 'batch'?"),
    ],
)
def test_latency_refuses(workbench, changes, message):
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**LATENCY | changes), out="run")


def test_a_table_has_no_network_to_time(workbench):
    with pytest.raises(UsageError, match="latency: Table has no task, so there is no network to time"):
        qd.run(workbench.write(latency={}), out="run")


def test_an_evaluator_may_report_a_latency_of_its_own(workbench):
    workbench.plugin.write_text(workbench.plugin.read_text().replace('"order"', '"latency"'))
    measures = [{"metric": "latency", "low": 0, "high": 60}]
    run = qd.run(workbench.write(archive={"measures": measures}, budget={"evaluations": 20}), out="run")
    assert len(run.archive) > 0
