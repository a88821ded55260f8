import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qd
from evaluators.data.digits import Digits
from evaluators.task_stream import TaskStream
from evaluators.task_stream.tasks import ImageTask
from qd.candidates import Purpose
from qd.metrics.routing import predict
from qd.testing import EvaluatorConformance
from qd.testing.batches import make_candidates
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces import SearchSpace, Task
from search_spaces.library.composition import Composition
from search_spaces.module_library import ModuleLibrary
from search_spaces.task import Classes, Image

SMALL = {"train_examples": 60, "validation_examples": 40, "test_examples": 30}
TRAINING = {"epochs": 1, "batch_size": 20, "learning_rate": 0.003}


def stream(*tasks: ImageTask, **changes) -> TaskStream:
    keys: dict[str, Any] = {**SMALL, "training": TrainingOptions(**TRAINING), **changes}
    return TaskStream(tasks or (ImageTask(Digits()),), **keys)


class TestTaskStream(EvaluatorConformance):
    @pytest.fixture
    def space(self, library):
        return ModuleLibrary(str(library.folder))

    @pytest.fixture
    def evaluator(self):
        return stream()


@pytest.fixture
def space(library) -> ModuleLibrary:
    return ModuleLibrary(str(library.folder))


def with_frozen_stages(space: ModuleLibrary, count: int) -> dict:
    """A genotype whose first stages are library modules that nothing trains."""
    rng = np.random.default_rng(0)
    task = Task(Image(1, 8, 8), Classes(10))
    while True:
        genotype = space.genes.sample(rng)
        network = space.build(genotype, task)
        if network.fixed_stages == count and len(network) == 4:
            return genotype


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_what_frozen_stages_give_is_kept_and_changes_nothing(space, count):
    genotype = with_frozen_stages(space, count)
    evaluator = stream(training=TrainingOptions(epochs=2, batch_size=20, curve=True))
    evaluator.bind(space)
    batch = make_candidates([genotype, genotype])
    results = evaluator.evaluate(batch)  # the second finds what the first has left
    inputs, labels = evaluator.training_examples
    for row, seed in enumerate(batch.seeds.tolist()):
        points = results.curves[int(batch.evaluation_ids[row])].scores["val_loss"]
        assert len(points) == 2 and points[-1] == pytest.approx(results.metrics["val_loss"][row], rel=1e-5)
        network = build_seeded(lambda: space.build(genotype, Task(Image(1, 8, 8), Classes(10))), seed)
        assert isinstance(network, Composition) and network.fixed_stages == count
        train_alone(network, inputs, labels, evaluator.options, "cross_entropy", batch.shared_seed, seed=seed)
        outputs, _ = predict(network.eval(), evaluator._validation[0])
        loss = float(nn.functional.cross_entropy(outputs, evaluator._validation[1]))
        assert results.metrics["val_loss"][row] == pytest.approx(loss, rel=1e-4)


def test_a_network_without_anything_to_train_is_measured_all_the_same(library, space):
    genotype = {
        part: {"kind": name, "tuned": False, "stitch": "none", **({"outlet": "none"} if part == "head" else {})}
        for part in ("conv1", "conv2", "dense", "head")
        for name in [next(one.name for one in library if one.source.endswith(part))]
    }
    evaluator = stream()
    evaluator.bind(space)
    results = evaluator.evaluate(make_candidates([genotype]))
    assert results.metrics["trained_parameters"][0] == 0 and results.metrics["reuse"][0] == 1


def test_only_verification_scores_the_test_examples(space):
    evaluator = stream()
    evaluator.bind(space)
    genotype = with_frozen_stages(space, 0)
    for purpose, expected in ((Purpose.SEARCH, 40), (Purpose.REEVALUATION, 40), (Purpose.VERIFICATION, 30)):
        accuracy = evaluator.evaluate(make_candidates([genotype], purpose=purpose)).metrics["val_accuracy"][0]
        assert accuracy * expected == pytest.approx(round(accuracy * expected))
        assert ("_test" in vars(evaluator)) == (purpose is Purpose.VERIFICATION)


def test_every_space_that_builds_networks_will_do():
    from search_spaces.sparse_moe import SparseMoE

    evaluator = stream()
    evaluator.bind(SparseMoE())
    genotype = SparseMoE.genes.sample(np.random.default_rng(0))
    results = evaluator.evaluate(make_candidates([genotype]))
    assert set(results.metrics) == set(evaluator.metrics)
    assert evaluator.surrogate() is None

    class Nothing(SearchSpace):
        genes = SparseMoE.genes

    with pytest.raises(ValueError, match=r"Nothing has no build\(\), so there is no network to train"):
        stream().bind(Nothing())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index": 1}, "index: expected a number below 1, the number of tasks, got 1"),
        ({"train_examples": 0}, "train_examples: expected at least 1, got 0"),
        ({"shrink": 9}, "shrink: nothing is left of the images of digits, got 9"),
        ({"split_seed": -1}, "split_seed: expected at least 0, got -1"),
    ],
)
def test_impossible_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        stream(**changes)


def test_more_examples_than_there_are_is_told():
    evaluator = stream(ImageTask(Digits(), classes=(3, 5)), train_examples=1000)
    with pytest.raises(ValueError, match=r"train_examples: the task digits_35 has \d+, expected at most that many"):
        _ = evaluator.training_examples


class TestSurrogate:
    @pytest.fixture
    def evaluator(self, space):
        evaluator = stream(ImageTask(Digits(), permutation=2))
        evaluator.bind(space)
        return evaluator

    def genotypes(self, space: ModuleLibrary, count: int) -> list:
        rng = np.random.default_rng(5)
        return [space.genes.sample(rng) for _ in range(count)]

    def test_knows_nothing_of_networks_that_are_all_new(self, evaluator, space):
        new = {position.name: position.plain() for position in space.positions}
        some = {**new, "conv1": {"kind": next(iter(space.positions[0].records)), "tuned": False, "stitch": "none"}}
        prediction = evaluator.surrogate().predict([new, some])
        assert np.isnan(prediction.mean).tolist() == [True, False]
        assert np.isnan(prediction.deviation).tolist() == [True, False]

    def test_expects_most_of_modules_that_see_what_they_were_trained_on(self, evaluator, space, library):
        """The library's modules come in two families; behind one's first convolution its own second one is typical."""
        names = {(one.task, one.source.split()[-1]): one.name for one in library}

        def pair(first: str, second: str) -> dict:
            reused = {"tuned": False, "stitch": "none"}
            new = {position.name: position.plain() for position in space.positions}
            conv1, conv2 = names[first, "conv1"], names[second, "conv2"]
            return {**new, "conv1": {"kind": conv1, **reused}, "conv2": {"kind": conv2, **reused}}

        families = ("digits", "noisy digits")
        for first, other in (families, families[::-1]):
            own, foreign = evaluator.surrogate().predict([pair(first, first), pair(first, other)]).mean
            assert own > foreign

    def test_learns_from_answers(self, evaluator, space):
        """An objective that prefers tuned first modules, which no record tells."""
        genotypes = self.genotypes(space, 80)
        objectives = np.array([0.5 + 0.3 * genotype["conv1"].get("tuned", False) for genotype in genotypes])
        surrogate = evaluator.surrogate()
        surrogate.fit(genotypes[:60], objectives[:60])
        prediction = surrogate.predict(genotypes[60:])
        assert np.corrcoef(prediction.mean, objectives[60:])[0, 1] > 0.8
        assert (prediction.deviation > 0).all()
        assert surrogate.describe()["kernel"]

    def test_equal_calls_give_equal_answers(self, evaluator, space):
        genotypes = self.genotypes(space, 30)
        objectives = np.random.default_rng(0).random(20)
        first, second = evaluator.surrogate(), evaluator.surrogate()
        first.fit(genotypes[:5], objectives[:5])  # is forgotten
        for surrogate in (first, second):
            surrogate.fit(genotypes[:20], objectives)
        for one, other in zip(first.predict(genotypes), second.predict(genotypes), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_guide_chooses_from_the_first_evaluation_on_and_a_resume_fits_it_again(library, tmp_path, log_tables):
    """Interrupted after ten evaluations, when it was fitted already, a search ends with the log of one that was not."""
    data = {
        "space": {"kind": "module_library", "library": str(library.folder)},
        "evaluator": {"kind": "task_stream", "tasks": [{"data": "digits"}], **SMALL, "training": TRAINING},
        "archive": {
            "objective": "val_accuracy",
            "measures": [
                {"metric": "trained_parameters", "low": 1, "high": 100000, "bins": 3, "scale": "log"},
                {"metric": "reuse", "low": 0, "high": 1, "bins": 2},
            ],
            "outside": "clip",
        },
        "emitters": [{"kind": "guided", "surrogate": "own", "initial": 0, "pool": 60, "explore": 0}],
        "search": {"order": "id", "chunk": 2, "window": 2},
        "budget": {"evaluations": 14},
    }
    (tmp_path / "run.yaml").write_text(json.dumps(data))
    whole = qd.run(tmp_path / "run.yaml", out=tmp_path / "whole")
    first = whole.query("SELECT genotype FROM candidates ORDER BY id LIMIT 4")
    names = {record.name for record in library}
    assert all({genes["kind"] for genes in json.loads(text).values()} & names for (text,) in first)
    qd.run(tmp_path / "run.yaml", out=tmp_path / "broken", budget={"evaluations": 10})
    qd.resume(tmp_path / "broken", budget={"evaluations": 14})
    tables = [log_tables(tmp_path / name, resumed=True) for name in ("whole", "broken")]
    for name in ("candidates", "evaluations"):
        assert tables[0][name] == tables[1][name]


def test_preprocessing_is_fitted_to_training_examples():
    evaluator = stream(ImageTask(Digits(), inverted=True))
    evaluator.bind(ModuleLibrary())
    data = evaluator.task_data()
    train = data.examples("train").inputs[:]
    assert abs(float(train.mean())) < 1e-4 and float(train.std()) == pytest.approx(1, abs=1e-3)
    assert data.name == "digits_inverted" and len(data.class_names) == 10
    scores = data.score(np.eye(10, dtype=np.float32), np.arange(10))
    assert scores["val_accuracy"] == 1
    assert torch.equal(evaluator._validation[0][:], torch.from_numpy(data.examples("validation").inputs[:]))
