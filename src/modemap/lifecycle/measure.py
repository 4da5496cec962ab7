"""Releases measured on the test rows: candidate beside champion, and group by group."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.matrix import matrix, prepared_batches, prepared_tables
from modemap.lifecycle.bootstrap import PairedBootstrap
from modemap.lifecycle.rules import Comparison, Group, Interval, Measured
from modemap.release import Release
from modemap.sketch import sketches_of

__all__ = ["compare", "measure_groups"]

ANOMALOUS = 99.0  # percentile
N_ROWS_A_GROUP = 30  # smaller groups are looked at together
N_GROUPS = 1000

FloatArray = NDArray[np.float64]


def compare(number: int, candidate: Release, champion: Release, prepared: Path) -> Comparison:
    """Measure both on the test rows in ``prepared``; ``number`` is the champion's version.

    The rows need not have the champion's columns: then its numbers are NaN, which pass no rule.
    """
    rows = prepared_batches(prepared, "test", candidate.columns)
    yardstick = candidate.yardstick(sketches_of(rows.batches()))
    is_comparable = champion.columns == candidate.columns
    releases = [candidate]
    if is_comparable and champion.digest != candidate.digest:
        releases.append(champion)
    sums = np.zeros((2, 2))  # of distances and log-likelihoods, for either release
    intervals = PairedBootstrap(), PairedBootstrap()
    for X in rows.batches():
        found = [
            (
                release.quantization_errors(X, yardstick),
                release.log_likelihood(release.preparation.transform(X)),
            )
            for release in releases
        ]
        ours, theirs = found[0], found[-1]
        sums += [[float(np.sum(values)) for values in pair] for pair in (ours, theirs)]
        for interval, own, other in zip(intervals, ours, theirs, strict=True):
            interval.add(own, other)
    means = sums / rows.n_rows
    unknown = Interval(np.nan, np.nan, np.nan)
    differences = [bootstrap.interval() if is_comparable else unknown for bootstrap in intervals]
    measured = (
        Measured(release.columns, len(release.som.codebook_), *numbers)
        for release, numbers in (
            (candidate, means[0].tolist()),
            (champion, means[1].tolist() if is_comparable else (np.nan, np.nan)),
        )
    )
    return Comparison(number, *measured, rows.n_rows, *differences)


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
