"""How groups of rows differ from all others: segments of a map, or the rows of one unit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.contrast import cliffs_delta
from modemap.lifecycle.insight.survey import Survey
from modemap.release import Release
from modemap.reporting.story import Contrast, Segment

__all__ = ["contrast_groups", "contrast_segments"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def contrast_segments(release: Release, survey: Survey) -> list[Segment]:
    """Return each segment of the map with its rows and what sets them apart."""
    n_segments = int(release.segments.max()) + 1
    contrasts = contrast_groups(
        release.columns, survey.X, release.segments[survey.units], range(n_segments)
    )
    rows = np.bincount(release.segments, weights=survey.hits, minlength=n_segments).astype(int)
    n_units = np.bincount(release.segments, minlength=n_segments)
    return [
        Segment(
            number,
            int(rows[number]),
            float(rows[number] / max(rows.sum(), 1)),
            int(n_units[number]),
            contrasts[number],
        )
        for number in range(n_segments)
    ]


def contrast_groups(
    columns: Sequence[str], X: FloatArray, groups: IntArray, wanted: Sequence[int]
) -> list[list[Contrast]]:
    """Return how rows of each ``wanted`` group differ from all others, the largest effect first.

    Parameters
    ----------
    columns : sequence of str
    X : ndarray of shape (n_rows, n_columns)
        Raw rows.
    groups : ndarray of shape (n_rows,)
        Group of each row, from 0.
    wanted : sequence of int
    """
    n_groups = max(int(groups.max(initial=0)), *wanted) + 1
    effects = np.array([cliffs_delta(x, groups, n_groups) for x in X.T])
    return [_contrasts(columns, X, groups == group, effects[:, group]) for group in wanted]


def _contrasts(
    columns: Sequence[str], X: FloatArray, is_inside: NDArray[np.bool_], effects: FloatArray
) -> list[Contrast]:
    sides = zip(columns, effects, X[is_inside].T, X[~is_inside].T, strict=True)
    contrasts = [
        Contrast(name, float(effect), _median(own), _median(others))
        for name, effect, own, others in sides
    ]
    contrasts.sort(key=lambda contrast: -abs(np.nan_to_num(contrast.effect)))
    return contrasts


def _median(values: FloatArray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
