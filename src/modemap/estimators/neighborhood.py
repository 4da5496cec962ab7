"""Which units learn from each other, and how far, on a rectangular grid.

Both neighborhoods are products of one factor along the rows and one along the columns, so smoothing
over the whole grid takes ``n_rows + n_columns`` steps for each unit instead of their product.
"""

import numpy as np

from modemap.kernels import FloatArray

__all__ = ["radii", "smoothed", "strengths"]


def radii(start: float, end: float, n_epochs: int, decay: str) -> FloatArray:
    """Return the radius of every epoch, from ``start`` in the first to ``end`` in the last."""
    progress = np.linspace(0.0, 1.0, n_epochs)
    if decay == "linear":
        return start + (end - start) * progress
    return start * (end / start) ** progress


def strengths(n_units: int, radius: float, neighborhood: str) -> FloatArray:
    """Return how strongly each place along an axis learns from each, (n_units, n_units).

    ``"gaussian"`` falls as ``exp(-distance ** 2 / (2 * radius ** 2))``; ``"bubble"`` is 1 up to
    ``radius`` and 0 beyond, a square on the grid.
    """
    places = np.arange(float(n_units))
    distances = np.abs(places[:, np.newaxis] - places)
    if neighborhood == "bubble":
        return (distances <= radius).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        strength: FloatArray = np.exp(-0.5 * np.square(distances / radius))
    return strength


def smoothed(values: FloatArray, along_rows: FloatArray, along_columns: FloatArray) -> FloatArray:
    """Add up ``values`` (n_rows, n_columns, ...) over the neighborhood of every unit."""
    over_rows = np.zeros_like(values)
    for i in range(len(along_rows)):
        over_rows += np.multiply.outer(along_rows[:, i], values[i])
    over_both = np.zeros_like(values)
    for j in range(len(along_columns)):
        over_both += np.moveaxis(np.multiply.outer(along_columns[:, j], over_rows[:, j]), 0, 1)
    return over_both
