"""A release in words and numbers: its segments, the modes of its columns, its components."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from modemap.errors import ParamsError
from modemap.lifecycle.explain.opened import PREPARED, opened
from modemap.lifecycle.insight.contrasts import contrast_segments
from modemap.lifecycle.insight.recovery import recovered
from modemap.lifecycle.insight.shapes import modes_of
from modemap.lifecycle.insight.survey import Survey, survey, training_sample
from modemap.lifecycle.naming import HERE
from modemap.release import Release
from modemap.reporting.story import Contrast, Mode
from modemap.reporting.words import distinction, held

__all__ = [
    "Component",
    "ComponentColumn",
    "ExplainedRelease",
    "ExplainedSegment",
    "explain_release",
]

FloatArray = NDArray[np.float64]

N_MAPS = 5  # of other seeds
MAX_FITTED = 20_000  # training rows that they are fitted to


@dataclass(frozen=True)
class ExplainedSegment:
    """A group of neighbouring units, and what sets its rows apart.

    Attributes
    ----------
    number : int
    rows : int
        Of all prepared rows.
    share : float
    n_units : int
    sentence : str
    contrasts : sequence of Contrast
        Each column with Cliff's delta and the medians inside and outside; the largest effect first.
    recovered : list of float
        The Jaccard index with the best match, by map of another seed.
    stability : float
        Their mean; NaN if it was not asked for or the segment has no rows.
    held : str
        The same in words.
    """

    number: int
    rows: int
    share: float
    n_units: int
    sentence: str
    contrasts: Sequence[Contrast]
    recovered: list[float]
    stability: float
    held: str


@dataclass(frozen=True)
class ComponentColumn:
    """One column of a component.

    Attributes
    ----------
    column : str
    effect : float
        Cliff's delta between a row drawn from the component and one drawn from the others; NaN
        where there are no others.
    mean, std : float
        In raw units.
    """

    column: str
    effect: float
    mean: float
    std: float


@dataclass(frozen=True)
class Component:
    """A component of the joint density.

    Attributes
    ----------
    number : int
    weight : float
        Its share of the density.
    columns : sequence of ComponentColumn
        Means and standard deviations in raw units, the largest effect first.
    """

    number: int
    weight: float
    columns: Sequence[ComponentColumn]


@dataclass(frozen=True)
class ExplainedRelease:
    """What a release says of the prepared rows.

    Attributes
    ----------
    name, digest : str
    rows, n_units : int
    n_sample : int
        Rows behind medians and effects.
    n_maps, n_fitted : int
        How many maps of other seeds were fitted, and to how many training rows.
    segments : sequence of ExplainedSegment
    modes : mapping of str to sequence of Mode
        Of each measured column, by their means, in raw units.
    components : sequence of Component
        The heaviest first.
    """

    name: str
    digest: str
    rows: int
    n_units: int
    n_sample: int
    n_maps: int
    n_fitted: int
    segments: Sequence[ExplainedSegment]
    modes: Mapping[str, Sequence[Mode]]
    components: Sequence[Component]


def explain_release(root: Path, name: str = HERE, *, n_maps: int = N_MAPS) -> ExplainedRelease:
    """Return segments, modes and components of a release, over the rows in ``data/prepared``.

    Parameters
    ----------
    root : Path
        The project's folder.
    name : str, default="here"
        As :func:`~modemap.lifecycle.naming.find_candidate` takes it.
    n_maps : int, default=5
        How many maps of other seeds are asked for the segments; 0 leaves their stability out. Of
        more than 20,000 training rows they are fitted to an even sample.

    Returns
    -------
    ExplainedRelease
        Counts are exact; medians and effects rest on an even sample of very many rows.

    Raises
    ------
    ParamsError
        If ``n_maps`` is less than 0.
    RegistryError, ReleaseError
        If there is no such release, or it is damaged.
    DataError
        If the prepared rows are missing, or lack a column.

    References
    ----------
    N. Cliff, Dominance statistics, Psychological Bulletin 114 (1993). C. Hennig, Cluster-wise
    assessment of cluster stability, Computational Statistics & Data Analysis 52 (2007).
    """
    if n_maps < 0:
        rule, hint = "must be at least 0", "0 leaves the stability out"
        raise ParamsError("--maps", rule, found=n_maps, hint=hint)
    with opened(root, name) as (called, release):
        found = survey(root / PREPARED, release)
        fitted = training_sample(root / PREPARED, release, MAX_FITTED)
        again = recovered(release, fitted, n_maps)
    return ExplainedRelease(
        name=called,
        digest=release.digest,
        rows=int(found.hits.sum()),
        n_units=len(release.segments),
        n_sample=len(found.X),
        n_maps=n_maps,
        n_fitted=len(fitted) if n_maps else 0,
        segments=_segments(release, found, again),
        modes=dict(zip(release.measured_columns, modes_of(release.normalizer), strict=True)),
        components=_components(release),
    )


def _segments(release: Release, found: Survey, again: FloatArray) -> list[ExplainedSegment]:
    segments = []
    for segment, jaccard in zip(contrast_segments(release, found), again.T, strict=True):
        stability = float(jaccard.mean()) if len(jaccard) else float("nan")
        segments.append(
            ExplainedSegment(
                segment.number,
                segment.rows,
                segment.share,
                segment.n_units,
                distinction(segment.contrasts),
                segment.contrasts,
                jaccard.tolist(),
                stability,
                held(stability) if len(jaccard) else "not asked for",
            )
        )
    return segments


def _components(release: Release) -> list[Component]:
    """Return the components in raw units, with Cliff's delta of each column to the others."""
    mixture, preparation = release.mixture, release.preparation
    covariances = mixture.covariances_
    if preparation.directions_ is not None:
        covariances = preparation.directions_.covariances_before(covariances)
    means = preparation.inverse_measured(mixture.means_)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    stds = np.sqrt(variances) * preparation.scale_[preparation.measured_]
    found = []
    for k, weight in enumerate(mixture.weights_):
        effects = _dominance(means, stds, mixture.weights_, k)
        columns = [
            ComponentColumn(*told)
            for told in zip(
                release.measured_columns,
                effects.tolist(),
                means[k].tolist(),
                stds[k].tolist(),
                strict=True,
            )
        ]
        columns.sort(key=lambda column: -abs(np.nan_to_num(column.effect)))
        found.append(Component(k, float(weight), columns))
    return sorted(found, key=lambda component: -component.weight)


def _dominance(means: FloatArray, stds: FloatArray, weights: FloatArray, k: int) -> FloatArray:
    """Return Cliff's delta of component ``k`` to all others, (n_columns,); NaN if it is alone.

    The chance that one normal value exceeds another is the normal distribution of their difference.
    """
    others = np.arange(len(weights)) != k
    if not weights[others].sum():
        return np.full(means.shape[1], np.nan)
    apart = (means[k] - means[others]) / np.hypot(stds[k], stds[others])
    delta: FloatArray = np.average(2 * ndtr(apart) - 1, axis=0, weights=weights[others])
    return delta
