"""Encode a value by the mode it belongs to and its place within that mode, and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.column_modes import ColumnModes
from modemap.kernels import FloatArray, IntArray

__all__ = [
    "EDGE",
    "WIDTH",
    "ModeEncoding",
    "decode_column",
    "encode_column",
    "learned_decimals",
]

WIDTH = 4.0  # standard deviations of its mode that make one unit of an encoded value
EDGE = 0.99  # encoded values are clipped to this size
MAX_DECIMALS = 15
BLOCK = 1 << 16  # rows worked on at once


@dataclass(frozen=True)
class ModeEncoding:
    """Rows encoded by modes; what the encoding alone would lose is kept beside it.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_columns)
        ``(x - mean) / (4 * std)`` of the row's mode, clipped to -0.99 and 0.99.
    modes : ndarray of uint8, shape (n_samples, n_columns)
        Index of the mode.
    kept_rows, kept_columns : ndarray of shape (n_kept,)
        Where a value was clipped, or has more decimals than the column had in training.
    kept_values : ndarray of shape (n_kept,)
        The values there, as they were.
    """

    values: FloatArray
    modes: NDArray[np.uint8]
    kept_rows: IntArray
    kept_columns: IntArray
    kept_values: FloatArray


def encode_column(
    x: FloatArray, modes: ColumnModes, decimals: int | None
) -> tuple[FloatArray, NDArray[np.uint8], IntArray]:
    """Return the values, the most probable modes, and the rows that decoding would not restore."""
    values, chosen = np.empty(len(x)), np.empty(len(x), dtype=np.uint8)
    log_norms = np.log(modes.weights) - np.log(modes.stds)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        scores = np.square((x[rows, np.newaxis] - modes.means) / modes.stds)
        mode = (log_norms - 0.5 * scores).argmax(axis=1)
        values[rows] = (x[rows] - modes.means[mode]) / (WIDTH * modes.stds[mode])
        chosen[rows] = mode
    is_lost = np.abs(values) > EDGE
    np.clip(values, -EDGE, EDGE, out=values)
    if decimals is not None:
        is_lost |= decode_column(values, chosen, modes, decimals) != x
    return values, chosen, np.flatnonzero(is_lost)


def decode_column(
    values: FloatArray, chosen: NDArray[np.uint8], modes: ColumnModes, decimals: int | None
) -> FloatArray:
    """Return what the encoded values stand for, rounded where the column has decimals."""
    x = values * (WIDTH * modes.stds[chosen]) + modes.means[chosen]
    return x if decimals is None else np.round(x, decimals)


def learned_decimals(x: FloatArray) -> int | None:
    """Return how many decimals write every value exactly, None where 15 are not enough."""
    with np.errstate(over="ignore", invalid="ignore"):  # of values too large to have decimals
        for decimals in range(MAX_DECIMALS + 1):
            if np.array_equal(np.round(x, decimals), x):
                return decimals
    return None
