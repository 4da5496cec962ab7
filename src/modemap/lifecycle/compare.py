"""Two releases side by side: settings, data, how good they are, and which rows they see otherwise.

Both are asked about the same test rows, those that lie prepared in the checkout.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from modemap.data.matrix import matrix, prepared_tables
from modemap.errors import RegistryError
from modemap.files import read_json
from modemap.lifecycle.candidate import RAW_MANIFEST, LocalCandidate, RegisteredCandidate
from modemap.lifecycle.measure import ANOMALOUS, compare
from modemap.lifecycle.rules import Interval
from modemap.metrics.labels import adjusted_rand
from modemap.params import load_params
from modemap.release import Release, load_release
from modemap.tracking.registry import Registry, Version
from modemap.tracking.runs import flat
from modemap.tracking.store import open_store

__all__ = ["HERE", "ChangedRow", "Compared", "compare_releases"]

HERE = "here"  # the release in the checkout
PREPARED = Path("data", "prepared")
SHORTEST = 6  # characters that name a digest, a run or a commit
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
    changed : list of ChangedRow
        Rows whose percentile changed most.
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
    changed: list[ChangedRow]


def compare_releases(root: Path, first: str, second: str) -> Compared:
    """Compare two releases on the test rows in ``data/prepared``.

    Parameters
    ----------
    root : Path
        The project's folder.
    first, second : str
        A version's number; the beginning of the digest, of the run or of the commit of one; or
        ``here``, the release in ``models/release``.

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
    candidates = [_candidate(root, registry, name) for name in (first, second)]
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
        measured = compare(0, releases[1], releases[0], root / PREPARED)
    rows = _Rows(releases[0], releases[1])
    names = [*dict.fromkeys([*params.prepare.key, *releases[0].columns, *releases[1].columns])]
    for table in prepared_tables(root / PREPARED, "test", names):
        rows.add(table, params.prepare.key)
    return Compared(
        names=(_name(candidates[0]), _name(candidates[1])),
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
        changed=rows.changed(),
    )


class _Rows:
    """What two releases say of the same rows, which come in parts."""

    def __init__(self, first: Release, second: Release) -> None:
        self._releases = first, second
        shape = [int(release.segments.max()) + 1 for release in self._releases]
        self._together = np.zeros(shape, np.int64)  # rows by segment of the first, of the second
        self._unusual = np.zeros(3, np.int64)  # by both, by the first alone, by the second alone
        self._changed: list[tuple[float, ChangedRow]] = []

    def add(self, table: pa.Table, key: Sequence[str]) -> None:
        """Ask both about the rows of ``table``."""
        one, other = (release.score(matrix(table, release.columns)) for release in self._releases)
        np.add.at(self._together, (one.segments, other.segments), 1)
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

    def moved_share(self) -> float:
        """Return the share of rows outside of the segments that match best."""
        places = linear_sum_assignment(self._together, maximize=True)
        return float(1 - self._together[places].sum() / self._together.sum())

    def unusual(self) -> tuple[int, int, int]:
        """Return how many rows are unusual for both, for the first and for the second alone."""
        both, first, second = self._unusual.tolist()
        return both, first, second

    def changed(self) -> list[ChangedRow]:
        """Return the rows whose percentile changed most, if it changed at all."""
        return [row for size, row in self._changed if size > 0]


def _candidate(root: Path, registry: Registry, name: str) -> LocalCandidate | RegisteredCandidate:
    if name == HERE:
        return LocalCandidate(root)
    if name.isdecimal() and len(name) < SHORTEST:
        return RegisteredCandidate(registry, registry.get(int(name)))
    if len(name) < SHORTEST:
        _refuse(name, f"a digest, run or commit must have at least {SHORTEST} characters")
    found = [version for version in registry.versions() if _is_named(version, name)]
    if len(found) != 1:
        numbers = ", ".join(str(version.number) for version in found) or "none"
        _refuse(name, "must name one version", f"versions: {numbers}")
    return RegisteredCandidate(registry, found[0])


def _is_named(version: Version, name: str) -> bool:
    names = (version.digest, version.run_id, version.tags.get("modemap.commit", ""))
    return any(known.startswith(name) for known in names)


def _name(candidate: LocalCandidate | RegisteredCandidate) -> str:
    if isinstance(candidate, LocalCandidate):
        return "the release here"
    return f"version {candidate.version.number}"


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


def _refuse(name: str, rule: str, found: str | None = None) -> NoReturn:
    hint = "see `modemap history` and MLflow's pages, or name `here`, the release in the checkout"
    raise RegistryError(name, rule, found=found or name, hint=hint)
