"""A column in a few megabytes at most: exact counts while values are few, then counts of bins.

A single pass makes it, two of them merge into the sketch of both columns together, and the order
or the cuts of the rows change no bit of it. Mixtures are fitted to it, and profiles and drift read
it.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.columns.bins import (
    EMPTY,
    LIMIT,
    Bins,
    BitArray,
    bins_of_counts,
    bins_of_rows,
    combine,
)

__all__ = ["ColumnSketch", "merged_sketches", "sketches_of"]

MAGIC = b"modemap column sketch\n"
VERSION = 1
HEADER = struct.Struct("<HHQQdd")  # version, shift, missing, bins, least, greatest
CHECKSUM = struct.Struct("<I")
MAX_TOTAL = 1 << 40  # rows up to which sums are exact
MAX_SHIFT = 48
BLOCK = 1 << 20
CHECKED = 1 << 17  # rows looked at at once
MAX_BYTES = 8_000_000
MAX_COUNTERS = 2  # for which there is memory
ROWS_PER_THREAD = 1 << 21  # below this a thread costs more than it saves


class ColumnSketch:
    """A mergeable summary of a numeric column.

    Up to 65,536 distinct values are kept exactly, with their counts. Beyond that they fall into at
    most 65,536 bins, linear within a power of two and as narrow as fit, each with its exact count
    and mean. What the sketch holds depends on the values alone: not on their order, nor on how they
    were cut into updates and merges. Integers beyond 2^53 are rounded to float64.

    Examples
    --------
    >>> first, second = ColumnSketch(), ColumnSketch()
    >>> merged = first.update([1.5, 2.0]).merge(second.update([2.0, float("nan")]))
    >>> merged.n, merged.n_missing
    (3, 1)
    >>> values, counts = merged.values_and_counts()
    >>> values.tolist(), counts.tolist()
    ([1.5, 2.0], [1, 2])
    """

    def __init__(self) -> None:
        self._bins = EMPTY
        self._n_missing = 0
        self._least, self._greatest = np.inf, -np.inf
        self._counter: Any = None
        self._helpers: list[ColumnSketch] = []  # what other threads counted

    @property
    def n(self) -> int:
        """Rows counted, missing ones aside."""
        return int(self._settled().counts.sum())

    @property
    def n_missing(self) -> int:
        """Missing rows counted."""
        self._settled()
        return self._n_missing

    @property
    def min(self) -> float:
        """Least value; NaN of no rows."""
        return self._least if len(self._settled().keys) else float("nan")

    @property
    def max(self) -> float:
        """Greatest value; NaN of no rows."""
        return self._greatest if len(self._settled().keys) else float("nan")

    @property
    def is_exact(self) -> bool:
        """Whether every distinct value is kept."""
        return self._settled().shift == 0

    @property
    def nbytes(self) -> int:
        """Memory in use, in bytes: 8 million at most, whatever came in on how many threads."""
        mine = self._bins.keys.nbytes + self._bins.words.nbytes
        if self._counter is not None:
            mine += int(self._counter.nbytes)
        return mine + sum(helper.nbytes for helper in self._helpers)

    def update(
        self, values: ArrayLike, weights: ArrayLike | None = None, *, n_threads: int = 1
    ) -> Self:
        """Count values, (n,), NaN as missing; return the sketch.

        Parameters
        ----------
        values : array-like of shape (n,)
            Real numbers; each chunk is converted to float64 on its own.
        weights : array-like of shape (n,), optional
            How often each value counts: whole numbers >= 0.
        n_threads : int, default=1
            Threads for many rows; they change no bit of the result. Two of them count at most:
            more would not fit the memory.

        Returns
        -------
        ColumnSketch
            The sketch itself.

        Raises
        ------
        ValueError
            If a value is infinite or no number, the shape is another, a weight is negative or no
            whole number, or more than 2^40 rows were counted. The sketch stays as it was.
        """
        column = _column(values)
        if weights is not None:
            self._update_weighted(column, weights)
            return self
        n_parts = max(1, min(n_threads, MAX_COUNTERS, len(column) // ROWS_PER_THREAD))
        self._helpers += [ColumnSketch() for _ in range(n_parts - 1 - len(self._helpers))]
        sketches = [self, *self._helpers[: n_parts - 1]]
        cuts = [len(column) * i // n_parts for i in range(n_parts + 1)]
        parts = [column[start:stop] for start, stop in pairwise(cuts)]
        _each(_refuse_infinity, parts, cuts)
        most = [MAX_BYTES // (1 + len(self._helpers))] * n_parts
        _each(ColumnSketch._update_rows, sketches, parts, most)
        return self

    def merge(self, other: "ColumnSketch") -> Self:
        """Count all that ``other`` has counted; return the sketch.

        Parameters
        ----------
        other : ColumnSketch
            It stays as it is.

        Returns
        -------
        ColumnSketch
            The sketch itself.

        Raises
        ------
        ValueError
            If both together have more than 2^40 rows.
        """
        mine, theirs = self._settled(), other._settled()
        _check_total(self.n + other.n)
        self._bins = combine(mine, theirs)
        self._n_missing += other._n_missing
        self._least = min(self._least, other._least)
        self._greatest = max(self._greatest, other._greatest)
        return self

    def values_and_counts(self) -> tuple[FloatArray, IntArray]:
        """Return distinct values, rising, and their counts; a bin's value is its mean.

        Returns
        -------
        values : ndarray of shape (n_bins,)
        counts : ndarray of int, shape (n_bins,)
        """
        bins = self._settled()
        values = np.clip(bins.means(), self._least, self._greatest)
        order = np.argsort(values, kind="stable")
        return values[order], bins.counts.astype(np.int64)[order]

    def quantiles(self, q: ArrayLike) -> FloatArray:
        """Return the smallest values below or at which shares ``q`` of the rows lie.

        Parameters
        ----------
        q : array-like
            Between 0 and 1; these two give the extremes.

        Returns
        -------
        ndarray
            As many, in the shape of ``q``.

        Raises
        ------
        ValueError
            If the sketch has no rows or a share lies outside.
        """
        shares = np.asarray(q, np.float64)
        values, counts = self.values_and_counts()
        if not len(values):
            raise ValueError("quantiles need at least one value, got none")
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError(f"q must lie between 0 and 1, got {q!r}")
        steps = np.cumsum(counts)
        ranks = np.clip(np.ceil(shares * steps[-1]).astype(np.int64), 1, steps[-1])
        found = values[np.searchsorted(steps, ranks)]
        found = np.where(shares == 0, self._least, np.where(shares == 1, self._greatest, found))
        return np.asarray(found, np.float64)

    def percentiles(self, q: ArrayLike) -> FloatArray:
        """Return what :func:`numpy.percentile` says of the rows, exactly where :attr:`is_exact`.

        Beyond that a value stands for all in its bin, and is off by less than the bin is wide.

        Parameters
        ----------
        q : array-like
            Between 0 and 100.

        Returns
        -------
        ndarray
            As many, in the shape of ``q``.

        Raises
        ------
        ValueError
            If the sketch has no rows or a percentage lies outside.
        """
        shares = np.asarray(q, np.float64) / 100
        values, counts = self.values_and_counts()
        if not len(values):
            raise ValueError("percentiles need at least one value, got none")
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError(f"q must lie between 0 and 100, got {q!r}")
        steps = np.cumsum(counts)
        places = (steps[-1] - 1) * shares
        ranks = np.floor(places)
        low, high = (
            values[np.searchsorted(steps, np.minimum(rank, steps[-1] - 1), side="right")]
            for rank in (ranks, ranks + 1)
        )
        part, gap = places - ranks, high - low
        found: FloatArray = np.where(part < 0.5, low + gap * part, high - gap * (1 - part))  # noqa: PLR2004
        return found

    def histogram(self, edges: ArrayLike) -> IntArray:
        """Return the counts below, between and from the last of ``edges``: both ends are open.

        Parameters
        ----------
        edges : array-like of shape (n_edges,)
            Rising; an edge belongs to the interval above it.

        Returns
        -------
        ndarray of int64, shape (n_edges + 1,)

        Raises
        ------
        ValueError
            If the edges do not rise or one is NaN.
        """
        cuts = np.asarray(edges, np.float64)
        if cuts.ndim != 1 or not (np.diff(cuts) > 0).all() or np.isnan(cuts).any():
            raise ValueError(f"edges must be rising numbers, got {edges!r}")
        values, counts = self.values_and_counts()
        steps = np.concatenate(([0], np.cumsum(counts)))
        below = np.concatenate(([0], np.searchsorted(values, cuts), [len(values)]))
        found: IntArray = np.diff(steps[below])
        return found

    def to_bytes(self) -> bytes:
        """Return the sketch as bytes: equal sketches, equal bytes.

        Returns
        -------
        bytes
            2 million at most.
        """
        bins = self._settled()
        extremes = (self._least, self._greatest)
        header = HEADER.pack(VERSION, bins.shift, self._n_missing, len(bins.keys), *extremes)
        arrays = bins.keys.astype("<u8").tobytes() + bins.words.astype("<u8").tobytes()
        body = MAGIC + header + arrays
        return body + CHECKSUM.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that :meth:`to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            All of them.

        Returns
        -------
        ColumnSketch

        Raises
        ------
        ValueError
            If the bytes are not those of a sketch, whole and unchanged, in a version known here.
        """
        start = len(MAGIC) + HEADER.size
        if not data.startswith(MAGIC) or len(data) < start + CHECKSUM.size:
            raise ValueError(f"data must be a whole column sketch, got {len(data)} other bytes")
        version, shift, n_missing, n_bins, least, greatest = HEADER.unpack_from(data, len(MAGIC))
        if version != VERSION:
            raise ValueError(f"data must be a sketch of version {VERSION}, got version {version}")
        if len(data) != start + 24 * n_bins + CHECKSUM.size:
            raise ValueError(f"data must hold {n_bins} bins, got {len(data)} bytes: cut or changed")
        if CHECKSUM.unpack(data[-CHECKSUM.size :])[0] != zlib.crc32(data[: -CHECKSUM.size]):
            raise ValueError("data must be as it was written, got another checksum: changed")
        keys = np.frombuffer(data, "<u8", n_bins, start).astype(np.uint64)
        words = np.frombuffer(data, "<u8", 2 * n_bins, start + 8 * n_bins).astype(np.uint64)
        sketch = cls()
        sketch._bins = Bins(keys, words.reshape(-1, 2), shift)
        sketch._n_missing, sketch._least, sketch._greatest = n_missing, least, greatest
        sketch._check_bins()
        return sketch

    def __getstate__(self) -> dict[str, bytes]:
        return {"data": self.to_bytes()}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        self.__dict__.update(vars(type(self).from_bytes(state["data"])))

    def _check_bins(self) -> None:
        keys, words, shift = self._bins
        rising = bool((keys[1:] > keys[:-1]).all())
        known = shift <= MAX_SHIFT and len(keys) <= LIMIT and bool((self._bins.counts > 0).all())
        if not (rising and known and len(words) == len(keys)):
            raise ValueError("data must hold rising bins with counts above 0, got others")

    def _settled(self) -> Bins:
        if self._counter is not None:
            counter, self._counter = self._counter, None
            self._bins = counter.settle()
            self._n_missing += counter.n_missing
            self._note(counter.least, counter.greatest)
        helpers, self._helpers = self._helpers, []
        for helper in helpers:
            self.merge(helper)
        return self._bins

    def _note(self, least: int, greatest: int) -> None:
        """Take extremes as integers in the order of the floats."""
        if least <= greatest:
            ends = np.array([least, greatest], np.int64)
            low, high = (ends ^ ((ends >> 63) & np.iinfo(np.int64).max)).view(np.float64) + 0.0
            self._least = min(self._least, float(low))
            self._greatest = max(self._greatest, float(high))

    def _update_rows(self, column: NDArray[Any], most_bytes: int) -> None:
        from modemap.kernels.compilation import is_compiled  # noqa: PLC0415

        if not is_compiled():
            for start in range(0, len(column), BLOCK):
                self._merge_rows(column[start : start + BLOCK])
            return
        if self._counter is None:
            from modemap.kernels.columns.counter import Counter  # noqa: PLC0415

            self._counter, self._bins = Counter(self._bins), EMPTY
        self._counter.keep_below(most_bytes)
        self._counter.add(column)

    def _merge_rows(self, block: NDArray[Any]) -> None:
        values = np.asarray(block, np.float64)
        values = values[~np.isnan(values)] + 0.0
        self._n_missing += len(block) - len(values)
        if len(values):
            self._bins = combine(self._bins, bins_of_rows(values.view(np.uint64)))
            self._least = min(self._least, float(values.min()))
            self._greatest = max(self._greatest, float(values.max()))

    def _update_weighted(self, column: NDArray[Any], weights: ArrayLike) -> None:
        counts = _counts(weights, len(column))
        _refuse_infinity(column)
        values = np.asarray(column, np.float64) + 0.0
        is_missing = np.isnan(values)
        is_counted = ~is_missing & (counts > 0)
        distinct, places = np.unique(values[is_counted], return_inverse=True)
        totals = np.zeros(len(distinct), np.uint64)
        np.add.at(totals, places, counts[is_counted])
        added = ColumnSketch()
        added._n_missing = int(counts[is_missing].sum())
        if len(distinct):
            _check_total(self.n + int(totals.sum()))
            bits: BitArray = distinct.view(np.uint64)
            added._bins = bins_of_counts(bits, totals)
            added._least, added._greatest = float(distinct[0]), float(distinct[-1])
        self.merge(added)


def sketches_of(blocks: Iterable[NDArray[Any]]) -> list[ColumnSketch]:
    """Return the sketch of each column of rows that come in blocks.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n_samples, n_columns)

    Returns
    -------
    list of ColumnSketch
        Empty without any block.
    """
    sketches: list[ColumnSketch] = []
    for block in blocks:
        sketches = sketches or [ColumnSketch() for _ in range(block.shape[1])]
        for sketch, column in zip(sketches, block.T, strict=True):
            sketch.update(column)
    return sketches


def merged_sketches(
    one: Sequence[ColumnSketch], other: Sequence[ColumnSketch]
) -> list[ColumnSketch]:
    """Return the sketches of columns whose rows were counted in two parts.

    Parameters
    ----------
    one : sequence of ColumnSketch
        They count the others' rows as well from then on.
    other : sequence of ColumnSketch
        As many.

    Returns
    -------
    list of ColumnSketch
        Those of ``one``.
    """
    return [a.merge(b) for a, b in zip(one, other, strict=True)]


def _column(values: ArrayLike) -> NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"values must have shape (n,), got {column.shape}")
    if column.dtype == object or column.dtype.kind in "SU":
        try:
            column = np.array([np.nan if value is None else value for value in column], np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"values must be real numbers, got {_first_text(column)!r}") from None
    if column.dtype.kind not in "biuf":
        raise ValueError(f"values must be real numbers, got {column.dtype}")
    return column


def _first_text(column: NDArray[Any]) -> object:
    return next((value for value in column.tolist() if isinstance(value, str)), column[0])


def _refuse_infinity(column: NDArray[Any], first_row: int = 0) -> None:
    """Look before anything is counted; blocks stay in the cache."""
    if column.dtype.kind != "f":
        return
    for start in range(0, len(column), CHECKED):
        with np.errstate(over="ignore"):
            infinite = np.isinf(column[start : start + CHECKED].astype(np.float64, copy=False))
        if infinite.any():
            row = start + int(infinite.argmax())
            raise ValueError(
                f"values must be finite or NaN, got {column[row]} in row {first_row + row}"
            )


def _each(work: Callable[..., None], *arguments: Sequence[Any]) -> None:
    """Call ``work`` on the first of all arguments, the second and so on, side by side."""
    calls = list(zip(*arguments, strict=False))
    if len(calls) == 1:
        work(*calls[0])
        return
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(work, *call) for call in calls]:
            done.result()


def _counts(weights: ArrayLike, n_rows: int) -> NDArray[np.uint64]:
    given = np.asarray(weights)
    if given.shape != (n_rows,):
        raise ValueError(f"weights must have shape ({n_rows},), got {given.shape}")
    if given.dtype.kind not in "biuf" or not (given >= 0).all() or (given % 1 != 0).any():
        raise ValueError("weights must be whole numbers >= 0, got others")
    _check_total(float(given.sum()))
    return given.astype(np.uint64)


def _check_total(total: float) -> None:
    if total > MAX_TOTAL:
        raise ValueError(f"a sketch counts at most {MAX_TOTAL} rows, got {total:.0f}")
