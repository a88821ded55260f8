"""What an exported architecture is: plain data, in architecture.json."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from dataclasses import Field as DataclassField
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from search_spaces import Genotype, Invalid, SearchSpace, Task
from search_spaces.genes import copy_tree

from ..analysis.run import Run
from ..config import Component, moved
from ..environment import __version__
from ..errors import LONGEST_REASON, QdError, UsageError, clipped, shown
from ..plain_data import read_json, typed
from ..registry import Registry, is_own, names_plugin

FORMAT = 1
FILE = "architecture.json"
LARGEST_INPUT = 2**26
"""Numbers in an example that a network takes in, and that it gives out: a picture of 8,000 x 8,000 pixels."""


@dataclass(frozen=True)
class Architecture:
    """A genotype, and all that is needed to build and train its network again.

    Args:
        space: the run file's `space`: kind and arguments.
        genotype: plain data.
        task: what the network takes in and gives out; None where it was evaluated without a network.
        evaluator: the run file's `evaluator`.
        readable: the genotype in one line.
        run: the run that found it.
        candidate: its id there.
        seed: its own, of the evaluation that found it.
        shared_seed: what ordered its minibatches.
        trained: how it was trained after the search; None where its weights are the search's own.
        qd_version: of the qd that wrote this.
        formats: {name: details} of the files beside this one.
    """

    space: dict[str, Any]
    genotype: Genotype
    task: dict[str, Any] | None
    evaluator: dict[str, Any]
    readable: str
    run: str
    candidate: int
    seed: int
    shared_seed: int
    trained: dict[str, Any] | None = None
    qd_version: str = __version__
    formats: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def of(cls, run: Run, candidate: int) -> Architecture:
        """The architecture of a candidate with an ok search evaluation."""
        rows = run.query(
            "SELECT e.seed, e.shared_seed FROM evaluations e JOIN results ON e.id = _evaluation"
            " WHERE e.candidate = ? AND e.purpose = 'search' AND _status = 0",
            [candidate],
        )
        return cls(
            space=run.config.space.model_dump(),
            genotype=run.genotypes([candidate])[candidate],
            task=run.task.plain() if run.task else None,
            evaluator=run.config.evaluator.model_dump(),
            readable=run.readable(candidate),
            run=run.folder.name,
            candidate=int(candidate),
            seed=rows[0][0],
            shared_seed=rows[0][1],
        )

    @classmethod
    def read(cls, folder: Path) -> Architecture:
        """Read an export's folder.

        Raises:
            UsageError: it is none, or of a newer format.
        """
        path = folder / FILE
        try:
            data = read_json(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"{folder}: expected an export with {FILE} in it ({reason})") from error
        if not isinstance(data, dict) or "format" not in data:
            raise UsageError(f"{path}: expected an object with `format` in it")
        if data["format"] != FORMAT:
            raise UsageError(
                f"{path}: written in format {shown(data['format'])}, this qd reads format {FORMAT}; update qdnas"
            )
        missing = [one.name for one in fields(cls) if one.name not in data and not _is_optional(one)]
        if missing:
            raise UsageError(f"{path}: expected {', '.join(missing)} in it")
        try:
            typed(data, _File)
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from None
        data["evaluator"] = moved(data["evaluator"])  # exports outlive the keys of run files
        return cls(**{one.name: data[one.name] for one in fields(cls) if one.name in data})

    @property
    def is_plugin(self) -> bool:
        """Whether a stranger's space builds it, or one with modules of a stranger's."""
        return names_plugin(self.space)

    def find_space(self, folder: Path | None, where: str) -> SearchSpace:
        """The space that builds it.

        Args:
            folder: that holds the space, where it is a plug-in.
            where: for messages.

        Raises:
            UsageError: the space is unknown, or takes other arguments.
            QdError: it does not allow this genotype.
        """
        arguments = {name: value for name, value in self.space.items() if name != "kind"}
        space = Registry(folder).build("spaces", self.space["kind"], arguments, where)
        self._check_genotype(space, where)
        return space

    def network_task(self, where: str) -> Task:
        """The task of its network.

        Raises:
            UsageError: it was evaluated without one.
        """
        if not self.task:
            raise UsageError(f"{where}: this architecture was evaluated without a network, there is nothing to load")
        return Task.from_plain(self.task)

    def build(self, space: SearchSpace, where: str) -> Any:
        """The network, initialised from its seed, in training mode.

        Raises:
            QdError: the space does not build this genotype.
        """
        from ..training import build_seeded
        from ..training.memory import memory_of, physical_memory

        task = self.network_task(where)
        self._check_genotype(space, where)
        try:
            space.check_task(task)
            if is_own("spaces", self.space["kind"]):  # a stranger's may need real tensors
                needed = memory_of(lambda: space.build(copy_tree(self.genotype), task))
                if needed > physical_memory():
                    raise QdError(
                        f"{where}: its network would need {needed / 2**30:,.0f} GB, and this machine has"
                        f" {physical_memory() / 2**30:,.0f} GB"
                    )
            return build_seeded(lambda: space.build(copy_tree(self.genotype), task), self.seed)
        except QdError:
            raise
        except Exception as error:  # whatever a space runs into with a task that is not for it
            raise QdError(f"{where}: {self._not_built}: {_in_words(error)}") from error

    def _check_genotype(self, space: SearchSpace, where: str) -> None:
        try:
            space.genes.validate(self.genotype)
        except Invalid as error:
            raise QdError(f"{where}: {self._not_built}: {error}") from error

    @property
    def _not_built(self) -> str:
        return f"this version of {self.space['kind']} does not build it"


def _fits(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """A task of sizes that a machine can have, as it is written today."""
    if data is None:
        return None
    task = Task.from_plain(data)
    if max(math.prod(task.input_shape), math.prod(task.output_shape)) > LARGEST_INPUT:
        raise ValueError(f"expected at most {LARGEST_INPUT:,} numbers")
    return task.plain()


class _File(BaseModel):
    """What an architecture's file holds."""

    space: Component
    genotype: Any
    task: Annotated[dict[str, Any] | None, AfterValidator(_fits)]
    evaluator: Component
    readable: str
    run: str
    candidate: Annotated[int, Field(ge=0, lt=2**63)]
    seed: Annotated[int, Field(ge=0, lt=2**53)]
    shared_seed: Annotated[int, Field(ge=0, lt=2**53)]
    trained: dict[str, Any] | None = None
    qd_version: str = ""
    formats: dict[str, dict[str, Any]] = {}


def _in_words(error: Exception) -> str:
    return clipped(error if isinstance(error, Invalid) else f"{type(error).__name__}: {error}", LONGEST_REASON)


def _is_optional(one: DataclassField[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING
