"""A part of an ONNX graph, node by node."""

from __future__ import annotations

from typing import Any

import numpy as np


class Graph:
    """Nodes and constants with names of their own.

    Args:
        prefix: of all names.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        name = output or f"{self._prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, array: np.ndarray | np.generic) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = f"{self._prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def number(self, name: str) -> str:
        """The tensor of that name as float32."""
        from onnx import TensorProto

        return self.add("Cast", name, to=TensorProto.FLOAT)
