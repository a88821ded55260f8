"""Networks as `torch.export` traces them, for any number of examples."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from ..errors import QdError


def traced(network: Any, example: Any) -> Any:
    """What `torch.export` makes of a network, for any number of examples.

    Raises:
        QdError: it cannot trace this one.
    """
    import torch

    try:
        program = torch.export.export(network, (example,), dynamic_shapes=any_batch())
    except Exception as error:  # torch has no common class for what a stranger's forward() may run into
        raise QdError(
            f"torch.export cannot trace this network ({type(error).__name__}: {error}). Its forward() must not depend"
            " on the values of tensors; or leave onnx and torch out: `formats` safetensors"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def any_batch() -> Any:
    """That the first axis of the input may have any length."""
    import torch

    return ({0: torch.export.Dim("batch")},)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch says of itself from people."""
    # torch warns of its own deprecations, and logs that torchvision, which nobody asked for, is not there
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
