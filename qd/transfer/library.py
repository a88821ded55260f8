"""`qd library build`: takes the trained modules out of runs, exports and foreign networks into a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.task_data import TaskData

from ..analysis.run import Run, open_run
from ..analysis.selection import Selection, choose
from ..errors import UsageError
from ..exporting.architecture import FILE, Architecture
from ..exporting.folder import give_weights
from ..exporting.load import load
from ..exporting.train import parts_of
from ..exporting.weights import kept_weights, weights_again
from ..runs.launch import prepare_again
from ..search.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor, nn

    from search_spaces.library import Interface, Kind, Library, ModuleRecord, TrainedModule
    from search_spaces.library.composition import Composition

FOREIGN = "ccexam"
EXAMPLES = 1000
"""Of the training examples, for the statistics of a module's inputs."""
MNIST_MEAN, MNIST_DEVIATION = 0.1307, 0.3081
"""What the network of ccexam was given: (pixel - mean) / deviation, pixels from 0 to 1."""
SOURCES = "a run's folder, an export's, ccexam, or ccexam:mnist, ccexam:usps, ccexam:svhn"


def open_library(folder: Path | str, empty: bool = False) -> Library:
    """Open and check a library.

    Raises:
        UsageError: it is missing, empty (where that is not allowed), damaged or changed.
    """
    from search_spaces.library import Library

    try:
        return Library.open(folder, empty)
    except ValueError as error:
        raise UsageError(str(error)) from error


def build_library(
    sources: Sequence[Path | str],
    to: Path | str,
    *,
    top: int = 1,
    plugins: Path | str | None = None,
) -> list[ModuleRecord]:
    """Add the trained modules of networks to a library; makes it where it is not there yet.

    A composition is cut at its stages; library modules that it used frozen are not added again. Any other network with
    a `head` that ends in a linear map is cut before that.

    Args:
        sources: folders of runs or exports, or "ccexam" and "ccexam:mnist", networks that others trained.
        to: the library's folder.
        top: of each run this many of the best elites.
        plugins: where dotted paths of runs are looked up.

    Returns:
        What was added: modules whose weights are there already are not.

    Raises:
        UsageError: bad input, or a library that is damaged; nothing was added.
        QdError: damaged weights; nothing was added.
    """
    to = Path(to)
    if top < 1:
        raise UsageError(f"`top`: expected at least 1, got {top}")
    if to.exists():
        library = open_library(to, empty=True)
    elif not to.resolve().parent.is_dir():
        raise UsageError(f"{to}: there is no folder {to.resolve().parent}")
    else:
        library = None
    found = [module for source in sources for module in _modules_of(source, top, plugins)]
    if library is None:
        to.mkdir()
        library = open_library(to, empty=True)
    return library.add(found)


def _modules_of(source: Path | str, top: int, plugins: Path | str | None) -> list[TrainedModule]:
    name, _, network = str(source).partition(":")
    if name == FOREIGN:
        return _foreign(network)
    path = Path(source)
    if path.is_file():
        raise UsageError(f"{path}: expected {SOURCES}; files are never unpickled")
    if (path / FILE).is_file():
        return _of_export(path, plugins)
    if not path.is_dir():
        raise UsageError(f"{path}: there is no such folder; expected {SOURCES}")
    run = open_run(path)
    try:
        parts = prepare_again(run, run.config, plugins)
        ids = choose(run, Selection(top=top), verified_first=False)
        return [module for id in ids for module in _of_run(run, id, parts)]
    finally:
        run.close()


def _of_run(run: Run, candidate: int, parts: Problem) -> list[TrainedModule]:
    architecture = Architecture.of(run, candidate)
    found = kept_weights(run, candidate) or weights_again(run, candidate, parts)
    where = f"{run.folder.path}: candidate {candidate}"
    network = give_weights(architecture.build(parts.space, where), found.weights, where)
    return _cut(network, architecture, parts.evaluator.task_data(), f"run {run.folder.name}, candidate {candidate}")


def _of_export(folder: Path, plugins: Path | str | None) -> list[TrainedModule]:
    architecture = Architecture.read(folder)
    _, _, data = parts_of(architecture, Path(plugins) if plugins else None)
    return _cut(load(folder, plugins), architecture, data, f"export {folder.name}")


def _cut(network: nn.Module, architecture: Architecture, data: TaskData | None, source: str) -> list[TrainedModule]:
    """The modules of a trained network, without those that it took from a library as they are."""
    import torch

    from search_spaces.library.composition import Composition

    if data is None:
        raise UsageError(f"{source}: its evaluator gives no data, so there are no inputs to describe its modules by")
    examples = data.examples("train").inputs[:EXAMPLES]
    inputs = torch.from_numpy(examples)
    validation = data.examples("validation")
    with torch.no_grad():
        outputs = network.eval()(torch.from_numpy(validation.inputs)).numpy()
    accuracy = next(iter(data.score(outputs, validation.targets).values()))
    if isinstance(network, Composition):
        parts = _stages(network, inputs)
    elif architecture.is_plugin:
        raise UsageError(f"{source}: its space is a plug-in, which a library could not build again")
    else:
        parts = _body_and_head(network, architecture, inputs, source)
    return [part.described(data.name, float(accuracy), source) for part in parts]


@dataclass(frozen=True)
class _Part:
    """A module of a trained network, with what went in and what came out."""

    name: str
    architecture: dict[str, Any]
    module: nn.Module
    inputs: Tensor
    is_first: bool
    is_last: bool

    def described(self, task: str, accuracy: float, source: str) -> TrainedModule:
        from search_spaces.library import TrainedModule
        from search_spaces.library.input_statistics import InputStatistics

        takes = _interface(self.inputs, "image" if self.is_first else None)
        gives = _interface(_through(self.module, self.inputs), "scores" if self.is_last else None)
        statistics = InputStatistics.of(self.inputs)
        return TrainedModule(
            self.name,
            self.architecture,
            self.module,
            takes,
            gives,
            statistics,
            task,
            accuracy,
            f"{source}, {self.name}",
        )


def _stages(network: Composition, inputs: Tensor) -> list[_Part]:
    parts = []
    for index, stage in enumerate(network.stages):
        seen = _through(stage.stitch, inputs)
        inputs = _through(stage, inputs)
        if stage.origin != "frozen":
            is_last = index == len(network) - 1
            parts.append(_Part(stage.name, stage.architecture, stage.body, seen, index == 0, is_last))
    return parts


def _body_and_head(network: Any, architecture: Architecture, inputs: Tensor, source: str) -> list[_Part]:
    from torch import nn

    from search_spaces.library.architecture import take_head
    from search_spaces.library.layers import head

    last = take_head(network)
    if last is None:
        raise UsageError(f"{source}: expected a network whose `head` ends in a linear map, before which it can be cut")
    described = {
        "kind": "body",
        "space": architecture.space,
        "genotype": architecture.genotype,
        "task": architecture.task,
    }
    layers = {"kind": "layers", "layers": head(last.in_features, last.out_features)}
    return [
        _Part("body", described, network, inputs, is_first=True, is_last=False),
        _Part("head", layers, nn.Sequential(last), _through(network, inputs), is_first=False, is_last=True),
    ]


def _foreign(name: str) -> list[TrainedModule]:
    """Networks of the package ccexam. What its MNIST network sees is known; the others' inputs are not at hand."""
    import torch

    from evaluators.data.ccexam import NETWORKS
    from evaluators.data.mnist import MNIST
    from evaluators.task_stream.tasks import ImageTask, Sizes
    from evaluators.task_stream.tasks import load as load_examples
    from search_spaces.library.layers import build_layers

    if name and name not in NETWORKS:
        raise UsageError(f"{FOREIGN}:{name}: expected one of {', '.join(f'{FOREIGN}:{known}' for known in NETWORKS)}")
    found = []
    for network in [NETWORKS[name]] if name else NETWORKS.values():
        try:
            weights = network.read()
            inputs = torch.zeros(2, *network.image_shape)
            if network.name == "mnist":
                examples = load_examples(ImageTask(MNIST()), Sizes(EXAMPLES, 1, 1, 1, 0))
                inputs = torch.from_numpy((examples.train.inputs[:] - MNIST_MEAN) / MNIST_DEVIATION)
        except ValueError as error:
            raise UsageError(str(error)) from error
        parts = []
        for index, (part, (layers, _)) in enumerate(network.parts.items()):
            module = build_layers(layers)
            module.load_state_dict(weights[part])
            is_last = index == len(network.parts) - 1
            parts.append(_Part(part, {"kind": "layers", "layers": layers}, module.eval(), inputs, not index, is_last))
            inputs = _through(module, inputs)
        modules = [part.described(network.name, network.accuracy, f"{FOREIGN} {network.name}") for part in parts]
        known = network.name == "mnist"
        found += modules if known else [replace(module, statistics=None) for module in modules]
    return found


def _interface(values: Tensor, kind: Kind | None) -> Interface:
    from search_spaces.library import Interface

    return Interface(kind or ("features" if values.ndim == 4 else "vector"), tuple(values.shape[1:]))


def _through(module: nn.Module, inputs: Tensor) -> Tensor:
    import torch

    with torch.no_grad():
        return module.eval()(inputs)
