"""`qd train`: trains an architecture longer, on all training data, and exports it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluators import Evaluator
from evaluators.task_data import TaskData
from search_spaces import SearchSpace

from ..analysis.lineage import Ancestor, lineage
from ..analysis.run import open_run
from ..analysis.selection import Selection, choose
from ..errors import UsageError
from ..registry import Registry
from ..runs.signals import interruptible
from ..space_hooks import module_graph_or_none
from ..wording import tested
from .architecture import FILE, Architecture
from .folder import LICENCE, Export, appearing, check_formats, check_free, check_raw_is_possible
from .formats import USUAL, as_function
from .parity import answers_of
from .raw_onnx import check_raw

logger = logging.getLogger(__name__)

LONGER = 10
"""This many times the epochs of the search, where nothing else is said."""
CHECKPOINT = "checkpoint.safetensors"

Progress = Callable[[int, int, str], None]


def train(
    source: Path | str,
    to: Path | str,
    *,
    id: int | None = None,
    epochs: int | None = None,
    device: str = "auto",
    formats: str | None = None,
    raw: bool = False,
    plugins: Path | str | None = None,
    licence: str = LICENCE,
    progress: Progress = lambda done, of, more: None,
) -> Mapping[str, float]:
    """Train an architecture from its seed for longer, on all training examples, and export the network.

    After every epoch a checkpoint is written beside `to`; the same call goes on from there. Of all epochs the best on
    the validation split is kept; the test split is scored once, at the end. Under `early_stopping` the training ends
    where the search would end it, and the epoch with the least validation loss is kept.

    Args:
        source: a folder of `qd export`, or a run's.
        to: the folder to make.
        id: the candidate, where `source` is a run's folder.
        epochs: default: ten times as many as in the search.
        device: "auto", "cpu", "cuda", ...
        formats: as of `export`.
        raw: as of `export`.
        plugins: where dotted paths are looked up.
        licence: of the weights, for the model card.
        progress: called after every epoch.

    Returns:
        The scores on the test split, such as {"test_accuracy": 0.9}.

    Raises:
        UsageError: bad input, or an evaluator that gives no data to train on; nothing was made.
        QdError: a format that computes something else; the checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C; the last whole epoch is kept.
    """
    import torch

    from ..training.device import find_device
    from .longer import LongTraining, Schedule

    source, to = Path(source), Path(to).absolute()  # a plug-in may change the working directory
    names = USUAL if formats is None else check_formats(formats)
    check_raw_is_possible(raw, names)
    architecture, folder, ancestors = _find(source, id, plugins)
    checkpoint = to.with_name(f"{to.name}.training") / CHECKPOINT
    if checkpoint.exists() and _was_made(to, architecture):  # killed between its last two steps
        shutil.rmtree(checkpoint.parent)
    check_free(to)
    space, evaluator, data = parts_of(architecture, folder)
    assert data.options is not None
    own = data.options.with_overrides(space.training_options(architecture.genotype))
    try:
        options = replace(own, epochs=own.epochs * LONGER if epochs is None else epochs)
        place = find_device(device)
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    task = architecture.network_task(str(source))
    try:
        options.check_task(task)
    except ValueError as error:
        raise UsageError(f"evaluator: {error}") from error
    if raw:
        check_raw(task, data)
    network = architecture.build(space, str(source)).to(place)
    examples = data.examples("train")
    identity = {
        "keeps": "the best epoch",
        "genotype": architecture.genotype,
        "options": repr(options),
        "seed": architecture.seed,
    }
    checkpoint.parent.mkdir(exist_ok=True)
    judges = None if options.early_stopping is None else data.examples("validation")
    schedule = Schedule(options, task.loss, architecture.shared_seed, architecture.seed)
    training = LongTraining(network, examples, schedule, checkpoint, identity, judges)
    if training.epoch:
        logger.info(f"going on after epoch {training.epoch} of {options.epochs}")

    latest: dict[str, float] = {}

    def scores(part: Any) -> dict[str, float]:
        network.eval()
        inputs, targets = data.examples(part)
        return answers_of(as_function(network), inputs, targets, data)[1]

    def judged() -> float:
        latest.update(scores("validation"))
        name, value = next(iter(latest.items()))
        return value if evaluator.metrics[name].direction == "maximise" else -value

    def shown(training: LongTraining) -> None:
        name, value = next(iter(latest.items()))
        progress(training.epoch, options.epochs, f"{name} {value:.4g}")

    with interruptible() as interrupted:
        finished = training.run(judged, shown, interrupted.is_set)
    if not finished:
        logger.info(f"{training.epoch} of {options.epochs} epochs are kept; the same command goes on from there")
        raise KeyboardInterrupt
    network.to(torch.device("cpu"))
    network.load_state_dict(training.best)
    measured = scores("validation")
    name, value = next(iter(measured.items()))
    if training.stopped:
        logger.info(f"ended after {training.epoch} of {options.epochs} epochs: the validation loss gets no better")
    logger.info(f"the best of {training.epoch} epochs is kept: {training.best_epoch}, {name} {value:.4g}")
    trained = {"epochs": training.epoch, "kept": training.best_epoch, "examples": len(examples.inputs)}
    test_scores = {tested(name): value for name, value in scores("test").items()}
    one = Export(
        architecture=replace(architecture, trained=trained),
        measured=measured,
        units=evaluator.metrics,
        network=network,
        data=data,
        graph=module_graph_or_none(space, architecture.genotype),
        ancestors=ancestors,
        plugins=folder,
        licence=licence,
        tested=test_scores,
        deployed=space.deployed(network),
    )
    with appearing(to) as temporary:
        one.write(temporary, names, raw)
    shutil.rmtree(checkpoint.parent)
    return test_scores


def _was_made(to: Path, architecture: Architecture) -> bool:
    """Whether a folder holds an architecture as `train` leaves it."""
    if not (to / FILE).is_file():
        return False
    made = Architecture.read(to)
    return bool(made.trained) and made.genotype == architecture.genotype


def _find(source: Path, id: int | None, plugins: Path | str | None) -> tuple[Architecture, Path | None, list[Ancestor]]:
    folder = Path(plugins) if plugins else None
    if (source / FILE).is_file():
        if id is not None:
            raise UsageError(f"`id` names a candidate of a run, and {source} is an export; leave it out")
        return Architecture.read(source), folder, []
    run = open_run(source)
    if id is None:
        raise UsageError(f"{source} is a run's folder: say which candidate, with `id` (qd elites lists them)")
    choose(run, Selection(id=id))  # refuses what does not exist or failed
    known = run.meta("plugin_folder")
    return Architecture.of(run, id), folder or (Path(known) if known else None), lineage(run, id)


def parts_of(architecture: Architecture, folder: Path | None) -> tuple[SearchSpace, Evaluator, TaskData]:
    """The space, the evaluator and the data that an architecture was trained with.

    Args:
        architecture: names them.
        folder: of plug-ins.

    Raises:
        UsageError: they are unknown, or the evaluator has another task, or gives no data to train with.
    """
    space = architecture.find_space(folder, "space")
    kind = architecture.evaluator["kind"]
    arguments = {name: value for name, value in architecture.evaluator.items() if name != "kind"}
    registry = Registry(folder)
    evaluator = registry.build("evaluators", kind, arguments, "evaluator")
    registry.mention()
    try:
        evaluator.bind(space)
    except ValueError as error:
        raise UsageError(f"evaluator: {error}") from error
    data = evaluator.task_data()
    if data is None or data.options is None:
        raise UsageError(f"evaluator: {kind} gives no data and options to train with (its task_data() says None)")
    task = architecture.network_task("task")
    if task != evaluator.task:
        raise UsageError(
            f"task: the architecture is for {task}, and its evaluator {kind} has {evaluator.task}; one of them was"
            " changed since it was found"
        )
    return space, evaluator, data
