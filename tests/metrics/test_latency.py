"""The metric `latency`."""

from __future__ import annotations

import pytest
import torch

import qd
from qd.errors import UsageError
from qd.metrics.latency import Latency
from qd.metrics.subject import Subject
from search_spaces import Choice, SearchSpace, Task
from search_spaces.task import Classes, Image

TASK = Task(Image(1, 8, 8), Classes(10))


class Space(SearchSpace):
    genes = Choice(1)


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

    def examples():
        raise AssertionError("latency needs no examples")

    metric = Latency(batch=4, threads=before + 1, warm_up=2, repeats=3, name="slow")
    found = metric.measure(Subject(1, Space(), TASK, lambda: network, examples))
    assert found == {"slow": pytest.approx(3.0)}
    assert network.calls == [((4, 1, 8, 8), before + 1, False)] * 5
    assert torch.get_num_threads() == before


LATENCY = {
    "space": {"kind": "sparse_moe"},
    "evaluator": {"kind": "supervised", "data": {"kind": "digits", "split": {"train": 100}}, "training": {"epochs": 1}},
    "metrics": [{"kind": "latency", "batch": 16, "repeats": 5}],
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
    assert run.elites().shape[0] >= 1
    assert {"val_accuracy", "macs"} < set(run.metrics)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"order": "id"}}, "'latency' is a time and differs between equal runs"),
        ({"metrics": []}, r"measures\[0\]: no metric 'latency' is reported; write metrics: \[latency\]"),
        ({"metrics": [{"kind": "latency", "device": "tpu"}]}, r"metrics\[0\]: device: expected auto, cpu, cuda"),
        ({"metrics": [{"kind": "latency", "repeats": 0}]}, r"metrics\[0\].repeats: input should be greater than or"),
        ({"metrics": [{"kind": "latency", "bacth": 1}]}, r"metrics\[0\].bacth: unknown key; did you mean 'batch'\?"),
    ],
)
def test_latency_refuses(workbench, changes, message):
    with pytest.raises(UsageError, match=message):
        qd.run(workbench.write(**LATENCY | changes), out="run")


def test_an_evaluator_may_report_a_latency_of_its_own(workbench):
    workbench.plugin.write_text(workbench.plugin.read_text().replace('"order"', '"latency"'))
    measures = [{"metric": "latency", "low": 0, "high": 60}]
    run = qd.run(workbench.write(archive={"measures": measures}, budget={"evaluations": 20}), out="run")
    assert len(run.archive) > 0
