"""Tables that say which mode a draw gives, wherever a whole cell of the line agrees."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray

__all__ = ["EPSILON", "MISSING", "SLICES", "SamplingTable", "drawn_modes", "sampling_table"]

MISSING = 255
EPSILON = 1e-6  # added to the share of each valid mode, as RDT and CTGAN do
SLICES = 128
BINADES, MANTISSA = 12, 8  # at most 3072 cells
SLACK = 1e-7
FEW = 1 << 12  # rows whose modes are drawn in NumPy at once


class SamplingTable(NamedTuple):
    """Cells of the line by the top bits of ``x - start``, times slices of the draw."""

    start: float
    base: int
    shift: int
    modes: NDArray[np.uint8]  # (n_cells * SLICES,); MISSING where the mode is not certain


def sampling_table(
    low: float,
    high: float,
    peaks: FloatArray,
    means: FloatArray,
    halves: FloatArray,
    valid: NDArray[np.bool_],
) -> SamplingTable:
    """Return the table for values mostly between ``low`` and ``high``."""
    span = max(high - low, 2.0**24 * float(np.spacing(max(abs(low), abs(high)))), 1e-300)
    start, shift = low - span * 2.0**-BINADES, 52 - MANTISSA
    base = int(np.float64(span * 2.0**-BINADES).view(np.int64) >> shift)
    n_cells = int(np.float64(low + span - start).view(np.int64) >> shift) - base + 1
    edges = ((np.arange(n_cells + 1) + base) << shift).view(np.float64) + start
    slack = 4 * np.spacing(np.maximum(np.abs(edges), abs(start)))
    a, b = (edges[:-1] - slack[:-1])[:, np.newaxis], (edges[1:] + slack[1:])[:, np.newaxis]

    def scores(x: FloatArray) -> FloatArray:
        return np.asarray(peaks - halves * (x - means) ** 2)

    best = np.argmax(scores((a + b) / 2), axis=1)
    square = halves[best, np.newaxis] - halves
    slope = halves * means - (halves * means)[best, np.newaxis]
    with np.errstate(all="ignore"):
        vertex = np.clip(np.nan_to_num(-slope / square, nan=0.0), a, b)
    places = np.stack(
        [scores(x) - np.take_along_axis(scores(x), best[:, np.newaxis], 1) for x in (a, b)]
        + [_at(vertex, peaks, means, halves, best)]
    )
    least = np.exp(np.minimum(places.min(axis=0), 700) - 1e-9)
    most = np.exp(np.minimum(places.max(axis=0), 700) + 1e-9)
    least_extra, most_extra = (
        EPSILON * share.sum(axis=1, keepdims=True) for share in (least, most)
    )
    least, most = least[:, valid] + least_extra, most[:, valid] + most_extra
    first = _below(least) / (_below(least) + _above(most))
    final = _below(most) / (_below(most) + _above(least))
    draws = np.arange(SLICES) / SLICES
    passed = (draws >= final[:, :, np.newaxis] + SLACK).sum(axis=1)
    possible = (draws + 1 / SLICES > first[:, :, np.newaxis] - SLACK).sum(axis=1)
    modes = np.where(passed == possible, passed, MISSING).astype(np.uint8)
    modes[[0, -1]] = MISSING  # values beyond the range fall here
    return SamplingTable(start, base, shift, modes.ravel())


def drawn_modes(
    x: FloatArray,
    first_row: int,
    seed: int,
    peaks: FloatArray,
    means: FloatArray,
    halves: FloatArray,
    valid: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Return the modes by the definition: the twin of the compiled encoder."""
    modes = np.empty(len(x), np.uint8)
    for start in range(0, len(x), FEW):
        part = np.nan_to_num(x[start : start + FEW])
        scores = peaks - halves * np.square(part[:, np.newaxis] - means)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        steps = np.cumsum(shares[:, valid] + EPSILON, axis=1)
        uniforms = _uniforms(first_row + start, len(part), seed)
        passed = uniforms[:, np.newaxis] * steps[:, -1:] >= steps[:, :-1]
        modes[start : start + FEW] = passed.sum(axis=1)
    return modes


def _uniforms(first_row: int, n_rows: int, seed: int) -> FloatArray:
    """Return 24-bit draws keyed by seed and row: SplitMix64."""
    z = np.arange(first_row + 1, first_row + n_rows + 1, dtype=np.uint64)
    z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(((z ^ (z >> np.uint64(31))) >> np.uint64(40)) * 2.0**-24)


def _at(
    x: FloatArray,
    peaks: FloatArray,
    means: FloatArray,
    halves: FloatArray,
    best: NDArray[np.intp],
) -> FloatArray:
    """Return the scores at x, (n_cells, K), less those of each cell's best at the same place."""
    own = peaks - halves * (x - means) ** 2
    of_best = (
        peaks[best, np.newaxis] - halves[best, np.newaxis] * (x - means[best, np.newaxis]) ** 2
    )
    return np.asarray(own - of_best)


def _below(shares: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(shares, axis=1)[:, :-1])


def _above(shares: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(shares[:, ::-1], axis=1)[:, ::-1][:, 1:])
