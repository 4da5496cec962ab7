"""Releases measured on the test rows: candidate beside champion, and group by group."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.matrix import read_matrix, read_rows
from modemap.lifecycle.bootstrap import paired_bootstrap
from modemap.lifecycle.rules import Comparison, Group, Interval, Measured
from modemap.release import Release

__all__ = ["compare", "measure_groups"]

ANOMALOUS = 99.0  # percentile
N_ROWS_A_GROUP = 30  # smaller groups are looked at together
N_GROUPS = 1000

FloatArray = NDArray[np.float64]


def compare(number: int, candidate: Release, champion: Release, rows: Path) -> Comparison:
    """Measure both on the rows in the folder ``rows``; ``number`` is the champion's version.

    The rows need not have the champion's columns: then its numbers are NaN, which pass no rule.
    """
    X = read_matrix(rows, candidate.columns)
    ours, our_errors, our_likelihoods = _measure(candidate, X)
    unknown = Interval(np.nan, np.nan, np.nan)
    if champion.columns != candidate.columns:
        other = Measured(champion.columns, len(champion.som.codebook_), np.nan, np.nan)
        return Comparison(number, ours, other, len(X), unknown, unknown)
    theirs, errors, likelihoods = (
        (ours, our_errors, our_likelihoods)
        if champion.digest == candidate.digest
        else _measure(champion, X)
    )
    return Comparison(
        number,
        ours,
        theirs,
        len(X),
        paired_bootstrap(our_errors, errors),
        paired_bootstrap(our_likelihoods, likelihoods),
    )


def _measure(release: Release, X: FloatArray) -> tuple[Measured, FloatArray, FloatArray]:
    """Return the means, and of each row its distance to the map and its log-likelihood."""
    errors = release.quantization_errors(X)
    likelihoods = release.score(X).log_likelihood
    means = float(np.mean(errors)), float(np.mean(likelihoods))
    measured = Measured(release.columns, len(release.som.codebook_), *means)
    return measured, errors, likelihoods


def measure_groups(release: Release, rows: Path, columns: Sequence[str]) -> list[Group]:
    """Measure ``release`` on the rows that share a value, for each of the sensitive ``columns``.

    Raises
    ------
    KeyError
        If ``rows`` lack one of them.
    ValueError
        If a column has too many values to be one of groups.
    """
    table = read_rows(rows)
    scores = release.score(read_matrix(rows, release.columns))
    is_anomalous = scores.anomaly_percentile >= ANOMALOUS
    ratios = scores.distances / np.mean(scores.distances)
    groups = []
    for column in columns:
        for value, members in _members(table[column], column).items():
            shares = float(np.mean(is_anomalous[members])), float(np.mean(ratios[members]))
            groups.append(Group(column, value, len(members), *shares))
    return groups


def _members(column: pa.ChunkedArray, name: str) -> dict[str, NDArray[np.int64]]:
    """Return the row numbers of each value; those of small groups together."""
    text = pc.fill_null(pc.cast(column, pa.string()), "missing")
    values, codes = np.unique(np.asarray(text.to_pylist(), dtype=object), return_inverse=True)
    if len(values) > N_GROUPS:
        raise ValueError(f"column {name} has {len(values)} values: groups are at most {N_GROUPS}")
    counts = np.bincount(codes)
    small = np.flatnonzero(counts[codes] < N_ROWS_A_GROUP)
    members = {
        str(values[code]): np.flatnonzero(codes == code)
        for code in np.flatnonzero(counts >= N_ROWS_A_GROUP)
    }
    return members | ({"of small groups": small} if len(small) else {})
