"""Metrics of networks that are measured together."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from qd.metrics.base import MetricError, NetworkMetric
from qd.metrics.connection_cost import ConnectionCost
from qd.metrics.joined import JoinedMetrics
from qd.metrics.latency import Latency
from qd.metrics.macs import MACs
from qd.metrics.parameters import Parameters
from qd.metrics.specialisation import Specialisation
from qd.metrics.subject import Subject
from qd.testing.metrics import draw_examples
from search_spaces import Choice, Metric, SearchSpace, Task
from search_spaces.task import Classes, Image, Values, Vector

TASK = Task(Image(1, 8, 8), Classes(10))


class Lines(SearchSpace):
    genes = Choice(1)

    def build(self, genotype, task):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, task.outputs))


class Table(SearchSpace):
    genes = Choice(1)


class Answer(NetworkMetric):
    """Reports whatever it is given."""

    metrics = {"answer": Metric()}
    needs = "genotype"

    def __init__(self, answer: Any = 42):
        self.answer = answer

    def measure(self, subject):
        return self.answer


def subject() -> Subject:
    space = Lines()
    return Subject(1, space, TASK, lambda: space.build(1, TASK), lambda: draw_examples(TASK, 8))


def test_all_that_they_report_stands_together_in_their_order():
    joined = JoinedMetrics([Parameters(), Answer({"answer": 42}), MACs()])
    assert list(joined.metrics) == ["parameters", "answer", "macs"]
    assert joined.measure(subject()) == {"parameters": 650.0, "answer": 42.0, "macs": 640.0}


def test_one_that_is_listed_again_takes_the_place_of_the_first():
    first, second = JoinedMetrics.of(Parameters, Latency), Latency(batch=7)
    joined = first.extended([second, Latency(name="once_more")], ["val_loss", *first.metrics])
    assert list(joined.metrics) == ["parameters", "latency", "once_more"]
    assert joined.listed[1] is second
    assert joined.metrics["latency"].unit == "ms/7 examples"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JoinedMetrics([Parameters(), Parameters()]), "'parameters' is reported already, and Parameters would"),
        (lambda: JoinedMetrics([Latency()], ["latency"]), "'latency' is reported already, and Latency would"),
        (lambda: JoinedMetrics.of(Latency).extended([Answer()], ["latency", "answer"]), "'answer' is reported already"),
    ],
)
def test_no_name_is_reported_twice(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("answer", "got"), [({}, "nothing"), ({"answer": 1, "more": 2}, "answer, more"), (None, "None"), (3.0, "3.0")]
)
def test_a_metric_reports_what_it_declares(answer, got):
    with pytest.raises(ValueError, match=rf"Answer\.measure must report answer, got {got}"):
        JoinedMetrics([Answer(answer)]).measure(subject())


def test_a_metric_declares_what_it_reports_and_needs():
    class Nothing(Answer):
        metrics = {}

    class Everything(Answer):
        needs = "everything"  # pyright: ignore[reportAssignmentType] - that is the point

    with pytest.raises(ValueError, match=r"Nothing declares no metrics = \{name: Metric\(\.\.\.\)\}, got \{\}"):
        JoinedMetrics([Nothing()])
    with pytest.raises(ValueError, match=r"Everything\.needs: expected genotype, network, examples, got 'everything'"):
        JoinedMetrics([Everything()])


@pytest.mark.parametrize(
    ("metric", "space", "task", "message"),
    [
        (Latency(), Lines(), None, r"latency needs a network, and the evaluator builds none \(it has no `task`\)"),
        (Parameters(), Table(), TASK, r"parameters needs a network, and Table has no build\(\)"),
        (ConnectionCost("wires"), Lines(), TASK, r"wires: needs a module graph, and Lines has no module_graph\(\)"),
        (Specialisation(), Lines(), Task(Vector(4), Values(1)), "specialisation: experts specialise in cl"),
    ],
)
def test_binding_refuses_what_cannot_be_measured(metric, space, task, message):
    with pytest.raises(MetricError, match=message):
        JoinedMetrics([metric]).bind(space, task)


def test_a_space_whose_genotype_has_no_graph_fails_the_candidate():
    class Shy(Lines):
        def module_graph(self, genotype):
            return None

    space = Shy()
    asked = Subject(1, space, None, lambda: space.build(1, TASK), lambda: draw_examples(TASK, 8))
    with pytest.raises(ValueError, match=r"Shy\.module_graph\(\) gives None"):
        JoinedMetrics([ConnectionCost()]).measure(asked)
