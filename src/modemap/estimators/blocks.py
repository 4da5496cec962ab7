"""Rows in blocks of one size, however they came: so sums have one order, and memory a bound."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks", "EvenSample", "block_rows", "reblocked"]

GRAIN = 1 << 15  # a block is a whole number of these, and so of the chunks that passes are cut into
MAX_ROWS = 1 << 18
MAX_BYTES = 32 << 20  # of a block of float64, unless a single grain is larger


def block_rows(n_columns: int) -> int:
    """Return how many rows of ``n_columns`` a block has: a matter of their number alone.

    Examples
    --------
    >>> block_rows(8), block_rows(64), block_rows(1000)
    (262144, 65536, 32768)
    """
    grains = MAX_BYTES // (8 * max(n_columns, 1)) // GRAIN
    return min(MAX_ROWS, max(1, grains) * GRAIN)


def reblocked(parts: Iterable[NDArray[Any]], n_rows: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of ``parts``, in their order, ``n_rows`` at a time; the last block is shorter.

    A block that lies within one part is a view of it.
    """
    waiting: list[NDArray[Any]] = []
    n_waiting = 0
    for part in parts:
        start = 0
        while n_waiting + len(part) - start >= n_rows:
            stop = start + n_rows - n_waiting
            yield _joined([*waiting, part[start:stop]])
            waiting, n_waiting, start = [], 0, stop
        if start < len(part):
            waiting.append(part[start:])
            n_waiting += len(part) - start
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(frozen=True)
class Blocks:
    """Rows in blocks that can be read again and again; they are :class:`Batches`.

    Parameters
    ----------
    n_rows : int
        Rows in all blocks.
    read : callable
        Returns the blocks, (n_samples, n_features) in C order, each time the same.
    """

    n_rows: int
    read: Callable[[], Iterator[NDArray[np.float64]]]

    def batches(self) -> Iterator[NDArray[np.float64]]:
        """Return the blocks in their order."""
        return self.read()

    def mapped(self, work: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> "Blocks":
        """Return the blocks after ``work``, which keeps the number and the order of rows."""
        return Blocks(self.n_rows, lambda: map(work, self.read()))

    def first(self, n_rows: int) -> NDArray[np.float64]:
        """Return the first rows, at most ``n_rows`` of them."""
        return next(self.read())[:n_rows].copy()


class EvenSample:
    """Every so many of the rows that come in parts: at most ``limit``, at least half of it.

    The step between them is the least power of two that keeps to the limit, so the same rows are
    kept however they were cut into parts.

    Examples
    --------
    >>> sample = EvenSample(4)
    >>> for part in np.arange(3), np.arange(3, 10):
    ...     sample.add(part)
    >>> sample.values().tolist()
    [0, 4, 8]
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._step, self._n_rows = limit, 1, 0
        self._kept: list[NDArray[Any]] = []

    def add(self, part: NDArray[Any]) -> None:
        """Take in the next rows, (n_samples, ...)."""
        first, factor = self._n_rows, 1
        self._n_rows += len(part)
        while -(-self._n_rows // (self._step * factor)) > self._limit:
            factor *= 2
        if factor > 1 and self._kept:
            self._kept = [self.values()[::factor]]
        self._step *= factor
        self._kept.append(part[-first % self._step :: self._step].copy())

    def values(self) -> NDArray[Any]:
        """Return the rows that were kept, in their order."""
        return np.concatenate(self._kept)
