"""The U-matrix: where on a map neighbours are far apart."""

import numpy as np

from modemap.kernels import FloatArray

__all__ = ["neighbor_distances"]


def neighbor_distances(codebook: FloatArray, n_rows: int, n_columns: int) -> FloatArray:
    """Mean distance from each unit to its neighbours on the grid, above, below and beside it.

    Parameters
    ----------
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns : int
        The grid.

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
    grid = codebook.reshape(n_rows, n_columns, -1)
    total, count = np.zeros((n_rows, n_columns)), np.zeros((n_rows, n_columns))
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(grid, axis=axis), axis=2)
        for side in (slice(None, -1), slice(1, None)):
            place = (side, slice(None)) if axis == 0 else (slice(None), side)
            total[place] += steps
            count[place] += 1
    return total / np.maximum(count, 1)
