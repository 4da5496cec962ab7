"""Raw rows as a graph takes and prepares them: gaps filled, robust units, decorrelation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modemap.errors import ReleaseError
from modemap.estimators.checks import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modemap.estimators import Preparation
    from modemap.export.nodes import Nodes
    from modemap.release import Release

__all__ = ["NO_UNIT", "ROWS", "PreparedRows", "category_input", "levels", "prepared_rows"]

ROWS = "rows"  # the input of numbers
NO_UNIT = -1  # the unit of a row that training would not have taken


@dataclass(frozen=True)
class PreparedRows:
    """What the rest of a graph reads: names of values.

    Parameters
    ----------
    values : str
        The prepared rows, (n_rows, n_columns); what stands in a row not taken has no meaning.
    taken : str
        Whether training would have taken the row, (n_rows,).
    """

    values: str
    taken: str

    def numbers(self, nodes: Nodes, value: str) -> str:
        """Return ``value``, (n_rows,), NaN where a row is not taken."""
        return nodes.add("Where", self.taken, value, np.nan)


def category_input(name: str) -> str:
    """Return how the input of category ``name`` is called."""
    return f"category/{name}"


def levels(release: Release) -> dict[str, list[str]]:
    """Return the categories of a release and the levels that its map has a column for.

    Raises
    ------
    ReleaseError
        If a column of the map is made of a time stamp: there is no operator for these.
    """
    found: dict[str, list[str]] = {}
    map_only = release.preparation.map_only or {}
    for column in (name for name in release.columns if name in map_only):
        category = map_only[column]
        if category is None:
            raise ReleaseError(
                f"column `{column}`",
                "a column of an exported map must be a number or a category's level",
                found="a part of a time stamp, for which ONNX has no operators",
                hint="serve this release by `modemap serve`, or train without prepare.times",
            )
        found.setdefault(category, []).append(column.removeprefix(f"{category} = "))
    return found


def prepared_rows(nodes: Nodes, release: Release, *, measured: bool) -> PreparedRows:
    """Add the inputs of a graph and their preparation.

    Parameters
    ----------
    nodes : Nodes
        The graph.
    release : Release
        Whose preparation it is.
    measured : bool
        Whether only the columns are asked for that the mixture sees: the numbers.
    """
    preparation = release.preparation
    numbers = release.measured_columns
    rows = nodes.input(ROWS, "double", [len(numbers)], ", ".join(numbers))
    filled = _filled(nodes, preparation, rows)
    taken = _taken(nodes, filled)
    safe = nodes.add("Where", nodes.add("Unsqueeze", taken, [1]), filled, 0.0)
    if measured:
        places, raw = preparation.measured_, safe
    else:
        places, raw = np.arange(len(preparation.columns)), _with_indicators(nodes, release, safe)
    scaled = _scaled(nodes, preparation, raw, places)
    return PreparedRows(scaled, nodes.add("And", taken, _taken(nodes, scaled)))


def _filled(nodes: Nodes, preparation: Preparation, rows: str) -> str:
    """Put the median where a value is missing and the policy says so; elsewhere NaN stays."""
    fill = [
        value if preparation.missing[name] == "median" else np.nan
        for name, value in zip(preparation.columns, preparation.fill_, strict=True)
    ]
    is_missing = nodes.add("IsNaN", rows)
    return nodes.add("Where", is_missing, np.array(fill)[preparation.measured_], rows)


def _taken(nodes: Nodes, rows: str) -> str:
    """Tell which rows are finite, small enough and without gaps: comparisons with NaN are false."""
    is_fine = nodes.add("LessOrEqual", nodes.add("Abs", rows), LARGEST)
    as_numbers = nodes.cast(is_fine, "double")
    least = nodes.add("ReduceMin", as_numbers, [1], keepdims=0)
    return nodes.add("Greater", least, 0.5)


def _with_indicators(nodes: Nodes, release: Release, rows: str) -> str:
    """Add the map's columns of categories: 1 where a row has the level, else 0."""
    categories = levels(release)
    if not categories:
        return rows
    parts, names = [rows], list(release.measured_columns)
    for category, listed in categories.items():
        parts.append(_indicators(nodes, category, listed))
        names += [f"{category} = {level}" for level in listed]
    together = nodes.add("Concat", *parts, axis=1)
    return nodes.add("Gather", together, [names.index(name) for name in release.columns], axis=1)


def _indicators(nodes: Nodes, category: str, listed: Sequence[str]) -> str:
    text = f"texts; a level of {category}, or anything else: {', '.join(listed)}"
    texts = nodes.input(category_input(category), "string", [], text)
    is_level = nodes.add("Equal", nodes.add("Unsqueeze", texts, [1]), np.array([listed]))
    return nodes.cast(is_level, "double")


def _scaled(nodes: Nodes, preparation: Preparation, rows: str, places: np.ndarray) -> str:
    """Return filled rows of the columns at ``places`` in robust units, decorrelated."""
    centered = nodes.add("Sub", rows, preparation.center_[places])
    scaled = nodes.add("Div", centered, preparation.scale_[places])
    if preparation.directions_ is None:
        return scaled
    turn = _turn(preparation, places)
    turned = nodes.add("MatMul", nodes.add("Sub", scaled, turn["mean"]), turn["axes"])
    return nodes.add("Div", turned, turn["lengths"])


def _turn(preparation: Preparation, places: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the directions among ``places``; those that only the map sees stay as they are."""
    directions, n = preparation.directions_, len(places)
    assert directions is not None  # noqa: S101  (for the type checker)
    among = np.flatnonzero(np.isin(places, preparation.measured_))
    mean, lengths, axes = np.zeros(n), np.ones(n), np.eye(n)
    mean[among], lengths[among] = directions.mean, directions.lengths
    axes[np.ix_(among, among)] = directions.axes
    return {"mean": mean, "axes": axes, "lengths": lengths}
