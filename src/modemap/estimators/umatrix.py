"""Maps as arrays: where neighbours are far apart, the planes of the features, who is alike."""

import numpy as np

from modemap.estimators.checks import check_integer
from modemap.kernels import FloatArray, Grid, IntArray, unit_distances

__all__ = ["component_planes", "hit_map", "neighbor_distances", "unit_similarity"]


def neighbor_distances(
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    topology: str = "rectangular",
    boundary: str = "planar",
) -> FloatArray:
    """Mean distance from each unit to its neighbours on the grid: the U-matrix.

    Parameters
    ----------
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns : int
        The grid.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        Neighbours are the units above, below and beside, or all six around.
    boundary : {"planar", "toroidal"}, default="planar"
        Whether units at opposite edges are neighbours.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        In the unit of ``codebook``; 0 for a unit without neighbours.

    References
    ----------
    A. Ultsch and H. P. Siemon, Kohonen's self organizing feature maps for exploratory data
    analysis, INNC 1990.

    Examples
    --------
    >>> neighbor_distances(np.array([[0.0], [1.0], [4.0]]), 1, 3).tolist()
    [[1.0, 2.0, 3.0]]
    """
    edges = Grid(n_rows, n_columns, topology, boundary).edges()
    steps = np.linalg.norm(codebook[edges[:, 0]] - codebook[edges[:, 1]], axis=1)
    total, count = np.zeros(len(codebook)), np.zeros(len(codebook))
    for side in edges.T:
        np.add.at(total, side, steps)
        np.add.at(count, side, 1)
    return (total / np.maximum(count, 1)).reshape(n_rows, n_columns)


def component_planes(codebook: FloatArray, n_rows: int, n_columns: int) -> FloatArray:
    """Return each feature of the units as a map, (n_features, n_rows, n_columns)."""
    return np.ascontiguousarray(codebook.T).reshape(-1, n_rows, n_columns)


def hit_map(units: IntArray, n_rows: int, n_columns: int) -> IntArray:
    """Return how many samples each unit is the nearest to, (n_rows, n_columns).

    Raises
    ------
    ValueError
        If a unit is not on the map.

    Examples
    --------
    >>> hit_map(np.array([0, 2, 2]), 1, 3).tolist()
    [[1, 0, 2]]
    """
    n_units = check_integer("n_rows", n_rows, 1) * check_integer("n_columns", n_columns, 1)
    units = np.asarray(units)
    if units.size and not 0 <= units.min() <= units.max() < n_units:
        raise ValueError(f"units must be from 0 to {n_units - 1}, got {units.max()}")
    return np.bincount(units, minlength=n_units).reshape(n_rows, n_columns)


def unit_similarity(codebook: FloatArray) -> FloatArray:
    """Return how alike units are, (n_units, n_units): from 1 for equal ones to 0 for the farthest.

    Examples
    --------
    >>> unit_similarity(np.array([[0.0], [1.0], [4.0]]))[0].tolist()
    [1.0, 0.75, 0.0]
    """
    distances = unit_distances(np.ascontiguousarray(codebook, dtype=np.float64), codebook)
    farthest = distances.max()
    return 1.0 - distances / farthest if farthest > 0 else np.ones_like(distances)
