"""Whether each segment is found again by maps of other seeds."""

from itertools import count, islice

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from modemap.estimators.segments import segment_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.release import Release

__all__ = ["recovered"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def recovered(release: Release, X: FloatArray, n_maps: int) -> FloatArray:
    """Return how well each segment is found again, (n_maps, n_segments).

    Each map has a seed of its own and is fitted to its own bootstrap of the rows, then cut into as
    many segments. A segment's rows are compared with those of the segment that matches best: rows
    in both by rows in either, the Jaccard index. 1 is the same rows, 0 no row in common; NaN if the
    segment has none.

    Parameters
    ----------
    release : Release
    X : ndarray of shape (n_rows, n_columns)
        Raw rows.
    n_maps : int

    References
    ----------
    C. Hennig, Cluster-wise assessment of cluster stability, Computational Statistics & Data
    Analysis 52 (2007).
    """
    rows = release.preparation.transform(X)
    n_segments = int(release.segments.max()) + 1
    own = release.segments[release.som.predict(rows)]
    seeds = islice((seed for seed in count() if seed != release.som.random_state), n_maps)
    found = [
        _best_matches(own, _segments_again(release.som, rows, n_segments, seed), n_segments)
        for seed in seeds
    ]
    return np.array(found).reshape(n_maps, n_segments)


def _segments_again(
    som: SelfOrganizingMap, rows: FloatArray, n_segments: int, seed: int
) -> IntArray:
    """Return the segments of ``rows`` by a map of another seed."""
    rng = np.random.default_rng(seed)
    drawn = rows[rng.integers(len(rows), size=len(rows))]
    again = clone(som).set_params(random_state=seed).fit(drawn)
    segments = segment_units(
        again.codebook_,
        again.n_rows_,
        again.n_columns_,
        n_segments,
        topology=again.topology,
        boundary=again.boundary,
    )
    found: IntArray = segments[again.predict(rows)]
    return found


def _best_matches(own: IntArray, other: IntArray, n_segments: int) -> FloatArray:
    together = np.zeros((n_segments, n_segments))
    np.add.at(together, (own, other), 1)
    either = together.sum(axis=1, keepdims=True) + together.sum(axis=0) - together
    best = (together / np.maximum(either, 1)).max(axis=1)
    return np.where(together.sum(axis=1) > 0, best, np.nan)
