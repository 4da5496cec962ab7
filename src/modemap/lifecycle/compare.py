"""Two releases side by side: settings, data, how good they are, and which rows they see otherwise.

Both are asked about the same test rows, those that lie prepared in the checkout.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from modemap.data.matrix import matrix, prepared_tables
from modemap.files import read_json, write_bytes
from modemap.lifecycle.candidate import RAW_MANIFEST
from modemap.lifecycle.evidence.measure import ANOMALOUS, measure_both
from modemap.lifecycle.naming import find_candidate
from modemap.lifecycle.report.portrait import map_picture
from modemap.lifecycle.rules import Interval
from modemap.metrics.labels import adjusted_rand
from modemap.params import load_params
from modemap.release import Release, load_release
from modemap.reporting.alignment import AlignedMaps, Alignment
from modemap.reporting.maps import cells_of
from modemap.reporting.story import MapPicture
from modemap.tracking.registry import Registry
from modemap.tracking.runs import flat
from modemap.tracking.store import open_store

__all__ = ["ChangedRow", "Compared", "compare_releases", "write_comparison"]

PREPARED = Path("data", "prepared")
N_CHANGED = 10  # rows that are shown
Pair = tuple[float, float]


@dataclass(frozen=True)
class ChangedRow:
    """A test row that the second release finds more, or less, unusual than the first."""

    key: Mapping[str, Any]
    percentiles: Pair
    segments: tuple[int, int]


@dataclass(frozen=True)
class Compared:
    """The first and the second release on the same rows.

    Attributes
    ----------
    names, digests : tuple of str
    params : mapping of str to tuple
        The settings that differ; None is one that a release does not have.
    batches : tuple of list of str
        Sources that only the first, and only the second was made from.
    n_rows : int
    quantization_error, log_likelihood : tuple of float
        Means over the rows; distances in robust units of these rows.
    error_change, likelihood_change : Interval
        Mean differences, second minus first, with 95 % intervals by a paired bootstrap; NaN where
        the two are not of the same columns.
    segment_agreement : float
        Adjusted Rand index of the two segmentations.
    moved_share : float
        Share of rows that changed segment, once each segment is matched with its like.
    unusual : tuple of int
        Rows rarer than 99 of 100 training rows by both, by the first alone, by the second alone.
    matches : mapping of int to int
        For each segment of the second the number under which it is spoken of here: that of its
        like of the first, or one that the first does not have.
    changed : list of ChangedRow
        Rows whose percentile changed most.
    map_agreement : float
        Between the places of a row on both maps, once the second is turned as the first: 1 the
        same, 0 unrelated.
    maps : AlignedMaps
        Both maps with the rows on them.
    """

    names: tuple[str, str]
    digests: tuple[str, str]
    params: Mapping[str, tuple[Any, Any]]
    batches: tuple[list[str], list[str]]
    n_rows: int
    quantization_error: Pair
    log_likelihood: Pair
    error_change: Interval
    likelihood_change: Interval
    segment_agreement: float
    moved_share: float
    unusual: tuple[int, int, int]
    matches: Mapping[int, int]
    changed: list[ChangedRow]
    map_agreement: float
    maps: AlignedMaps = field(repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """Everything but the drawings, as JSON says it: a number that is none is None."""
        return {name: _as_json(value) for name, value in vars(self).items() if name != "maps"}


def compare_releases(root: Path, first: str, second: str) -> Compared:
    """Compare two releases on the test rows in ``data/prepared``.

    Parameters
    ----------
    root : Path
        The project's folder.
    first, second : str
        As :func:`~modemap.lifecycle.naming.find_candidate` takes them.

    Raises
    ------
    RegistryError
        If a name is that of no release, or of several.
    ReleaseError
        If the files of one are not those of its digest.
    DataError
        If the rows lack a column.
    """
    params = load_params(root / "params.yaml")
    registry = Registry(open_store(root, params.project))
    candidates = [find_candidate(root, name, lambda: registry) for name in (first, second)]
    with tempfile.TemporaryDirectory(prefix="modemap-compare-") as folder:
        places = [Path(folder, side) for side in ("first", "second")]
        releases = [
            load_release(candidate.release(_made(place / "release")), candidate.digest)
            for candidate, place in zip(candidates, places, strict=True)
        ]
        made_of = [
            _sources(candidate.papers(_made(place / "papers")))
            for candidate, place in zip(candidates, places, strict=True)
        ]
        measured = measure_both(releases[1], releases[0], root / PREPARED)
    rows = _Rows(releases[0], releases[1])
    names = [*dict.fromkeys([*params.prepare.key, *releases[0].columns, *releases[1].columns])]
    for table in prepared_tables(root / PREPARED, "test", names):
        rows.add(table, params.prepare.key)
    return Compared(
        names=(candidates[0].name, candidates[1].name),
        digests=(releases[0].digest, releases[1].digest),
        params=_differences(*(flat(release.manifest["params"]) for release in releases)),
        batches=(sorted(made_of[0] - made_of[1]), sorted(made_of[1] - made_of[0])),
        n_rows=measured.n_rows,
        quantization_error=(
            measured.champion.quantization_error,
            measured.candidate.quantization_error,
        ),
        log_likelihood=(measured.champion.log_likelihood, measured.candidate.log_likelihood),
        error_change=measured.quantization_error,
        likelihood_change=measured.log_likelihood,
        segment_agreement=rows.agreement(),
        moved_share=rows.moved_share(),
        unusual=rows.unusual(),
        matches=rows.matches(),
        changed=rows.changed(),
        map_agreement=(maps := rows.maps()).turn.agreement,
        maps=maps,
    )


def write_comparison(path: Path, found: Compared) -> None:
    """Write what was found as one self-contained page, the maps side by side."""
    from modemap.reporting.comparison import render_comparison  # noqa: PLC0415  # needs an extra

    write_bytes(path, render_comparison(found.facts, found.maps).encode())


class _Rows:
    """What two releases say of the same rows, which come in parts."""

    def __init__(self, first: Release, second: Release) -> None:
        self._releases = first, second
        shape = [int(release.segments.max()) + 1 for release in self._releases]
        self._together = np.zeros(shape, np.int64)  # rows by segment of the first, of the second
        self._unusual = np.zeros(3, np.int64)  # by both, by the first alone, by the second alone
        self._changed: list[tuple[float, ChangedRow]] = []
        self._hits = [np.zeros(len(release.segments), np.int64) for release in self._releases]
        pictures = self._pictures()
        cells = [cells_of(picture) for picture in pictures]
        self._alignment = Alignment(*cells, is_toroidal=pictures[1].is_toroidal)

    def add(self, table: pa.Table, key: Sequence[str]) -> None:
        """Ask both about the rows of ``table``."""
        one, other = (release.score(matrix(table, release.columns)) for release in self._releases)
        np.add.at(self._together, (one.segments, other.segments), 1)
        for hits, units in zip(self._hits, (one.units, other.units), strict=True):
            np.add.at(hits, units, 1)
        self._alignment.add(one.units, other.units)
        first, second = (found.anomaly_percentile >= ANOMALOUS for found in (one, other))
        self._unusual += [
            np.sum(first & second),
            np.sum(first & ~second),
            np.sum(second & ~first),
        ]
        size = np.abs(other.anomaly_percentile - one.anomaly_percentile)
        for i in np.argsort(-size, kind="stable")[:N_CHANGED].tolist():
            named = {name: table[name][i].as_py() for name in key}
            percentiles = float(one.anomaly_percentile[i]), float(other.anomaly_percentile[i])
            segments = int(one.segments[i]), int(other.segments[i])
            self._changed.append((float(size[i]), ChangedRow(named, percentiles, segments)))
        self._changed.sort(key=lambda sized: -sized[0])
        del self._changed[N_CHANGED:]

    def agreement(self) -> float:
        """Return the adjusted Rand index of the segmentations."""
        return adjusted_rand(self._together)

    def matches(self) -> dict[int, int]:
        """Return for each segment of the second its like of the first, or a number of its own."""
        firsts, seconds = linear_sum_assignment(self._together, maximize=True)
        found = dict(zip(seconds.tolist(), firsts.tolist(), strict=True))
        n_first, n_second = self._together.shape
        others = [segment for segment in range(n_second) if segment not in found]
        found |= {segment: number for number, segment in enumerate(others, n_first)}
        return dict(sorted(found.items()))

    def moved_share(self) -> float:
        """Return the share of rows outside of the segments that match best."""
        stayed = sum(
            self._together[first, second]
            for second, first in self.matches().items()
            if first < len(self._together)
        )
        return float(1 - stayed / self._together.sum())

    def unusual(self) -> tuple[int, int, int]:
        """Return how many rows are unusual for both, for the first and for the second alone."""
        both, first, second = self._unusual.tolist()
        return both, first, second

    def changed(self) -> list[ChangedRow]:
        """Return the rows whose percentile changed most, if it changed at all.

        Segments of the second release have the numbers of their like.
        """
        matches = self.matches()
        return [
            replace(row, segments=(row.segments[0], matches[row.segments[1]]))
            for size, row in self._changed
            if size > 0
        ]

    def maps(self) -> AlignedMaps:
        """Return both maps with the rows on them, segments that are alike under one number."""
        first, second = self._pictures()
        matches = np.array(list(self.matches().values()))
        turn = self._alignment.turn()
        second = turn.rolled(replace(second, segments=matches[second.segments]))
        return AlignedMaps(first, second, turn)

    def _pictures(self) -> list[MapPicture]:
        sides = zip(self._releases, self._hits, strict=True)
        return [map_picture(release, hits) for release, hits in sides]


def _as_json(value: Any) -> Any:
    if isinstance(value, Interval | ChangedRow):
        return _as_json(vars(value))
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)


def _sources(papers: Path) -> set[str]:
    manifest = papers / RAW_MANIFEST
    if not manifest.is_file():
        return set()
    return {str(batch.get("source")) for batch in read_json(manifest)["batches"]}


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted({*first, *second})
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
