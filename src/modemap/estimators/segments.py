"""Segments: neighbouring units of a map that are alike, grouped."""

import numpy as np
from scipy.sparse import coo_array
from sklearn.cluster import AgglomerativeClustering

from modemap.estimators.checks import check_integer
from modemap.kernels import FloatArray, Grid, IntArray

__all__ = ["segment_units"]


def segment_units(
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    n_segments: int,
    *,
    topology: str = "rectangular",
    boundary: str = "planar",
) -> IntArray:
    """Group units by Ward's method, joining only neighbours on the grid.

    Parameters
    ----------
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns : int
        The grid.
    n_segments : int
        How many segments, at most one for each unit.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        Whether units at opposite edges are neighbours.

    Returns
    -------
    ndarray of shape (n_units,)
        Segment of each unit, from 0, numbered by their first unit.

    Raises
    ------
    ValueError
        If the numbers do not fit each other.

    Examples
    --------
    >>> segment_units(np.array([[0.0], [0.1], [5.0], [5.1]]), 1, 4, 2).tolist()
    [0, 0, 1, 1]
    """
    n_units = check_integer("n_rows", n_rows, 1) * check_integer("n_columns", n_columns, 1)
    if len(codebook) != n_units:
        raise ValueError(
            f"codebook must have n_rows * n_columns = {n_units} rows, got {len(codebook)}"
        )
    check_integer("n_segments", n_segments, 1, n_units)
    if n_segments == n_units:  # a single unit among them, which the method refuses
        return np.arange(n_units)
    edges = Grid(n_rows, n_columns, topology, boundary).edges()
    links = coo_array((np.ones(len(edges)), edges.T), shape=(n_units, n_units))
    ward = AgglomerativeClustering(
        n_clusters=n_segments, linkage="ward", connectivity=(links + links.T).tocsr()
    )
    _, first, labels = np.unique(ward.fit_predict(codebook), return_index=True, return_inverse=True)
    ranks = np.empty(n_segments, dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(n_segments)
    return ranks[labels]
