"""How good a map is, in one number each."""

import numpy as np
from numpy.typing import NDArray

from modemap.kernels import (
    FloatArray,
    Grid,
    nearest_units,
    strengths,
    two_nearest_units,
    unit_distances,
)

__all__ = [
    "dead_unit_share",
    "distortion",
    "quantization_error",
    "topographic_error",
    "torn_samples",
]

N_NEIGHBORS = (4, 8)  # of a unit on a rectangular grid
BLOCK_CELLS = 1 << 20  # distances held at once


def quantization_error(X: FloatArray, codebook: FloatArray) -> float:
    """Mean distance from each sample to its best matching unit.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite samples, scaled as the codebook was.
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.

    Returns
    -------
    float
        In the unit of ``X``; 0.0 when every sample is a codebook row.

    Raises
    ------
    ValueError
        If ``X`` has no rows, another number of features, NaN or infinities.

    References
    ----------
    T. Kohonen, Self-Organizing Maps, 3rd ed., 2001.

    Examples
    --------
    >>> quantization_error(np.array([[3.0, 3.0]]), np.array([[3.0, 4.0]]))
    1.0
    """
    X, codebook = checked_samples(X, codebook)
    return float(nearest_units(X, codebook)[1].mean())


def topographic_error(
    X: FloatArray,
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    topology: str = "rectangular",
    boundary: str = "planar",
    n_neighbors: int = 8,
    metric: str = "euclidean",
) -> float:
    """Share of samples whose two nearest units are not neighbours on the grid.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite samples, scaled as the codebook was.
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns : int
        The grid.
    topology : {"rectangular", "hexagonal"}, default="rectangular"
        How units lie on the plane.
    boundary : {"planar", "toroidal"}, default="planar"
        Whether units at opposite edges are neighbours.
    n_neighbors : {4, 8}, default=8
        Neighbours of a unit on a rectangular grid, 8 with the diagonal ones; 6 on a hexagonal one
        whatever this says.
    metric : {"euclidean", "cosine", "manhattan", "chebyshev"}, default="euclidean"
        By which units are nearest.

    Returns
    -------
    float
        From 0.0, where the map keeps all neighbourhoods, to 1.0; 0.0 for a single unit.

    Raises
    ------
    ValueError
        If ``X`` or the codebook do not fit each other or the grid, or are not finite.

    References
    ----------
    K. Kiviluoto, Topology preservation in self-organizing maps, ICNN 1996.

    Examples
    --------
    >>> codebook = np.array([[0.0], [9.0], [1.0]])
    >>> topographic_error(np.array([[0.2], [8.0]]), codebook, 1, 3)
    0.5
    """
    torn = torn_samples(
        X,
        codebook,
        n_rows,
        n_columns,
        topology=topology,
        boundary=boundary,
        n_neighbors=n_neighbors,
        metric=metric,
    )
    return float(torn.mean())


def torn_samples(
    X: FloatArray,
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    topology: str = "rectangular",
    boundary: str = "planar",
    n_neighbors: int = 8,
    metric: str = "euclidean",
) -> NDArray[np.bool_]:
    """Whether each sample's two nearest units are no neighbours on the grid.

    :func:`topographic_error` is the mean over all samples; rows in blocks add theirs up.

    Parameters
    ----------
    X, codebook, n_rows, n_columns, topology, boundary, n_neighbors, metric
        As of :func:`topographic_error`.

    Returns
    -------
    ndarray of bool, shape (n_samples,)
    """
    X, codebook = checked_samples(X, codebook)
    if n_neighbors not in N_NEIGHBORS:
        raise ValueError(f"n_neighbors must be 4 or 8, got {n_neighbors!r}")
    grid = checked_grid(codebook, n_rows, n_columns, topology, boundary)
    if len(codebook) == 1:
        return np.zeros(len(X), np.bool_)
    first, second = two_nearest_units(X, codebook, metric=metric)
    return ~grid.are_neighbors(first, second, n_neighbors)


def distortion(
    X: FloatArray,
    codebook: FloatArray,
    n_rows: int,
    n_columns: int,
    *,
    radius: float,
    neighborhood: str = "gaussian",
    topology: str = "rectangular",
    boundary: str = "planar",
) -> float:
    """Mean over samples of the squared distances to all units, by how near they are on the grid.

    It is what batch training with a constant radius goes down on.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite samples, scaled as the codebook was.
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns, topology, boundary
        The grid, as of :func:`topographic_error`.
    radius : float
        Radius of the neighborhood, in units of the grid.
    neighborhood : {"gaussian", "bubble", "mexican_hat", "triangle"}, default="gaussian"
        How strength falls with the distance on the plane.

    Returns
    -------
    float
        In squared units of ``X``.

    Raises
    ------
    ValueError
        If ``X`` or the codebook do not fit each other or the grid, or are not finite.

    References
    ----------
    T. Heskes, Energy functions for self-organizing maps, in Kohonen Maps, 1999.

    Examples
    --------
    >>> codebook = np.array([[0.0], [3.0]])
    >>> distortion(np.array([[1.0]]), codebook, 1, 2, radius=1.0, neighborhood="bubble")
    5.0
    """
    X, codebook = checked_samples(X, codebook)
    grid = checked_grid(codebook, n_rows, n_columns, topology, boundary)
    strength = strengths(grid.distances(), radius, neighborhood)
    step, total = max(1, BLOCK_CELLS // len(codebook)), 0.0
    for start in range(0, len(X), step):
        rows = X[start : start + step]
        units, _ = nearest_units(rows, codebook)
        total += float((strength[units] * np.square(unit_distances(rows, codebook))).sum())
    return total / len(X)


def dead_unit_share(units: NDArray[np.integer], n_units: int) -> float:
    """Share of a map's units that are nearest to no sample.

    Parameters
    ----------
    units : ndarray of int, shape (n_samples,)
        The nearest unit of each sample, from 0.
    n_units : int
        Size of the map.

    Returns
    -------
    float
        From 0.0 to 1.0.

    Raises
    ------
    ValueError
        If ``n_units`` is below 1 or a unit is not on the map.

    Examples
    --------
    >>> dead_unit_share(np.array([0, 0, 3]), 4)
    0.5
    """
    if n_units < 1:
        raise ValueError(f"n_units must be >= 1, got {n_units}")
    units = np.asarray(units)
    if units.size and not 0 <= units.min() <= units.max() < n_units:
        raise ValueError(
            f"units must be from 0 to {n_units - 1}, got {units.min()} to {units.max()}"
        )
    return float(1.0 - len(np.unique(units)) / n_units)


def checked_samples(X: FloatArray, codebook: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both as kernels take them, or say what is wrong."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    codebook = np.ascontiguousarray(codebook, dtype=np.float64)
    for name, array in (("X", X), ("codebook", codebook)):
        if array.ndim != len(("rows", "features")) or not array.size:
            raise ValueError(f"{name} must have two dimensions and a row, got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if X.shape[1] != codebook.shape[1]:
        raise ValueError(
            f"X must have {codebook.shape[1]} features like codebook, got {X.shape[1]}"
        )
    return X, codebook


def checked_grid(
    codebook: FloatArray, n_rows: int, n_columns: int, topology: str, boundary: str
) -> Grid:
    """Return the grid if it has a unit for each row of ``codebook``."""
    if len(codebook) != n_rows * n_columns:
        raise ValueError(
            f"codebook must have n_rows * n_columns = {n_rows * n_columns} rows, "
            f"got {len(codebook)}"
        )
    return Grid(n_rows, n_columns, topology, boundary)
