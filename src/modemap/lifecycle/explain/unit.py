"""A unit of the map in words and numbers: what its rows are, and who lies beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from modemap.errors import ParamsError
from modemap.kernels import Grid
from modemap.lifecycle.explain.opened import PREPARED, opened
from modemap.lifecycle.insight.contrasts import contrast_groups
from modemap.lifecycle.insight.survey import survey
from modemap.lifecycle.naming import HERE
from modemap.release import Release
from modemap.reporting.story import Contrast
from modemap.reporting.words import distinction

__all__ = ["ExplainedUnit", "Neighbor", "explain_unit"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbor:
    """A unit beside another.

    Attributes
    ----------
    unit, row, column, segment, rows : int
    distance : float
        Between the two units, in robust units.
    """

    unit: int
    row: int
    column: int
    segment: int
    rows: int
    distance: float


@dataclass(frozen=True)
class ExplainedUnit:
    """A unit of the map.

    Attributes
    ----------
    name, digest : str
        Of the release.
    unit, row, column, segment : int
    rows : int
        Of all prepared rows.
    share : float
    n_sample : int
        Rows of the unit behind medians and effects.
    sentence : str
    prototype : mapping of str to float
        The unit as a row, in raw units.
    contrasts : sequence of Contrast
        How its rows differ from all others, the largest effect first.
    neighbors : sequence of Neighbor
        The nearest first.
    """

    name: str
    digest: str
    unit: int
    row: int
    column: int
    segment: int
    rows: int
    share: float
    n_sample: int
    sentence: str
    prototype: Mapping[str, float]
    contrasts: Sequence[Contrast]
    neighbors: Sequence[Neighbor]


def explain_unit(root: Path, unit: str | int, name: str = HERE) -> ExplainedUnit:
    """Return what a unit of the map stands for, over the rows in ``data/prepared``.

    Parameters
    ----------
    root : Path
        The project's folder.
    unit : str or int
        Its number, or its row and column as ``ROW,COLUMN``, all from 0.
    name : str, default="here"
        As :func:`explain_release` takes it.

    Returns
    -------
    ExplainedUnit
        Its rows are counted exactly; medians and effects rest on an even sample of very many rows.

    Raises
    ------
    ParamsError
        If there is no such unit.
    RegistryError, ReleaseError
        If there is no such release, or it is damaged.
    DataError
        If the prepared rows are missing, or lack a column.
    """
    with opened(root, name) as (called, release):
        number = _unit(unit, release)
        found = survey(root / PREPARED, release)
    is_inside = found.units == number
    (contrasts,) = contrast_groups(release.columns, found.X, is_inside.astype(np.int64), [1])
    raw = release.preparation.inverse_transform(release.som.codebook_[[number]])[0]
    row, column = divmod(number, release.som.n_columns_)
    n_rows = int(found.hits[number])
    return ExplainedUnit(
        name=called,
        digest=release.digest,
        unit=number,
        row=row,
        column=column,
        segment=int(release.segments[number]),
        rows=n_rows,
        share=float(n_rows / max(found.hits.sum(), 1)),
        n_sample=int(is_inside.sum()),
        sentence=distinction(contrasts),
        prototype=dict(zip(release.columns, raw.tolist(), strict=True)),
        contrasts=contrasts,
        neighbors=_neighbors(release, number, found.hits),
    )


def _unit(unit: str | int, release: Release) -> int:
    """Return the number of the unit that a person named."""
    n_rows, n_columns = release.som.n_rows_, release.som.n_columns_
    hint = f"a number, or ROW,COLUMN with rows 0 to {n_rows - 1} and columns 0 to {n_columns - 1}"
    parts = str(unit).split(",")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):  # noqa: PLR2004
        _refuse("must name a unit", unit, hint)
    numbers = [int(part) for part in parts]
    if len(numbers) == 1:
        if numbers[0] >= n_rows * n_columns:
            rule = f"must be on the map, which has units 0 to {n_rows * n_columns - 1}"
            _refuse(rule, unit, hint)
        return numbers[0]
    row, column = numbers
    if row >= n_rows or column >= n_columns:
        rule = f"must be on the map, which has {n_rows} rows of {n_columns} units"
        _refuse(rule, unit, hint)
    return row * n_columns + column


def _neighbors(release: Release, unit: int, hits: IntArray) -> list[Neighbor]:
    som = release.som
    edges = Grid(som.n_rows_, som.n_columns_, som.topology, som.boundary).edges()
    beside = edges[(edges == unit).any(axis=1)].sum(axis=1) - unit
    distances = np.linalg.norm(som.codebook_[beside] - som.codebook_[unit], axis=1)
    found = [
        Neighbor(
            other,
            other // som.n_columns_,
            other % som.n_columns_,
            int(release.segments[other]),
            int(hits[other]),
            distance,
        )
        for other, distance in zip(beside.tolist(), distances.tolist(), strict=True)
    ]
    return sorted(found, key=lambda neighbor: neighbor.distance)


def _refuse(rule: str, found: object, hint: str) -> NoReturn:
    raise ParamsError("--unit", rule, found=found, hint=hint)
