"""Where a fit starts: the responsibilities of the rows, by scikit-learn's ways or as given."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus

from modemap.estimators.points import Points
from modemap.estimators.posterior import Statistics
from modemap.estimators.rows import Rows
from modemap.kernels.arrays import FloatArray
from modemap.kernels.columns.points import k_means_cuts

__all__ = ["INIT_PARAMS", "start_of_points", "start_of_rows"]

INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
MAX_CLUSTERED = 1 << 18  # rows that k-means sees

Shares = Callable[[int, int, FloatArray], NDArray[Any]]  # of the rows from start to stop


def start_of_rows(
    rows: Rows, n_components: int, init_params: Any, random_state: RandomState
) -> Statistics:
    """Return the statistics of the first responsibilities of rows.

    Parameters
    ----------
    rows : Rows
    n_components : int
    init_params : str or ndarray
        One of scikit-learn's names, or labels (n_samples,), or responsibilities (n_samples,
        n_components). K-means sees at most 262,144 rows, evenly apart.
    random_state : RandomState
    """
    shares = _shares(rows, n_components, init_params, random_state)
    is_drawn = isinstance(init_params, str) and init_params == "random"
    return rows.gathered(shares, n_components, in_turn=is_drawn)


def start_of_points(
    points: Points, n_components: int, init_params: Any, random_state: RandomState
) -> Statistics:
    """Return the statistics of the first responsibilities of points; see :func:`start_of_rows`."""
    n_points = len(points.x)
    resp = np.zeros((n_points, n_components))
    if not isinstance(init_params, str):
        raise ValueError("init_params as an array needs rows in memory, got a sketch or batches")
    if init_params == "kmeans":
        uniforms = random_state.uniform(size=(n_components, 2 + int(np.log(n_components))))
        cuts = k_means_cuts(points.x, points.weights, n_components, uniforms)
        masses = np.add.reduceat(np.append(points.weights, 0.0), cuts[:-1])
        masses[cuts[:-1] == cuts[1:]] = 0.0
        for k, cluster in enumerate(np.argsort(-masses, kind="stable")):
            resp[cuts[cluster] : cuts[cluster + 1], k] = 1.0
    elif init_params == "random":
        resp = random_state.uniform(size=resp.shape)
        resp /= resp.sum(axis=1, keepdims=True)
    else:
        places = _chosen_points(points, n_components, init_params, random_state)
        resp[places, np.arange(len(places))] = 1.0 / points.weights[places]
    return points.gathered(lambda start, stop: resp[start:stop], n_components)


def _chosen_points(
    points: Points, n_components: int, init_params: str, random_state: RandomState
) -> NDArray[Any]:
    n_chosen = min(n_components, len(points.x))
    if init_params == "random_from_data":
        share = points.weights / points.total
        return random_state.choice(len(points.x), size=n_chosen, replace=False, p=share)
    _, places = kmeans_plusplus(
        points.x[:, np.newaxis],
        n_chosen,
        sample_weight=points.weights,
        random_state=random_state,
    )
    return np.asarray(places)


def _shares(rows: Rows, n_components: int, init_params: Any, random_state: RandomState) -> Shares:
    if not isinstance(init_params, str):
        return _given(np.asarray(init_params), rows.n_samples, n_components)
    if init_params == "random":
        return _random(n_components, random_state)
    if init_params == "kmeans":
        return _clustered(rows, n_components, random_state)
    if init_params == "k-means++":
        X, weights, step = rows.thinned(MAX_CLUSTERED)
        _, chosen = kmeans_plusplus(
            X, n_components, sample_weight=weights, random_state=random_state
        )
        places = np.asarray(chosen) * step
    else:
        places = random_state.choice(rows.n_samples, size=n_components, replace=False)
    return _one_hot_rows(places, n_components)


def _clustered(rows: Rows, n_components: int, random_state: RandomState) -> Shares:
    one = np.eye(n_components)
    if n_components == 1:
        return lambda start, stop, _: np.ones((stop - start, 1))
    X, weights, step = rows.thinned(MAX_CLUSTERED)
    k_means = KMeans(n_clusters=n_components, n_init=1, random_state=random_state)
    k_means.fit(X, sample_weight=weights)
    if step == 1:
        return lambda start, stop, _: np.asarray(one[k_means.labels_[start:stop]])
    centers = k_means.cluster_centers_ - rows.center
    halves = 0.5 * np.square(centers).sum(axis=1)
    return lambda _start, _stop, part: np.asarray(one[(halves - part @ centers.T).argmin(axis=1)])


def _random(n_components: int, random_state: RandomState) -> Shares:
    def shares(start: int, stop: int, _: FloatArray) -> FloatArray:
        resp = random_state.uniform(size=(stop - start, n_components))
        return np.asarray(resp / resp.sum(axis=1, keepdims=True))

    return shares


def _one_hot_rows(places: NDArray[Any], n_components: int) -> Shares:
    def shares(start: int, stop: int, _: FloatArray) -> FloatArray:
        resp = np.zeros((stop - start, n_components))
        inside = np.flatnonzero((places >= start) & (places < stop))
        resp[places[inside] - start, inside] = 1.0
        return resp

    return shares


def _given(given: NDArray[Any], n_samples: int, n_components: int) -> Shares:
    if given.shape == (n_samples, n_components):
        if not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1.0):
            raise ValueError("init_params must hold responsibilities that sum to 1, got others")
        return lambda start, stop, _: given[start:stop].astype(np.float64)
    is_labels = given.shape == (n_samples,) and given.dtype.kind in "iu"
    if not is_labels or not ((given >= 0) & (given < n_components)).all():
        raise ValueError(
            f"init_params must be labels below {n_components} of shape ({n_samples},), or "
            f"responsibilities of shape ({n_samples}, {n_components}), got shape {given.shape}"
        )
    return lambda start, stop, _: given[start:stop]
