"""Rows in words and numbers: what each column adds to how unusual they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.sources import source_of, source_pieces
from modemap.errors import DataError
from modemap.estimators.checks import check_integer
from modemap.lifecycle.explain.opened import PREPARED, opened
from modemap.lifecycle.given import given_by_hand
from modemap.lifecycle.insight.findable import as_text
from modemap.lifecycle.insight.reasons import reasons_of, shares_of
from modemap.lifecycle.insight.survey import training_sample
from modemap.lifecycle.naming import HERE
from modemap.lifecycle.taking import Taken, Taking
from modemap.params import load_params
from modemap.release import Release
from modemap.reporting.words import blame, place_of

__all__ = ["ColumnShare", "ExplainedRow", "ExplainedRows", "explain_rows"]

FloatArray = NDArray[np.float64]

MAX_ROWS = 20


@dataclass(frozen=True)
class ColumnShare:
    """What one column adds to how unusual a row is.

    Where the map alone sees the column, what is of the density is None.

    Attributes
    ----------
    column : str
    value : float
        As the models saw it: the training rows' median where it was missing.
    was_missing : bool
    nats : float or None
        Of minus the log-likelihood.
    beyond : float or None
        Nats more than in a usual row.
    place : str or None
        Of the value among the training rows' values.
    squared : float
        Of the squared distance to the unit, in robust units.
    """

    column: str
    value: float
    was_missing: bool
    nats: float | None
    beyond: float | None
    place: str | None
    squared: float


@dataclass(frozen=True)
class ExplainedRow:
    """A row, and why it is unusual.

    Attributes
    ----------
    key : mapping of str to str
    not_scored : str or None
        Why training would not have taken the row; then nothing else is known.
    unit, segment : int or None
    log_likelihood : float or None
        As a density of raw units; the shares ``nats`` add up to minus this.
    anomaly_percentile : float or None
    distance : float or None
        To the unit, in robust units; the shares ``squared`` add up to its square.
    sentence : str or None
        Which columns make it unusual: those that add a nat or more beyond a usual row.
    columns : sequence of ColumnShare
        The heaviest beyond a usual row first; columns of the map alone last.
    """

    key: Mapping[str, str]
    not_scored: str | None
    unit: int | None = None
    segment: int | None = None
    log_likelihood: float | None = None
    anomaly_percentile: float | None = None
    distance: float | None = None
    sentence: str | None = None
    columns: Sequence[ColumnShare] = ()


@dataclass(frozen=True)
class ExplainedRows:
    """Rows of a source.

    Attributes
    ----------
    name, digest : str
        Of the release.
    rows : sequence of ExplainedRow
    """

    name: str
    digest: str
    rows: Sequence[ExplainedRow]


@given_by_hand()
def explain_rows(
    root: Path, source: str, name: str = HERE, *, most: int = MAX_ROWS
) -> ExplainedRows:
    """Return why the first rows of ``source`` are unusual: what each column adds.

    Usual is what the training rows in ``data/prepared`` are.

    Parameters
    ----------
    root : Path
        The project's folder.
    source : str
        A file, a folder, a glob, or whatever else ``ingest.source`` may name.
    name : str, default="here"
        As :func:`explain_release` takes it.
    most : int, default=20
        How many rows.

    Returns
    -------
    ExplainedRows
        A row that training would not have taken says why and has nothing else.

    Raises
    ------
    ValueError
        If ``most`` is less than 1.
    RegistryError, ReleaseError
        If there is no such release, or it is damaged.
    DataError
        If the source cannot be read, lacks a column or holds no row that can be explained, or the
        prepared rows are missing.

    References
    ----------
    E. Song, B. Nelson, J. Staum, Shapley effects for global sensitivity analysis, SIAM/ASA J.
    Uncertainty Quantification 4 (2016).
    """
    check_integer("most", most, 1)
    months = load_params(root / "params.yaml").ingest.months
    with opened(root, name) as (called, release):
        table = _first_rows(source_of(source), months, most)
        taken = Taking(release, source).taken(table)
        _check_some(source, taken)
        train = training_sample(root / PREPARED, release)
    is_fine = [reason is None for reason in taken.reasons]
    explained = _explained(release, taken.X[is_fine], train)
    keys = [{name: as_text(v) for name, v in key.items()} for key in taken.keys.to_pylist()]
    rows = [
        ExplainedRow(key, reason) if reason else replace(next(explained), key=key)
        for key, reason in zip(keys, taken.reasons, strict=True)
    ]
    return ExplainedRows(called, release.digest, rows)


def _first_rows(source: str, months: Sequence[int], most: int) -> pa.Table:
    """Return at most ``most`` rows, reading no further."""
    kept: list[pa.Table] = []
    for _, table in source_pieces(source, months):
        kept.append(table.slice(0, most - sum(map(len, kept))))
        if sum(map(len, kept)) >= most:
            break
    return pa.concat_tables(kept)


def _check_some(source: str, taken: Taken) -> None:
    if all(reason is not None for reason in taken.reasons):
        raise DataError(
            f"{source}: first {len(taken.reasons)} rows",
            "must hold a row that training would have taken",
            found=f"row 0, {taken.reasons[0]}",
            hint="fill the value in, or name a source of whole rows",
        )


def _explained(release: Release, X: FloatArray, train: FloatArray) -> Iterator[ExplainedRow]:
    """Yield what is to say of each raw row of ``X``, without its key."""
    filled, scores = release.preparation.fill(X), release.score(X)
    shares = shares_of(release, release.preparation.transform(filled), scores.units)
    for i, reasons in enumerate(reasons_of(release, filled, train)):
        nats = dict(zip(release.measured_columns, shares.surprise[i].tolist(), strict=True))
        told = {reason.column: reason for reason in reasons}
        columns = []
        for name in [*told, *(name for name in release.columns if name not in told)]:
            j, reason = release.columns.index(name), told.get(name)
            columns.append(
                ColumnShare(
                    name,
                    float(filled[i, j]),
                    bool(np.isnan(X[i, j])),
                    nats.get(name),
                    reason.nats if reason else None,
                    place_of(reason) if reason else None,
                    float(shares.squares[i, j]),
                )
            )
        yield ExplainedRow(
            {},
            None,
            int(scores.units[i]),
            int(scores.segments[i]),
            float(scores.log_likelihood[i]),
            float(scores.anomaly_percentile[i]),
            float(scores.distances[i]),
            blame(reasons),
            columns,
        )
