"""Whether a graph's answers are ours: units but for ties, numbers within a tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.checks import LARGEST
from modemap.export.rows import NO_UNIT, ROWS, category_input
from modemap.release import unit_positions

if TYPE_CHECKING:
    from modemap.kernels import FloatArray
    from modemap.release import Release

__all__ = ["TOLERANCE", "Trial", "map_disagreement", "mixture_disagreement"]

TOLERANCE = 1e-9  # relative, and absolute below 1: two orders of summing differ by less


@dataclass(frozen=True)
class Trial:
    """Rows that a graph and its release are both asked about.

    Parameters
    ----------
    release : Release
        Who knows the answers.
    X : ndarray of shape (n_rows, n_columns)
        Raw rows as the release takes them, gaps among them.
    categories : mapping of str to ndarray of str
        The texts that the map's columns of categories in ``X`` were made of.
    """

    release: Release
    X: FloatArray
    categories: Mapping[str, NDArray[Any]]

    @property
    def inputs(self) -> dict[str, NDArray[Any]]:
        """The same rows as a graph takes them."""
        numbers = np.ascontiguousarray(self.X[:, self.release.preparation.measured_])
        texts = {category_input(name): values for name, values in self.categories.items()}
        return {ROWS: numbers, **texts}

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Which rows the release scores, (n_rows,)."""
        preparation = self.release.preparation
        is_filled = np.array([preparation.missing[n] == "median" for n in preparation.columns])
        is_fine = (np.abs(self.X) <= LARGEST) | (np.isnan(self.X) & is_filled)
        taken = np.asarray(is_fine.all(axis=1))
        with np.errstate(over="ignore", invalid="ignore"):
            rows = preparation.transform(preparation.fill(self.X[taken]))
            taken[taken] = (np.abs(rows) <= LARGEST).all(axis=1)
        return taken


def map_disagreement(trial: Trial, answers: Mapping[str, NDArray[Any]]) -> str | None:
    """Return in words where ``answers`` of a map's graph are not the release's, or None.

    Another unit than ours is right if it is as near.
    """
    release, taken = trial.release, trial.taken
    given = answers["unit"]
    if wrong := _told("unit", given[~taken], np.full((~taken).sum(), NO_UNIT), ~taken):
        return wrong
    units = given[taken]
    is_unit = (units >= 0) & (units < len(release.som.codebook_))
    if not is_unit.all():
        return _told("unit", units, np.where(is_unit, units, 0), taken)
    rows = release.preparation.transform(release.preparation.fill(trial.X[taken]))
    ours = release.som.predict(rows)
    by_unit, which = release.som.distances(rows), np.arange(len(rows))
    is_tied = _close(by_unit[which, units], by_unit[which, ours])
    if not is_tied.all():
        return _told("unit", units, np.where(is_tied, units, ours), taken)
    expected = {
        "segment": release.segments[units],
        "position": unit_positions(release.som)[units],
        "distance": np.linalg.norm(rows - release.som.codebook_[units], axis=1),
    }
    return _first_wrong(answers, expected, taken)


def mixture_disagreement(trial: Trial, answers: Mapping[str, NDArray[Any]]) -> str | None:
    """Return in words where ``answers`` of a mixture's graph are not the release's, or None.

    A percentile is right if it is that of a log-likelihood within the tolerance: where many
    training rows are equally likely, it jumps.
    """
    taken, quantiles = trial.taken, trial.release.anomaly
    log_likelihood = trial.release.score(trial.X[taken]).log_likelihood
    expected = {"log_likelihood": log_likelihood}
    if wrong := _first_wrong(answers, expected, taken):
        return wrong
    ranks = np.linspace(0, 100, len(quantiles))
    is_finite = np.isfinite(log_likelihood)
    slack = np.where(is_finite, TOLERANCE * (1 + np.abs(log_likelihood)), 0.0)
    high = 100 - np.interp(log_likelihood - slack, quantiles, ranks)
    low = 100 - np.interp(log_likelihood + slack, quantiles, ranks)
    percentiles = answers["anomaly_percentile"]
    nearest = np.clip(percentiles[taken], low, high)
    return _first_wrong(answers, {"anomaly_percentile": nearest}, taken)


def _first_wrong(
    answers: Mapping[str, NDArray[Any]],
    expected: Mapping[str, NDArray[Any]],
    taken: NDArray[np.bool_],
) -> str | None:
    for name, values in expected.items():
        given = answers[name]
        none = NO_UNIT if given.dtype.kind == "i" else np.nan
        whole = np.full(given.shape, none, given.dtype)
        whole[taken] = values
        if wrong := _told(name, given, whole, np.full(len(given), True)):
            return wrong
    return None


def _told(
    name: str, given: NDArray[Any], expected: NDArray[Any], among: NDArray[np.bool_]
) -> str | None:
    if not len(given):
        return None
    is_close = _close(given, expected).reshape(len(given), -1).all(axis=1)
    if is_close.all():
        return None
    at = int(np.argmin(is_close))
    return f"{name} of row {np.flatnonzero(among)[at]} is {given[at]}, not {expected[at]}"


def _close(given: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if given.shape != expected.shape:
        return np.zeros(len(given), bool)
    is_close = np.isclose(given, expected, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return np.asarray(is_close)
