import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import qd
from qd.errors import UsageError
from qd.testing import SpaceConformance
from qd.training import Trained, TrainingOptions, train_alone, train_population
from search_spaces import Invalid, Task
from search_spaces import library as on_disk
from search_spaces.library import Library
from search_spaces.library import stitch as stitches
from search_spaces.library.input_statistics import InputStatistics
from search_spaces.library.reading import digest_of
from search_spaces.library.stitch import make_stitch
from search_spaces.module_library import LEVELS, STITCHES, ModuleLibrary
from search_spaces.task import Classes, Image
from tests.mutations import mutate

TASK = Task(Image(1, 8, 8), Classes(10))
NEW = {
    "conv1": {"kind": "new", "size": 8},
    "conv2": {"kind": "new", "size": 16},
    "dense": {"kind": "new", "size": 32},
    "head": {"kind": "new"},
}


class TestModuleLibrary(SpaceConformance):
    @pytest.fixture
    def space(self, library):
        return ModuleLibrary(str(library.folder))

    @pytest.fixture(params=[(1, 8, 8), (3, 14, 9), (2, 2, 3)], ids=str)
    def task(self, request):
        return Task(Image(*request.param), Classes(5))


class TestWithoutALibrary(SpaceConformance):
    @pytest.fixture
    def space(self):
        return ModuleLibrary(convolutions=3)


@pytest.fixture
def space(library) -> ModuleLibrary:
    return ModuleLibrary(str(library.folder))


def name_of(library: Library, part: str, task: str = "digits") -> str:
    return next(one.name for one in library if one.task == task and one.source.endswith(part))


def reused(library: Library, part: str, task: str = "digits", **genes: Any) -> dict[str, Any]:
    return {"kind": name_of(library, part, task), "tuned": False, "stitch": "none", **genes}


def test_the_space_and_its_modules_agree_on_words():
    assert STITCHES == stitches.STITCHES and LEVELS == on_disk.LEVELS


def test_each_stage_offers_the_modules_of_its_kind_alone(library, space):
    offered = {
        position.name: {record.output.kind for record in position.records.values()} for position in space.positions
    }
    assert offered == {"conv1": {"features", "vector"}, "conv2": {"features"}, "dense": {"vector"}, "head": {"scores"}}
    with pytest.raises(Invalid, match=r"conv2\.kind: expected one of 'new', .* got"):
        space.genes.validate({**NEW, "conv2": reused(library, "head")})


def test_a_network_put_together_again_computes_what_it_did(library, space):
    genotype = {part: reused(library, part) for part in ("conv1", "conv2", "dense", "head")}
    genotype["head"]["outlet"] = "none"
    network = space.build(genotype, TASK).eval()
    x = torch.rand(5, 1, 8, 8)
    expected = x
    for part in ("conv1", "conv2", "dense", "head"):
        expected = library.build(name_of(library, part))(expected)
    assert torch.equal(network(x), expected)
    shares = space.measure(genotype, network, network(x))
    assert shares == {"trained_parameters": 0, "reuse": 1.0, "stitch_share": 0.0}


def test_shares_count_macs(library, space):
    genotype = {**NEW, "conv1": reused(library, "conv1", stitch="affine"), "conv2": {"kind": "new", "size": 8}}
    network = space.build(genotype, TASK)
    stitch, first, second = 1 * 1 * 64, 9 * 1 * 4 * 64, 9 * 4 * 8 * 16
    dense, head = 8 * 4 * 32, 32 * 10
    total = stitch + first + second + dense + head
    measured = space.measure(genotype, network, torch.zeros(1, 10))
    assert measured["reuse"] == pytest.approx(first / total)
    assert measured["stitch_share"] == pytest.approx(stitch / total)
    assert measured["trained_parameters"] == 2 + (9 * 4 * 8 + 8) + (8 * 4 * 32 + 32) + (32 * 10 + 10)


def test_training_changes_tuned_and_new_modules_and_leaves_frozen_ones(library, space):
    genotype = {**NEW, "conv1": reused(library, "conv1"), "conv2": reused(library, "conv2", tuned=True)}
    network = space.build(genotype, TASK)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    options = TrainingOptions(epochs=1, batch_size=10)
    train_alone(network, torch.rand(20, 1, 8, 8), torch.arange(20) % 10, options, "cross_entropy", 0)
    changed = {
        name.split(".")[0] for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"conv2", "dense", "head"}


def test_equal_compositions_are_trained_one_by_one(library, space):
    """In a stack of networks their frozen parameters would be trained."""
    genotype = {**NEW, "conv1": reused(library, "conv1")}
    inputs, labels = torch.rand(20, 1, 8, 8), torch.arange(20) % 10
    trained = train_population(
        space, [genotype] * 2, [0, 1], TASK, inputs, labels, TrainingOptions(epochs=1, batch_size=10), 0
    )
    kept = library.build(name_of(library, "conv1")).state_dict()
    for one in trained:
        assert isinstance(one, Trained) and one.stacked == 1
        assert torch.equal(one.network.state_dict()["conv1.body.0.weight"], kept["0.weight"])


def test_a_module_in_one_piece_does_the_work_of_several_stages(library, space):
    genotype = {**NEW, "conv1": reused(library, "test")}
    assert [placed.position.name for placed in space.placed(genotype)] == ["conv1", "head"]
    assert space.key(genotype) == space.key({**genotype, "dense": {"kind": "new", "size": 128}})
    assert space.key(genotype) != space.key({**genotype, "conv1": reused(library, "test", tuned=True)})
    assert [name for name, _ in space.build(genotype, TASK).named_children()] == ["conv1", "head"]


@pytest.mark.parametrize("kind", STITCHES)
@pytest.mark.parametrize(
    ("source", "target"),
    [((3, 8, 8), (3, 8, 8)), ((2, 5, 7), (6, 4, 4)), ((6, 4, 4), (2, 9, 9)), ((3, 4, 4), (10,)), ((5,), (9,))],
    ids=str,
)
def test_every_stitch_joins_every_pair_of_interfaces(kind, source, target):
    stitch = make_stitch(kind, source, target)
    assert stitch(torch.rand(2, *source)).shape == (2, *target)
    assert any(True for _ in stitch.parameters()) == (kind != "none")


def test_linear_stitches_start_as_the_identity():
    x = torch.rand(2, 3, 4, 4)
    for kind in ("none", "linear", "affine"):
        assert torch.equal(make_stitch(kind, (3, 4, 4), (3, 4, 4))(x), x)
    assert len(make_stitch("none", (3, 4, 4), (3, 4, 4))) == 0


def test_relative_representations_do_not_see_rotations_and_scale():
    """What a rotated and scaled encoder gives reads the same behind anchors of its own."""
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(6, 6, generator=generator))
    x = torch.randn(40, 6, generator=generator)
    first, second = make_stitch("relative", (6,), (4,)), make_stitch("relative", (6,), (4,))
    first(x)  # in training mode: takes its anchors
    second(3 * x @ rotation)
    decode = {name: tensor for name, tensor in first.state_dict().items() if "decode" in name}
    second.load_state_dict({**second.state_dict(), **decode})
    with torch.no_grad():
        torch.testing.assert_close(second.eval()(3 * x @ rotation), first.eval()(x), rtol=1e-3, atol=1e-3)


def test_anchors_are_taken_once():
    stitch = make_stitch("relative", (6,), (4,)).eval()
    anchors = stitch.state_dict()["channels.anchors"]  # what is written into it shows here
    stitch(torch.rand(40, 6))
    assert not anchors.any()
    stitch.train()(torch.rand(3, 6))  # fewer than there are anchors
    taken = anchors.clone()
    stitch(torch.rand(40, 6))
    assert taken.any() and torch.equal(anchors, taken)


def test_module_graph_shows_modules_and_stitches(library, space):
    genotype = {
        **NEW,
        "conv1": reused(library, "conv1"),
        "dense": reused(library, "dense", stitch="linear", tuned=True),
    }
    graph = space.module_graph(genotype)
    kinds = {name: attributes["kind"] for name, attributes in graph.nodes(data=True)}
    assert kinds == {
        "image": "input",
        "conv1": "frozen",
        "conv2": "new",
        "dense.stitch": "stitch",
        "dense": "tuned",
        "head": "new",
    }


def test_a_library_without_a_module_for_any_stage_is_refused(library):
    for path in library.folder.iterdir():
        if "conv2" not in path.name:
            path.unlink()
    with pytest.raises(
        ValueError, match=r"library: none of its 2 modules \(features to features\) fits .* conv1, dense"
    ):
        ModuleLibrary(str(library.folder), convolutions=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"convolutions": 0}, "convolutions: expected at least 1, got 0"),
        ({"channels": ()}, r"channels: expected sizes of at least 1, got \[\]"),
        ({"hidden": (8, 0)}, r"hidden: expected sizes of at least 1, got \[8, 0\]"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModuleLibrary(**arguments)


class TestBadLibraries:
    """Each is refused when it is opened, with the file's name, and nothing is changed."""

    @pytest.fixture(autouse=True)
    def a_library(self, library, digests):
        self.folder: Path = library.folder
        self.record = self.folder / f"{name_of(library, 'conv1')}.json"
        self.weights = self.record.with_suffix(".safetensors")
        self.digests = digests

    def refused(self, message: str) -> None:
        before = self.digests(self.folder)
        with pytest.raises(ValueError, match=message):
            ModuleLibrary(str(self.folder))
        with pytest.raises(ValueError, match="library"):
            Library.open(self.folder)
        assert self.digests(self.folder) == before

    def test_changed_weights(self):
        content = bytearray(self.weights.read_bytes())
        content[-1] ^= 1
        self.weights.write_bytes(content)
        self.refused(f"{self.weights.name}: the weights have changed since they were recorded: expected the digest")

    def test_missing_weights(self):
        self.weights.unlink()
        self.refused(f"{self.weights.name}: the weights of {self.weights.stem} are missing")

    def test_weights_that_are_a_pickle(self):
        torch.save({"0.weight": torch.zeros(3)}, self.weights)
        self.refused(f"{self.weights.name}: expected a safetensors file .a pickle is never read.")

    def test_a_pickle_beside_the_modules(self):
        torch.save({}, self.folder / "more.pth")
        self.refused("more.pth: a pickle, and a library unpickles nothing")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"architecture": {"kind": "layers", "layers": [{"kind": "relu"}]}},
                "0.bias: expected no such tensor, got 4 real numbers, and 1 more do not fit",
            ),
            (
                {"architecture": {"kind": "layers", "layers": [{"kind": "exec"}]}},
                "layer 0: expected one of convolution",
            ),
            ({"architecture": {"kind": "pickle"}}, "expected kind layers or body, got 'pickle'"),
            ({"output": {"kind": "features", "shape": [4, 9, 9]}}, "says that image 1×8×8 becomes features 4×9×9, but"),
            ({"input": {"kind": "image", "shape": [3, 8, 8]}}, "the weights do not fit the record"),
            (
                {"input": {"kind": "sound", "shape": [3]}},
                "input.kind: input should be 'image', 'features', 'vector' or 'scores', got 'sound'",
            ),
            ({"format": 2}, "format 2, where this version reads format 1"),
        ],
    )
    def test_records_that_do_not_fit(self, changes, message):
        self.record.write_text(json.dumps({**json.loads(self.record.read_text()), **changes}))
        self.refused(message)

    def test_mutated_records_and_weights(self):
        """Each is refused in a few words, or read; nothing else is raised, and no memory is filled."""
        for path in self.folder.iterdir():
            if path.stem != self.record.stem:
                path.unlink()
        rng = random.Random(3)
        record, content = json.loads(self.record.read_text()), self.weights.read_bytes()
        size = 8 + int.from_bytes(content[:8], "little")
        for number in range(90):
            changed, written = copy.deepcopy(record), content
            if number % 3:
                mutate(changed, rng)
            else:
                header = json.loads(content[8:size])
                mutate(header, rng)
                text = json.dumps(header).encode()
                written = len(text).to_bytes(8, "little") + text + content[size:]
                if number % 2:
                    written = rng.choice([0, 5, 2**40, 2**63]).to_bytes(8, "little") + written[8:]
                changed["digest"] = digest_of(written)
            self.record.write_text(json.dumps(changed))
            self.weights.write_bytes(written)
            try:
                assert len(qd.library.list(self.folder)) == 1
            except UsageError as error:
                assert len(str(error)) < 1000

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            ({"kind": "linear", "inputs": 10**12, "outputs": 10**12}, "layer 0, linear: "),
            ({"kind": "linear", "inputs": 10**6, "outputs": 10**6}, "expected 1000000×1000000 real numbers"),
            ({"kind": "linear", "inputs": 4.0, "outputs": 2}, "inputs: expected a whole number above 0, got 4.0"),
            ({"kind": ["linear"]}, "layer 0: expected one of convolution"),
        ],
    )
    def test_sizes_beyond_the_weights_take_no_memory(self, layer, message):
        data = json.loads(self.record.read_text())
        self.record.write_text(json.dumps({**data, "architecture": {"kind": "layers", "layers": [layer]}}))
        self.refused(message)

    def test_weights_that_are_not_finite(self):
        tensors = {name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(self.weights).items()}
        save_file(tensors, self.weights)
        self.refused("has values that are not finite")

    def test_a_pipe_is_not_waited_for(self):
        self.record.unlink()
        os.mkfifo(self.record)
        with pytest.raises(ValueError, match=rf"{self.record.name}: expected a file; take it out"):
            Library.open(self.folder)

    def test_half_a_record(self):
        self.record.write_text(self.record.read_text()[:100])
        self.refused(f"{self.record.name}: expected the record of a module, but it is damaged")

    def test_an_empty_library(self):
        for path in self.folder.iterdir():
            path.unlink()
        self.refused("the library is empty; add modules: qd library build")


def test_a_missing_library_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no such library; make one: qd library build"):
        ModuleLibrary(str(tmp_path / "nowhere"))


def test_weights_are_kept_once(library):
    before = sorted(library.records)
    module = library.build(before[0])
    record = library.records[before[0]]
    again = on_disk.TrainedModule(
        "again", record.architecture, module, record.input, record.output, None, "other task", 0.5, "a test"
    )
    assert library.add([again]) == []
    assert sorted(Library.open(library.folder).records) == before


def test_records_survive_the_disk(library):
    for record in Library.open(library.folder):
        assert record == library.records[record.name]


def test_inputs_like_a_modules_own_are_the_likeliest():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((200, 1, 8, 8), dtype=np.float32))
    statistics = InputStatistics.of(images[:100])
    own = statistics.log_likelihood(images[100:])
    assert own > statistics.log_likelihood(images[100:] + 0.5) and own > statistics.log_likelihood(images[100:] * 2)
    drawn = statistics.draw(500, 0)
    assert drawn.shape == (500, 1, 8, 8)
    assert float(drawn.mean()) == pytest.approx(float(images.mean()), abs=0.02)
    assert statistics.low <= float(drawn.min()) and float(drawn.max()) <= statistics.high
