"""Rows in blocks of one size, however they came: so sums have one order, and memory a bound."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, repeat
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Blocks",
    "EvenSample",
    "Numbered",
    "block_rows",
    "cuts_of",
    "even_step",
    "numbered",
    "reblocked",
    "recut",
]

Result = TypeVar("Result")
FloatArray = NDArray[np.float64]
Read = Callable[[int, int], Iterator[NDArray[Any]]]  # the rows from start to stop, in parts
Numbered = tuple[int, NDArray[Any], FloatArray | None]  # a block: number, rows and their weights

GRAIN = 1 << 15  # a block is a whole number of these, and so of the chunks that passes are cut into
MAX_ROWS = 1 << 18
MAX_BYTES = 32 << 20  # of a block of float64, unless a single grain is larger
MAX_KEPT_BYTES = 64 << 20  # of rows that stay in memory from one pass to the next


def block_rows(n_columns: int) -> int:
    """Return how many rows of ``n_columns`` a block has: a matter of their number alone.

    Examples
    --------
    >>> block_rows(8), block_rows(64), block_rows(1000)
    (262144, 65536, 32768)
    """
    grains = MAX_BYTES // (8 * max(n_columns, 1)) // GRAIN
    return min(MAX_ROWS, max(1, grains) * GRAIN)


def cuts_of(n_rows: int, size: int, weights: FloatArray | None = None) -> list[int]:
    """Return where blocks begin, and the number of rows: ``size`` rows of weight above 0 in each.

    Examples
    --------
    >>> cuts_of(5, 2), cuts_of(5, 2, np.array([1.0, 0.0, 2.0, 1.0, 1.0]))
    ([0, 2, 4, 5], [0, 3, 5])
    """
    if weights is None:
        return [*range(0, n_rows, size), n_rows]
    return [0, *np.flatnonzero(weights > 0)[size::size].tolist(), n_rows]


def numbered(
    blocks: Iterable[NDArray[Any]],
    cuts: Sequence[int],
    weights: FloatArray | None,
    first: int = 0,
) -> Iterator[Numbered]:
    """Yield blocks that begin at ``cuts`` with their numbers, from ``first`` on, and weights.

    ``weights`` are those of the rows of these blocks alone.
    """
    spans = pairwise(cut - cuts[0] for cut in cuts)
    for number, (X, span) in enumerate(zip(blocks, spans, strict=True), first):
        yield number, X, None if weights is None else weights[slice(*span)]


def reblocked(parts: Iterable[NDArray[Any]], n_rows: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of ``parts``, in their order, ``n_rows`` at a time; the last block is shorter.

    A block that lies within one part is a view of it.
    """
    return recut(parts, repeat(n_rows))


def recut(parts: Iterable[NDArray[Any]], sizes: Iterable[int]) -> Iterator[NDArray[Any]]:
    """Yield the rows of ``parts``, in their order, in blocks of ``sizes`` and what is left."""
    waiting: list[NDArray[Any]] = []
    n_waiting, following = 0, iter(sizes)
    size = next(following, None)
    for part in parts:
        start = 0
        while size is not None and n_waiting + len(part) - start >= size:
            stop = start + size - n_waiting
            yield _joined([*waiting, part[start:stop]])
            waiting, n_waiting, start = [], 0, stop
            size = next(following, None)
        if start < len(part):
            waiting.append(part[start:])
            n_waiting += len(part) - start
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(frozen=True)
class Blocks:
    """Rows that can be read again and again, whole or from one row to another.

    They are :class:`Batches`, and :class:`Spread` over this process alone.

    Parameters
    ----------
    n_rows : int
        All of them.
    read : callable
        Returns the rows from start to stop in parts, (n_samples, n_features) in C order, each time
        the same.
    """

    n_rows: int
    read: Read

    def batches(self) -> Iterator[NDArray[Any]]:
        """Return the rows in parts, in their order."""
        return self.read(0, self.n_rows)

    def mapped(self, work: Callable[[NDArray[Any]], NDArray[np.float64]]) -> "Blocks":
        """Return the rows after ``work``, which keeps their number and order."""
        return Blocks(self.n_rows, partial(_mapped, work, self.read))

    def kept(self, n_columns: int) -> "Blocks":
        """Return the rows so that few enough stay in memory once they were read."""
        if 8 * n_columns * self.n_rows > MAX_KEPT_BYTES:
            return self
        return Blocks(self.n_rows, _Kept(self.read, self.n_rows))

    def first(self, n_rows: int) -> NDArray[np.float64]:
        """Return the first rows, at most ``n_rows`` of them."""
        return np.concatenate(list(self.read(0, min(n_rows, self.n_rows))))

    def runs(
        self,
        work: Callable[[Iterator[Numbered]], Result],
        cuts: Sequence[int],
        weights: FloatArray | None = None,
    ) -> Iterator[Result]:
        """Yield what ``work`` makes of all blocks, which are a single run here."""
        yield work(numbered(recut(self.batches(), np.diff(cuts).tolist()), cuts, weights))


class _Kept:
    """Parts that stay in memory after the first reading of all; another process reads anew."""

    def __init__(self, read: Read, n_rows: int) -> None:
        self._read, self._n_rows = read, n_rows
        self._parts: list[NDArray[Any]] | None = None

    def __call__(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Yield the rows from ``start`` to ``stop`` in parts."""
        if self._parts is not None:
            first = 0
            for part in self._parts:
                if first < stop and start < first + len(part):
                    yield part[max(start - first, 0) : stop - first]
                first += len(part)
            return
        parts = []
        for part in self._read(start, stop):
            parts.append(part)
            yield part
        if (start, stop) == (0, self._n_rows):
            self._parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, (self._read, self._n_rows)


def _mapped(
    work: Callable[[NDArray[Any]], NDArray[np.float64]], read: Read, start: int, stop: int
) -> Iterator[NDArray[np.float64]]:
    return map(work, read(start, stop))


def even_step(n_rows: int, limit: int) -> int:
    """Return the least power of two as a step by which at most ``limit`` of the rows are taken."""
    step = 1
    while -(-n_rows // step) > limit:
        step *= 2
    return step


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
        first = self._n_rows
        self._n_rows += len(part)
        factor = even_step(self._n_rows, self._limit) // self._step
        if factor > 1 and self._kept:
            self._kept = [self.values()[::factor]]
        self._step *= factor
        self._kept.append(part[-first % self._step :: self._step].copy())

    def values(self) -> NDArray[Any]:
        """Return the rows that were kept, in their order."""
        return np.concatenate(self._kept)
