"""How well a map keeps neighbours, by ranks of distances.

Ties, frequent on a grid, go to the lower number.
"""

from collections.abc import Callable

import numpy as np

from modemap.kernels import FloatArray, Grid, IntArray, nearest_units, unit_distances
from modemap.metrics.maps import checked_grid, checked_samples

__all__ = ["neighborhood_preservation", "topographic_product", "trustworthiness"]

BLOCK_CELLS = 1 << 22  # distances held at once

Rows = Callable[[IntArray], FloatArray]  # distances from some samples to all


def topographic_product(
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    topology: str = "rectangular",
    boundary: str = "planar",
) -> float:
    """Whether a map's dimension fits the data: 0 if it does, below 0 if the map has too few.

    For every unit it compares the k nearest units on the grid with the k nearest units in the
    data, for all k, and takes the mean logarithm of the ratios of their distances.

    Parameters
    ----------
    codebook : ndarray of shape (n_units, n_features)
        Different units, at least two, row-major over the grid.
    n_rows, n_columns : int
        The grid.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        Whether the grid continues at the opposite edges.

    Returns
    -------
    float
        0.0 for a perfect map.

    Raises
    ------
    ValueError
        If the codebook does not fit the grid, or two of its units are equal.

    References
    ----------
    H.-U. Bauer and K. R. Pawelzik, Quantifying the neighborhood preservation of self-organizing
    feature maps, IEEE Transactions on Neural Networks 3 (1992).

    Examples
    --------
    >>> topographic_product(np.array([[0.0], [1.0], [2.0]]), 1, 3)
    0.0
    """
    codebook, _ = checked_samples(codebook, codebook)
    grid = checked_grid(codebook, n_rows, n_columns, topology, boundary)
    n = len(codebook)
    if n == 1:
        raise ValueError("codebook must have two units or more, got 1")
    in_data, on_grid = unit_distances(codebook, codebook), grid.distances()
    np.fill_diagonal(in_data, -1.0)  # each unit is its own first neighbour
    np.fill_diagonal(on_grid, -1.0)
    by_data = np.argsort(in_data, axis=1, kind="stable")[:, 1:]
    by_grid = np.argsort(on_grid, axis=1, kind="stable")[:, 1:]
    if (np.take_along_axis(in_data, by_data[:, :1], axis=1) == 0).any():
        raise ValueError("codebook must hold different units, got equal ones")
    ratios = [
        np.log(np.take_along_axis(distances, by_grid, axis=1))
        - np.log(np.take_along_axis(distances, by_data, axis=1))
        for distances in (in_data, on_grid)
    ]
    k = np.arange(1, n)
    products = np.cumsum(ratios[0] + ratios[1], axis=1) / (2 * k)
    return float(products.sum() / (n * (n - 1)))


def trustworthiness(
    X: FloatArray,
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    n_neighbors: int = 5,
    topology: str = "rectangular",
    boundary: str = "planar",
) -> float:
    """How far samples that are neighbours on the map are neighbours in the data.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite samples, scaled as the codebook was. Time grows with the square of their number.
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns, topology, boundary
        The grid, as of :func:`topographic_product`.
    n_neighbors : int, default=5
        Neighbours of a sample, below half of the samples.

    Returns
    -------
    float
        From 0.0 to 1.0, where nothing on the map is near that is far in the data.

    Raises
    ------
    ValueError
        If the arguments do not fit each other.

    References
    ----------
    J. Venna and S. Kaski, Neighborhood preservation in nonlinear projection methods, ICANN 2001.

    Examples
    --------
    >>> X = np.arange(8.0)[:, np.newaxis]
    >>> trustworthiness(X, X, 1, 8, n_neighbors=2)
    1.0
    """
    X, codebook = checked_samples(X, codebook)
    grid = checked_grid(codebook, n_rows, n_columns, topology, boundary)
    return _kept(_on_map(X, codebook, grid), _in_data(X), len(X), n_neighbors)


def neighborhood_preservation(
    X: FloatArray,
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    n_neighbors: int = 5,
    topology: str = "rectangular",
    boundary: str = "planar",
) -> float:
    """How far samples that are neighbours in the data are neighbours on the map.

    It is :func:`trustworthiness` the other way round, also called continuity, from the same source.

    Parameters
    ----------
    X, codebook, n_rows, n_columns, n_neighbors, topology, boundary
        As of :func:`trustworthiness`.

    Returns
    -------
    float
        From 0.0 to 1.0, where nothing in the data is near that is far on the map.

    Examples
    --------
    >>> X = np.arange(8.0)[:, np.newaxis]
    >>> neighborhood_preservation(X, X, 1, 8, n_neighbors=2)
    1.0
    """
    X, codebook = checked_samples(X, codebook)
    grid = checked_grid(codebook, n_rows, n_columns, topology, boundary)
    return _kept(_in_data(X), _on_map(X, codebook, grid), len(X), n_neighbors)


def _in_data(X: FloatArray) -> Rows:
    """Return what gives the distances in the data from some samples to all."""
    return lambda samples: unit_distances(X[samples], X)


def _on_map(X: FloatArray, codebook: FloatArray, grid: Grid) -> Rows:
    """Return what gives the distances on the map from some samples to all."""
    units, distances = nearest_units(X, codebook)[0], grid.distances()
    return lambda samples: np.asarray(distances[np.ix_(units[samples], units)])


def _kept(near: Rows, judged: Rows, n: int, k: int) -> float:
    """Return 1 minus the penalty for neighbours in ``near`` that ``judged`` ranks farther."""
    if not 1 <= k < n / 2:
        raise ValueError(f"n_neighbors must be from 1 to below n_samples / 2 = {n / 2}, got {k}")
    step, penalty = max(1, BLOCK_CELLS // n), 0.0
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        here, there = (distances(rows) for distances in (near, judged))
        for distances in (here, there):
            distances[np.arange(len(rows)), rows] = -1.0  # a sample is its own first neighbour
        neighbors = np.argsort(here, axis=1, kind="stable")[:, 1 : k + 1]
        order, ranks = (
            np.argsort(there, axis=1, kind="stable"),
            np.empty_like(neighbors, shape=here.shape),
        )
        np.put_along_axis(ranks, order, np.arange(n)[np.newaxis], axis=1)
        penalty += float(np.maximum(np.take_along_axis(ranks, neighbors, axis=1) - k, 0).sum())
    return 1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * penalty
