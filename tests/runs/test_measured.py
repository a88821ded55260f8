"""The run file's `metrics`, with evaluators that measure networks themselves and with those that never heard of it."""

from __future__ import annotations

import pytest

import qd
from qd.errors import QdError, UsageError

STRANGER = '''
import numpy as np
import networkx
import torch

from search_spaces.task import Vector, Values
from evaluators import Evaluator, Metric
from evaluators.task_data import Examples, TaskData
from qd.candidates import Results
from qd.metrics.base import NetworkMetric
from search_spaces import Integer, Invalid, SearchSpace, Struct, Task


class Lines(SearchSpace):
    """Networks of one layer, without a bias."""

    genes = Struct(x=Integer(1, 30), y=Integer(1, 30))

    def build(self, genotype, task):
        if genotype["x"] == 13:
            raise Invalid("13 brings bad luck")
        return torch.nn.Linear(2, 1, bias=False)

    def module_graph(self, genotype):
        graph = networkx.DiGraph()
        graph.add_node("in", label="in", kind="input", size=1, layer=0)
        graph.add_node("out", label="out", kind="output", size=1, layer=genotype["y"])
        graph.add_edge("in", "out", kind="dense")
        return graph


class Trainer(Evaluator):
    """"Trains" a network to have the genes for weights."""

    task = Task(Vector(2), Values(1))
    metrics = {"score": Metric("", 0, 60)}

    def evaluate(self, candidates):
        genes = np.array([[one["x"], one["y"]] for one in candidates.genotypes], dtype=np.float32)
        weights = {id: {"weight": row[None]} for id, row in zip(candidates.evaluation_ids.tolist(), genes)}
        return Results.ok(candidates, {"score": genes.sum(1)}, weights=weights)

    def task_data(self):
        # the sum of the outputs says which part it was
        parts = {"train": 0, "validation": 1, "test": 100}
        return TaskData("ones", lambda part: Examples(np.full((1, 2), parts[part], np.float32), np.zeros((1, 1))), None)


class Secretive(Trainer):
    def evaluate(self, candidates):
        results = super().evaluate(candidates)
        results.weights = {}
        return results


class Dataless(Trainer):
    def task_data(self):
        return None


class Norm(NetworkMetric):
    """Sum of weights, times a factor."""

    def __init__(self, factor: float = 1.0):
        self.factor = factor
        self.metrics = {"norm": Metric("", 0, 100)}

    def measure(self, subject):
        return {"norm": self.factor * float(subject.network.weight.detach().sum())}


class Sums(NetworkMetric):
    metrics = {"sums": Metric("", 0, 6000)}
    needs = "examples"

    def measure(self, subject):
        return {"sums": float(subject.outputs.sum())}


class Fails(NetworkMetric):
    metrics = {"fails": Metric()}
    needs = "genotype"

    def measure(self, subject):
        if subject.genotype["x"] > 15:
            raise RuntimeError("too wide for me")
        return {"fails": subject.genotype["x"]}


class NotOne:
    pass
'''


@pytest.fixture
def stranger(workbench):
    """Write the run file of a stranger's evaluator: `stranger(metrics=[...], evaluator="Trainer")`."""
    workbench.plugin.write_text(STRANGER)

    def write(metrics, evaluator="Trainer", measure="norm", **changes):
        return workbench.write(
            space={"kind": f"{workbench.module}:Lines"},
            evaluator={"kind": f"{workbench.module}:{evaluator}"},
            metrics=[one.replace("me:", f"{workbench.module}:") if isinstance(one, str) else one for one in metrics],
            archive={"objective": "score", "measures": [{"metric": measure, "low": 0, "high": 60, "bins": 20}]},
            **{"budget": {"evaluations": 60}, **changes},
        )

    return write


def columns(run, *names):
    frame = run.evaluations()
    return [dict(zip(names, row, strict=True)) for row in frame[list(names)].itertuples(index=False)]


def answered(run, *names):
    return [row for row in columns(run, "status", *names) if row["status"] == "ok"]


def test_a_strangers_metric_sees_the_weights_that_a_strangers_evaluator_gave(stranger):
    run = qd.run(stranger(["me:Norm", "parameters", "connection_cost", "me:Sums"]), out="run")
    rows = answered(run, "score", "norm", "sums", "parameters")
    assert len(rows) > 30
    for row in rows:
        assert row["norm"] == row["sums"] == row["score"]
        assert row["parameters"] == 2
    assert len(run.archive) > 3
    assert run.metrics["connection_cost"].direction == "minimise"


def test_what_cannot_be_built_is_invalid(stranger):
    run = qd.run(stranger(["me:Norm"], emitters=[{"kind": "random"}], budget={"evaluations": 200}), out="run")
    assert {row["error"] for row in columns(run, "status", "error") if row["status"] == "invalid"} == {
        "13 brings bad luck"
    }


def test_a_metric_that_raises_fails_its_candidate_alone(stranger):
    run = qd.run(stranger(["me:Fails"], measure="fails"), out="run")
    rows = columns(run, "status", "fails", "score", "error")
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed and len(failed) < len(rows)
    assert all("RuntimeError: too wide for me" in row["error"] for row in failed)
    assert all(row["score"] != row["score"] for row in failed)


def test_a_verification_measures_on_examples_for_the_test(stranger):
    run = qd.run(stranger(["me:Norm", "me:Sums"]), out="run")
    qd.verify("run", seeds=1)
    rows = run.query(
        "SELECT sums, norm FROM results JOIN evaluations ON id = _evaluation WHERE purpose = 'verification'"
    )
    assert len(rows) == len(run.archive) > 3
    assert all(sums == 100 * norm for sums, norm in rows)


@pytest.mark.parametrize(
    ("metrics", "evaluator", "message"),
    [
        (["me:Nomr"], "Trainer", r"metrics\[0\]\.kind: .* has no class 'Nomr'; did you mean 'Norm'\?"),
        (["latancy"], "Trainer", r"metrics\[0\]\.kind: .*'latancy'; did you mean 'latency'\?"),
        (
            ["parameters", "me:NotOne"],
            "Trainer",
            r"metrics\[1\]\.kind: .*:NotOne is no NetworkMetric: derive it",
        ),
        (["me:Norm", "me:Norm"], "Trainer", "metrics: 'norm' is reported already, and Norm would report it again"),
        (["me:Norm", "me:Sums"], "Dataless", r"metrics: sums needs examples, and Dataless gives none \(its task_data"),
        ([{"kind": "latency", "batch": "x"}], "Trainer", r"metrics\[0\]\.batch: input should be a valid integer"),
        ([{"batch": 1}], "Trainer", r"metrics\[0\]\.kind: this key is missing"),
        ([3], "Trainer", r"metrics\[0\]: "),
    ],
)
def test_the_door_names_what_is_wrong(stranger, metrics, evaluator, message):
    with pytest.raises(UsageError, match=message):
        qd.run(stranger(metrics, evaluator, measure="score"), out="run")


def test_a_trained_network_without_its_weights_is_not_taken_for_one(stranger):
    with pytest.raises(QdError, match="all failed or were invalid"):
        qd.run(stranger(["me:Sums"], "Secretive", measure="sums"), out="run")
    run = qd.open_run("run")
    assert {row["status"] for row in columns(run, "status")} <= {"failed", "invalid"}
    errors = {row["error"].splitlines()[-1] for row in columns(run, "status", "error") if row["status"] == "failed"}
    assert len(errors) == 1
    assert "Secretive gives no trained weights (`Results.weights`)" in errors.pop()


def test_a_table_builds_no_network_and_measures_genotypes_all_the_same(workbench):
    with pytest.raises(UsageError, match=r"metrics: latency needs a network, and the evaluator builds none"):
        qd.run(workbench.write(metrics=["latency"]), out="run")
    run = qd.run(workbench.write(metrics=["modularity"], budget={"evaluations": 20}), out="run")
    assert {row["modularity"] for row in answered(run, "modularity")} == {0.0}


def test_networks_whose_genotype_holds_the_weights_are_measured_too(workbench):
    data = {
        "space": {"kind": "retina"},
        "evaluator": {"kind": "retina"},
        "metrics": ["parameters", "expert_entropy", {"kind": "latency", "warm_up": 0, "repeats": 1}],
        "archive": {"objective": "accuracy", "measures": [{"metric": "connection_cost", "low": 0, "high": 360}]},
        "budget": {"evaluations": 8},
    }
    run = qd.run(workbench.write(**data), out="run")
    rows = columns(run, "status", "parameters", "expert_entropy", "latency", "modularity")
    assert {(row["parameters"], row["expert_entropy"]) for row in rows} == {(121, 0)}
    with pytest.raises(UsageError, match="metrics: 'modularity' is reported already, and Modularity would report it"):
        qd.run(workbench.write(**data | {"metrics": ["modularity"]}), out="other")


def test_the_command_line_changes_a_metric_of_the_list(stranger):
    run = qd.run(stranger(["me:Norm"]), out="run", overrides=["metrics[0].factor=0.5", "budget.evaluations=12"])
    assert all(
        row["norm"] == row["score"] / 2 for row in columns(run, "status", "norm", "score") if row["status"] == "ok"
    )
