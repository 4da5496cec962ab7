"""Nodes of a graph, added one by one; each is called by the name of what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto, ValueInfoProto

__all__ = ["BATCH", "Nodes"]

BATCH = "n_rows"  # the dimension that is as long as a request
TYPES = {
    "double": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
}


class Nodes:
    """The nodes, constants, inputs and outputs of one graph, in the order they were added."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[Any] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []

    def input(self, name: str, kind: str, shape: Sequence[int], text: str) -> str:
        """Take an input of ``kind``, a batch of arrays of ``shape``; return its name."""
        self._inputs.append(_value(name, kind, shape, text))
        return name

    def output(self, value: str, name: str, kind: str, shape: Sequence[int], text: str) -> None:
        """Give ``value`` out as ``name``."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(_value(name, kind, shape, text))

    def constant(self, array: NDArray[Any] | Sequence[Any] | float) -> str:
        """Return the name of a constant: floats are float64, whole numbers int64."""
        values = np.asarray(array)
        if values.dtype.kind == "f":
            values = values.astype(np.float64)
        elif values.dtype.kind in "iu":
            values = values.astype(np.int64)
        elif values.dtype.kind == "U":
            values = values.astype(object)  # how ONNX holds texts
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node and return the name of its output; inputs are names or constants."""
        names = [given if isinstance(given, str) else self.constant(given) for given in inputs]
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, names, [name], **attributes))
        return name

    def cast(self, value: str, kind: str) -> str:
        """Return ``value`` as numbers of ``kind``."""
        return self.add("Cast", value, to=TYPES[kind])

    def graph(self, name: str) -> GraphProto:
        """Return the whole as a graph."""
        return helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)


def _value(name: str, kind: str, shape: Sequence[int], text: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TYPES[kind], [BATCH, *shape], text)
