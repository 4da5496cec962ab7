"""Count the values of a column into bins: decimals in a table, others in a hash of cells.

Both are only accumulators. What is settled from them, :class:`~modemap.kernels.columns.bins.Bins`,
depends on the values alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray
from modemap.kernels.columns import cells, decimals
from modemap.kernels.columns.bins import (
    EMPTY,
    LIMIT,
    Bins,
    BitArray,
    bins_of_counts,
    bins_of_rows,
    combine,
    folded_at_least,
    settle_bins,
)

__all__ = ["Counter"]

CHUNK = 1 << 15  # rows at a time: they stay in the second-level cache
FIRST = 1 << 13  # rows that are sorted to find the first bins
FAR = 1 << 12  # rows that are sorted where one lies beyond the pages
COMING = 2 * LIMIT  # rows that are looked at in advance where nearly all values differ
TABLE = 3 << 17  # places for decimals
MAX_ROWS = 1 << 31  # of the table, whose counts have 32 bits
SCALES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e6)
SAMPLE = 8192
MIN_SHARE = 0.9  # of the first rows that decimals must make up
LARGEST_WHOLE = 2.0**52
LARGEST = 1e300
MAX_PAGE = 6
MANTISSA = 52
MAX_TABLE = 1 << 17  # pages in a table, of both signs
MARGIN = 16  # pages on either side, at least
NO_TABLE = 1 << 62
ROOM = 7 << 14  # cells: three quarters more than there are bins at most
MIN_HASH = 1 << 13  # pages that are not in the table


class Counter:
    """Rows counted since bins were last settled.

    Attributes
    ----------
    n_missing : int
        NaN so far; infinities, which fall into no bin either, are the caller's to refuse.
    least, greatest : int
        Extreme values so far, as integers in the order of the floats.
    """

    def __init__(self, bins: Bins) -> None:
        self.n_missing = 0
        self.least, self.greatest = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        self._bins: Bins | None = bins
        self._table: NDArray[np.uint32] | None = None
        self._wait, self._pause, self._n_rows = 0, 1, 0
        self._patience, self._most_bytes = CHUNK, np.inf

    @property
    def nbytes(self) -> int:
        """Memory in use, in bytes."""
        arrays: list[NDArray[Any]] = []
        if self._bins is None:
            arrays += [self._pages, self._tags, self._homes, self._cells]
        else:
            arrays += [self._bins.keys, self._bins.words]
        return self._table_bytes + sum(array.nbytes for array in arrays)

    @property
    def _table_bytes(self) -> int:
        if self._table is None:
            return 0
        return int(self._table.nbytes + self._numbers.nbytes + self._rest.nbytes)

    def keep_below(self, n_bytes: int) -> None:
        """Take so much memory from now on: where it is short, decimals have no table."""
        self._most_bytes = n_bytes
        if self.nbytes > n_bytes:
            self._open(self._settled_cells())

    def add(self, values: FloatArray) -> None:
        """Count values, (n,), none of them infinite."""
        if self._is_empty and len(values) <= LIMIT:  # sorting is as good as any cells
            self._sort_in(EMPTY, np.asarray(values, np.float64).view(np.uint64))
            return
        for start in range(0, len(values), CHUNK):
            self._coming = values[start + CHUNK :]
            self._add_chunk(np.ascontiguousarray(values[start : start + CHUNK], np.float64))
        del self._coming

    def settle(self) -> Bins:
        """Return the canonical bins of all values."""
        self._bins = self._with_decimals(self._settled_cells())
        return self._bins

    def _with_decimals(self, bins: Bins) -> Bins:
        """Return the bins with what the table of decimals has counted, which is then empty."""
        if self._table is not None and self._n_rows:
            places = np.flatnonzero(self._table[:-1])
            values = (places + self._low) / self._scale + 0.0
            bits = values.view(np.uint64)
            bins = combine(bins, bins_of_counts(bits, self._table[places].astype(np.uint64)))
            self._note_extremes(bits)
            self._table[:] = 0
            self._n_rows = 0
        return bins

    def _add_chunk(self, values: FloatArray) -> None:
        if self._table is None and not self._wait:
            self._start_table(values)
        if self._table is None or self._wait:  # decimals did not pay: again later, ever more rarely
            self._wait = max(self._wait - 1, 0)
            self._add_bits(values.view(np.uint64))
            return
        n_rest = decimals.count_decimals(
            values, self._scale, self._low, self._table, self._numbers, self._rest
        )
        self._n_rows += len(values)
        if 2 * n_rest > len(values):
            self._wait, self._pause = self._pause, 2 * self._pause
        self._add_bits(self._rest[:n_rest])  # which may have to give the table up
        if self._n_rows > MAX_ROWS:
            self.settle()

    def _start_table(self, values: FloatArray) -> None:
        """Choose the decimals that the first rows have, if any."""
        sample = values[:SAMPLE]
        sample = sample[np.abs(sample) < LARGEST]
        for scale in SCALES if len(sample) else ():
            whole = np.rint(sample * scale)
            least, most = float(whole.min()), float(whole.max())
            fits = most - least < MIN_SHARE * TABLE and max(abs(least), abs(most)) < LARGEST_WHOLE
            if fits and np.mean(whole / scale == sample) > MIN_SHARE:
                middle = least - (TABLE - (most - least)) // 2
                self._scale = scale
                self._low = 0.0 if least >= 0 and most < TABLE else float(middle)
                self._table = np.zeros(TABLE + 1, np.uint32)
                self._numbers = np.empty(decimals.BLOCK, np.int32)
                self._rest = np.empty(CHUNK, np.uint64)
                return
        self._wait = NO_TABLE

    def _add_bits(self, bits: BitArray) -> None:
        while self._is_empty and len(bits):  # which may all be missing
            self._sort_in(EMPTY, bits[:FIRST])
            self._look_ahead()
            bits = bits[FIRST:]
        if self._bins is not None and len(bits):
            self._open(self._bins)
        while len(bits):
            n_done = cells.count_cells(
                bits,
                np.uint64(self._shift),
                *self._places(),
            )
            if self._state[4] > self._patience:  # the table lies where few rows are: place it anew
                self._patience *= 2
                self._open(self._settled_cells())
            if n_done == len(bits):
                return
            self._sort_in(self._settled_cells(), bits[n_done : n_done + FAR])
            bits = bits[n_done + FAR :]
            if len(bits):
                self._open(self._settled_cells())

    @property
    def _is_empty(self) -> bool:
        return self._bins is not None and not len(self._bins.keys)

    def _look_ahead(self) -> None:
        """Widen the bins of the first rows at once as far as those to come will ask for."""
        if self._bins is None or 2 * len(self._bins.keys) < FIRST or len(self._coming) < LIMIT:
            return
        some = self._coming[:: -(-len(self._coming) // COMING)]
        bits = np.ascontiguousarray(some, np.float64).view(np.uint64)
        bits = bits[bits & cells.EXPONENT != cells.EXPONENT]
        self._bins = folded_at_least(self._bins, bits)

    def _sort_in(self, bins: Bins, bits: BitArray) -> None:
        """Count rows without cells: the first of all, or some with one beyond the known pages."""
        is_missing = bits & cells.EXPONENT == cells.EXPONENT
        self.n_missing += int(np.count_nonzero(is_missing))
        bits = bits[~is_missing]
        if len(bits):
            self._bins = combine(bins, bins_of_rows(bits))
            self._note_extremes(bits)

    def _note_extremes(self, bits: BitArray) -> None:
        ordered = bits.view(np.int64)
        ordered = ordered ^ ((ordered >> 63) & np.iinfo(np.int64).max)
        self.least = min(self.least, int(ordered.min()))
        self.greatest = max(self.greatest, int(ordered.max()))

    def _open(self, bins: Bins) -> None:
        """Give the bins cells; their pages are as wide as their keys are dense."""
        p, n_pages = self._paged(bins)
        keys = bins.keys >> np.uint64(p)
        sign = np.uint64(63 - bins.shift - p)
        base, n_places, n_near = _window(keys, bins.counts, sign)
        n_far = n_pages - n_near
        size = max(1 << (4 * (n_far + n_far // 8) // 3).bit_length(), MIN_HASH)
        needed = 16 * ROOM + 4 * n_places + 12 * size
        if self._table is not None and self._table_bytes + needed > self._most_bytes:
            bins, self._table, self._wait = self._with_decimals(bins), None, NO_TABLE
            self._open(bins)
            return
        self._bins, self._shift, self._p, self._base = None, bins.shift, p, base
        self._pages = np.full(n_places + 1, -1, np.int32)
        self._tags, self._homes = np.full(size, cells.FREE), np.zeros(size, np.int32)
        room = max(ROOM >> p, n_pages + (2 * cells.BLOCK >> p) + 1)
        self._cells = np.zeros((room << p, 2), np.uint64)
        self._state = np.array([0, 0, self.least, self.greatest, 0, 0], np.int64)
        cells.insert_pages(bins.keys, bins.words, np.uint64(bins.shift), *self._places())

    def _paged(self, bins: Bins) -> tuple[int, int]:
        """Return the logarithm of the keys of a page, and how many pages the bins then have."""
        steps, n_bins = bins.keys[1:] ^ bins.keys[:-1], len(bins.keys)
        widest = min(MAX_PAGE, MANTISSA - bins.shift)  # no page holds both a finite value and NaN
        for p in range(widest, 0, -1):
            n_pages = 1 + int(np.count_nonzero(steps >> np.uint64(p)))
            if n_pages << p <= min(max(2 * n_bins, ROOM // 2), 7 * ROOM // 8):
                return p, n_pages
        return 0, n_bins

    def _places(self) -> tuple[Any, ...]:
        """Return what the kernels find cells by, and the cells."""
        p, base = np.uint64(self._p), np.uint64(self._base)
        return p, base, self._pages, self._tags, self._homes, self._cells, self._state

    def _settled_cells(self) -> Bins:
        """Return the bins of the cells; the hash is given up."""
        if self._bins is not None:
            return self._bins
        self.n_missing += int(self._state[1])
        self.least, self.greatest = int(self._state[2]), int(self._state[3])
        near, far = np.flatnonzero(self._pages >= 0), np.flatnonzero(self._tags != cells.FREE)
        signs = (near.astype(np.uint64) & np.uint64(1)) << np.uint64(63 - self._shift - self._p)
        pages = ((near >> 1).astype(np.uint64) + np.uint64(self._base)) | signs
        pages = np.concatenate((pages, self._tags[far]))
        homes = np.concatenate((self._pages[near], self._homes[far]))
        del self._pages, self._tags, self._homes, near, far, signs
        order = np.argsort(pages)
        pages, homes = pages[order], homes[order]
        within = np.arange(1 << self._p, dtype=np.uint64)
        keys = ((pages << np.uint64(self._p))[:, np.newaxis] | within).ravel()
        words = self._cells.reshape(-1, 1 << self._p, 2)[homes].reshape(-1, 2)
        del self._cells, pages, homes, order
        occupied = words[:, 1] > 0
        keys, words = keys[occupied], words[occupied]
        bins = settle_bins(keys, words, self._shift)
        self._bins = bins
        return bins


def _window(pages: BitArray, counts: BitArray, sign: np.uint64) -> tuple[int, int, int]:
    """Return where the table begins, its length, and the pages in it: there where most rows are.

    A page and its like of the other sign, whose bit is ``sign``, stand side by side.
    """
    positive = pages & ((np.uint64(1) << sign) - np.uint64(1))
    order = np.argsort(positive, kind="stable")
    positive, counts = positive[order], counts[order]
    steps = np.concatenate(([0], np.cumsum(counts.astype(np.int64))))
    reach = np.uint64(MAX_TABLE // 2 - 2 * MARGIN)
    ends = np.searchsorted(positive, positive + reach)
    best = int(np.argmax(steps[ends] - steps[:-1]))
    first, last = int(positive[best]), int(positive[ends[best] - 1])
    margin = min(max((last - first) // 4, MARGIN), (MAX_TABLE // 2 - (last - first)) // 2)
    base = max(first - margin, 0)
    n_pages = min(last + margin - base + 1, MAX_TABLE // 2)
    start, stop = np.searchsorted(positive, np.array([base, base + n_pages], np.uint64))
    inside = np.unique(pages[order[start:stop]])
    return base, 2 * n_pages, len(inside)
