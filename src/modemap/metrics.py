"""How good a map or a density is, in one number each."""

import numpy as np
from numpy.typing import NDArray

from modemap.kernels import FloatArray, nearest_units, two_nearest_units

__all__ = [
    "calibration_error",
    "dead_unit_share",
    "quantization_error",
    "topographic_error",
]


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
    X, codebook = _checked(X, codebook)
    return float(nearest_units(X, codebook)[1].mean())


def topographic_error(X: FloatArray, codebook: FloatArray, n_rows: int, n_columns: int) -> float:
    """Share of samples whose two nearest units are not neighbours on the grid.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite samples, scaled as the codebook was.
    codebook : ndarray of shape (n_units, n_features)
        One row per unit, row-major over the grid.
    n_rows, n_columns : int
        The rectangular grid; a unit has up to 8 neighbours, the diagonal ones among them.

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
    X, codebook = _checked(X, codebook)
    if len(codebook) != n_rows * n_columns:
        raise ValueError(
            f"codebook must have n_rows * n_columns = {n_rows * n_columns} rows, "
            f"got {len(codebook)}"
        )
    if len(codebook) == 1:
        return 0.0
    first, second = two_nearest_units(X, codebook)
    rows_apart = np.abs(first // n_columns - second // n_columns)
    columns_apart = np.abs(first % n_columns - second % n_columns)
    return float((np.maximum(rows_apart, columns_apart) > 1).mean())


def dead_unit_share(units: NDArray[np.integer], n_units: int) -> float:
    """Share of a map's units that are nearest to no sample.

    Parameters
    ----------
    units : ndarray of int, shape (n_samples,)
        The nearest unit of each sample, from 0.
    n_units : int
        Size of the map.

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


def calibration_error(pit: FloatArray) -> float:
    """Kolmogorov distance of probability integral transforms from the uniform distribution.

    A density is calibrated when the shares it puts below held-out values, the transforms, are
    uniform. Values that are rounded, to whole minutes say, tie, and a tie is a jump of the
    empirical distribution that no density could follow. So a tie is measured at its middle
    (the mid-distribution): the samples below count whole, the tied ones half. Without ties this
    differs from the usual distance by at most ``1 / (2 * n_samples)``.

    Parameters
    ----------
    pit : ndarray of shape (n_samples,)
        The model's cumulative distribution at each value, from 0 to 1.

    Returns
    -------
    float
        From 0.0, perfectly calibrated, to 1.0.

    Raises
    ------
    ValueError
        If ``pit`` is empty or leaves the range from 0 to 1.

    Examples
    --------
    >>> calibration_error(np.array([0.25, 0.75]))
    0.0
    >>> calibration_error(np.array([0.5, 1.0]))
    0.25
    """
    pit = np.asarray(pit, dtype=np.float64)
    if pit.ndim != 1 or not pit.size:
        raise ValueError(f"pit must have shape (n_samples,) and a sample, got {pit.shape}")
    if not ((pit >= 0) & (pit <= 1)).all():
        raise ValueError(f"pit must be from 0 to 1, got {pit.min()} to {pit.max()}")
    places, counts = np.unique(pit, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / len(pit)
    return float(np.abs(middles - places).max())


def _checked(X: FloatArray, codebook: FloatArray) -> tuple[FloatArray, FloatArray]:
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
