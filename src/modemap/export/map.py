"""The map as a graph: raw rows in; unit, position, segment and distance out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modemap.export.nodes import Nodes
from modemap.export.rows import NO_UNIT, prepared_rows
from modemap.release import unit_positions

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import GraphProto

    from modemap.release import Release

    Part = Callable[[Nodes, str], str]

__all__ = ["map_graph"]


def map_graph(release: Release) -> GraphProto:
    """Return the graph that answers for the map of ``release``.

    Raises
    ------
    ReleaseError
        If a column of the map is one that ONNX cannot make.
    """
    nodes = Nodes()
    rows = prepared_rows(nodes, release, measured=False)
    codebook = nodes.constant(release.som.codebook_)  # the one that all answers come from
    units, n_columns = nodes.add("Transpose", codebook, perm=[1, 0]), len(release.columns)
    distances = DISTANCES[release.som.metric](nodes, rows.values, units, n_columns)
    unit = nodes.add("ArgMin", distances, axis=1, keepdims=0)  # of equals the first, as ours
    answered = nodes.add("Where", rows.taken, unit, NO_UNIT)
    nodes.output(answered, "unit", "int64", [], f"nearest unit, {NO_UNIT} of a row not taken")
    place = nodes.add("Gather", unit_positions(release.som), unit, axis=0)
    beside = nodes.add("Unsqueeze", rows.taken, [1])
    position = nodes.add("Where", beside, place, np.nan)
    nodes.output(position, "position", "double", [2], "its row and column on the plane")
    segment = nodes.add("Gather", release.segments, unit, axis=0)
    answered = nodes.add("Where", rows.taken, segment, NO_UNIT)
    nodes.output(answered, "segment", "int64", [], f"its segment, {NO_UNIT} of a row not taken")
    off = nodes.add("Sub", rows.values, nodes.add("Gather", codebook, unit, axis=0))
    length = nodes.add("Squeeze", _lengths(nodes, off, 1), [1])
    distance = rows.numbers(nodes, length)
    nodes.output(distance, "distance", "double", [], "quantization distance in robust units")
    return nodes.graph("map")


def _lengths(nodes: Nodes, vectors: str, axis: int) -> str:
    """Return the lengths of vectors along ``axis``, which stays."""
    squares = nodes.add("Mul", vectors, vectors)
    return nodes.add("Sqrt", nodes.add("ReduceSum", squares, [axis], keepdims=1))


def _gathered(
    nodes: Nodes, rows: str, units: str, n_columns: int, *, part: Part, operator: str
) -> str:
    """Return the parts of each column, (n_rows, n_units), put together by ``operator``.

    Column by column, so that no array has three dimensions.
    """
    total = ""
    for j in range(n_columns):
        column, of_units = nodes.add("Gather", rows, [j], axis=1), nodes.add("Gather", units, [j])
        found = part(nodes, nodes.add("Sub", column, of_units))
        total = nodes.add(operator, total, found) if total else found
    return total


def _square(nodes: Nodes, value: str) -> str:
    return nodes.add("Mul", value, value)


def _size(nodes: Nodes, value: str) -> str:
    return nodes.add("Abs", value)


def _euclidean(nodes: Nodes, rows: str, units: str, n_columns: int) -> str:
    """Return squared distances: their order is that of the distances."""
    return _gathered(nodes, rows, units, n_columns, part=_square, operator="Add")


def _manhattan(nodes: Nodes, rows: str, units: str, n_columns: int) -> str:
    return _gathered(nodes, rows, units, n_columns, part=_size, operator="Add")


def _chebyshev(nodes: Nodes, rows: str, units: str, n_columns: int) -> str:
    return _gathered(nodes, rows, units, n_columns, part=_size, operator="Max")


def _cosine(nodes: Nodes, rows: str, units: str, n_columns: int) -> str:
    """Return 1 less the cosine, at least 0; 1 where a row or a unit has no length."""
    del n_columns
    lengths = nodes.add("Mul", _lengths(nodes, rows, 1), _lengths(nodes, units, 0))
    has_length = nodes.add("Greater", lengths, 0.0)
    products = nodes.add("MatMul", rows, units)
    cosines = nodes.add("Div", products, nodes.add("Where", has_length, lengths, 1.0))
    return nodes.add("Max", nodes.add("Sub", 1.0, cosines), 0.0)


DISTANCES = {
    "euclidean": _euclidean,
    "manhattan": _manhattan,
    "chebyshev": _chebyshev,
    "cosine": _cosine,
}
