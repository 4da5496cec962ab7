"""Releases measured on the test rows: candidate beside champion, and group by group."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.matrix import matrix, prepared_batches, prepared_tables
from modemap.estimators.preparation import Preparation
from modemap.lifecycle.evidence.bootstrap import PairedBootstrap
from modemap.lifecycle.rules import Comparison, Group, Interval, Measured
from modemap.release import Release
from modemap.sketch import sketches_of

__all__ = ["ANOMALOUS", "measure_both", "measure_groups"]

ANOMALOUS = 99.0  # percentile
N_ROWS_A_GROUP = 30  # smaller groups are looked at together
N_GROUPS = 1000

FloatArray = NDArray[np.float64]


def measure_both(candidate: Release, champion: Release, prepared: Path) -> Comparison:
    """Measure both on the test rows in ``prepared``.

    The rows need not have the champion's columns: then its numbers are NaN, which pass no rule.
    """
    rows = prepared_batches(prepared, "test", candidate.columns)
    yardstick = candidate.yardstick(sketches_of(rows.batches()))
    is_comparable = champion.columns == candidate.columns
    is_same = not is_comparable or champion.digest == candidate.digest
    sums = np.zeros((2, 2))  # of distances and log-likelihoods: the candidate's, the champion's
    errors, likelihoods = PairedBootstrap(), PairedBootstrap()
    for X in rows.batches():
        ours = _by_row(candidate, X, yardstick)
        theirs = ours if is_same else _by_row(champion, X, yardstick)
        sums += [[float(np.sum(values)) for values in found] for found in (ours, theirs)]
        errors.add(ours[0], theirs[0])
        likelihoods.add(ours[1], theirs[1])
    means = sums / rows.n_rows
    unknown = Interval(np.nan, np.nan, np.nan)
    return Comparison(
        _measured(candidate, means[0]),
        _measured(champion, means[1] if is_comparable else np.full(2, np.nan)),
        rows.n_rows,
        errors.interval() if is_comparable else unknown,
        likelihoods.interval() if is_comparable else unknown,
    )


def _by_row(
    release: Release, X: FloatArray, yardstick: Preparation
) -> tuple[FloatArray, FloatArray]:
    """Return the distance of each row to the map, and its log-likelihood."""
    scaled = release.preparation.transform(X)
    return release.quantization_errors(X, yardstick), release.log_likelihood(scaled)


def _measured(release: Release, means: FloatArray) -> Measured:
    return Measured(release.columns, len(release.som.codebook_), float(means[0]), float(means[1]))


def measure_groups(release: Release, prepared: Path, columns: Sequence[str]) -> list[Group]:
    """Measure ``release`` on the test rows that share a value of one of the sensitive ``columns``.

    Raises
    ------
    DataError
        If the rows lack one of them.
    ValueError
        If a column has too many values to be one of groups.
    """
    names = list(dict.fromkeys([*release.columns, *columns]))
    tallies: dict[str, dict[str, FloatArray]] = {
        column: defaultdict(lambda: np.zeros(3)) for column in columns
    }  # of each value: rows, anomalous rows, distances
    total = np.zeros(3)
    for table in prepared_tables(prepared, "test", names):
        scores = release.score(matrix(table, release.columns))
        is_anomalous = scores.anomaly_percentile >= ANOMALOUS
        rows = np.column_stack((np.ones(len(table)), is_anomalous, scores.distances))
        total += rows.sum(axis=0)
        for column in columns:
            for value, members in _members(table[column]):
                tallies[column][value] += rows[members].sum(axis=0)
            _check_number(column, len(tallies[column]))
    mean = total[2] / total[0]
    return [
        Group(column, value, int(n), float(anomalous / n), float(distance / n / mean))
        for column, of_value in tallies.items()
        for value, (n, anomalous, distance) in _large(of_value).items()
    ]


def _members(column: pa.ChunkedArray) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each value and the numbers of its rows."""
    coded = pc.dictionary_encode(pc.fill_null(pc.cast(column, pa.string()), "missing"))
    coded = coded.combine_chunks()
    codes = coded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    yield from zip(coded.dictionary.to_pylist(), np.split(order, cuts), strict=True)


def _check_number(name: str, n_values: int) -> None:
    if n_values > N_GROUPS:
        raise ValueError(f"column {name} has {n_values} values: groups are at most {N_GROUPS}")


def _large(tallies: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the tallies by value, those of small groups together."""
    large = {v: tally for v, tally in sorted(tallies.items()) if tally[0] >= N_ROWS_A_GROUP}
    small = [tally for tally in tallies.values() if tally[0] < N_ROWS_A_GROUP]
    return large | ({"of small groups": np.sum(small, axis=0)} if small else {})
