"""Bins of float64 values in one canonical form, whose counts and sums are exact integers.

A bin's key is the bits of its values without the last ``shift``, so bins are linear within a binade
and logarithmic across them, and with ``shift`` 0 they are the values themselves. The shift is the
smallest that leaves at most LIMIT bins, which depends on the values alone: not on their order, nor
on how they were cut. A bin's word is count * 2^84 + sum of offsets, an offset being the low bits of
a value without the last GUARD.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray

__all__ = [
    "EMPTY",
    "LIMIT",
    "Bins",
    "BitArray",
    "bins_of_counts",
    "bins_of_rows",
    "combine",
    "folded_at_least",
    "settle_bins",
]

BitArray = NDArray[np.uint64]

LIMIT = 1 << 16  # bins: 4 mantissa bits of all float64 numbers just fit
GUARD = 4
SOME = 1 << 12  # bins worked on at once, so that little memory is taken
COUNT_SHIFT = np.uint64(20)  # of the count within the high word
MAX_SHIFT = 48
NEGATIVE_ZERO = np.uint64(1 << 63)
HALF = np.uint64(32)
LOW_HALF = np.uint64(2**32 - 1)


class Bins(NamedTuple):
    """Occupied bins by rising key."""

    keys: BitArray  # (n_bins,)
    words: BitArray  # (n_bins, 2), low and high word
    shift: int

    @property
    def counts(self) -> BitArray:
        """Return the number of values in each bin."""
        counts: BitArray = self.words[:, 1] >> COUNT_SHIFT
        return counts

    def means(self) -> FloatArray:
        """Return the mean of the values in each bin, exact where ``shift`` is 0."""
        low = self.keys << np.uint64(self.shift)
        start: FloatArray = low.view(np.float64)
        if self.shift == 0:
            return start
        unit = (low + np.uint64(1)).view(np.float64) - start
        high = self.words[:, 1] & ((np.uint64(1) << COUNT_SHIFT) - np.uint64(1))
        offsets = self.words[:, 0].astype(np.float64) + high.astype(np.float64) * 2.0**64
        dropped = (2 ** min(self.shift, GUARD) - 1) / 2
        means: FloatArray = start + (offsets / self.counts * 2.0**GUARD + dropped) * unit
        return means


EMPTY = Bins(np.empty(0, np.uint64), np.empty((0, 2), np.uint64), 0)


def bins_of_rows(bits: BitArray) -> Bins:
    """Return the bins of values, (n,), given by their bits: finite, in any order."""
    bits = np.sort(np.where(bits == NEGATIVE_ZERO, np.uint64(0), bits))
    starts = _starts(bits)
    counts = np.diff(np.append(starts, len(bits))).astype(np.uint64)
    return settle_bins(bits[starts], _words(counts), 0)


def bins_of_counts(bits: BitArray, counts: BitArray) -> Bins:
    """Return the bins of values given by their bits, each with how often it occurs, above 0."""
    bits = np.where(bits == NEGATIVE_ZERO, np.uint64(0), bits)
    return settle_bins(bits, _words(counts.astype(np.uint64)), 0)


def combine(first: Bins, second: Bins) -> Bins:
    """Return the bins of the values of both."""
    shift = max(first.shift, second.shift)  # a finer one does not fit one of them, nor then both
    one, other = (_fold(part, shift - part.shift) for part in (first, second))
    bins = _paired(one, other)
    return _fold(bins, _needed_drop(bins.keys, shift))


def folded_at_least(bins: Bins, bits: BitArray) -> Bins:
    """Return the bins as wide as they must be once values with these ``bits`` have come too.

    The values are not counted: only the keys that they will have are looked at.
    """
    coming = np.where(bits == NEGATIVE_ZERO, np.uint64(0), bits) >> np.uint64(bins.shift)
    keys = np.sort(np.concatenate((bins.keys, coming)))
    return _fold(bins, _needed_drop(keys, bins.shift))


def _paired(one: Bins, other: Bins) -> Bins:
    """Return the bins of both, of one shift, by rising key."""
    keys = np.concatenate((one.keys, other.keys))
    order = np.argsort(keys, kind="stable")
    keys, words = keys[order], np.concatenate((one.words, other.words))[order]
    second = np.flatnonzero(keys[1:] == keys[:-1]) + 1  # no key comes more than twice
    low = words[second - 1, 0] + words[second, 0]
    carry = low < words[second, 0]
    words[second - 1, 1] += words[second, 1] + carry
    words[second - 1, 0] = low
    is_first = np.ones(len(keys), np.bool_)
    is_first[second] = False
    return Bins(keys[is_first], words[is_first], one.shift)


def settle_bins(keys: BitArray, words: BitArray, shift: int) -> Bins:
    """Sort, join equal keys, and drop bits until at most LIMIT bins are left."""
    if not (keys[1:] >= keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        words = words[order]
    bins = Bins(keys, words, shift)
    return _fold(bins, _needed_drop(bins.keys, shift))


def _needed_drop(keys: BitArray, shift: int) -> int:
    if len(keys) <= LIMIT:
        return 0
    steps = keys[1:] ^ keys[:-1]  # the bit where neighbours part tells up to which shift they do
    low, high = 0, MAX_SHIFT - shift
    while low < high:
        middle = (low + high) // 2
        if np.count_nonzero(steps >> np.uint64(middle)) < LIMIT:
            high = middle
        else:
            low = middle + 1
    return low


def _fold(bins: Bins, drop: int) -> Bins:
    """Join sorted bins whose keys are equal without their last ``drop`` bits."""
    keys = bins.keys >> np.uint64(drop)
    starts = _starts(keys)
    if drop == 0 and len(starts) == len(keys):
        return bins
    words = np.empty((len(starts), 2), np.uint64)
    for first in range(0, len(starts), SOME):
        some = starts[first : first + SOME]
        end = starts[first + SOME] if first + SOME < len(starts) else len(keys)
        part = slice(some[0], end)
        joined = _joined(Bins(bins.keys[part], bins.words[part], bins.shift), drop, some - some[0])
        words[first : first + SOME] = joined
    return Bins(keys[starts], words, bins.shift + drop)


def _joined(bins: Bins, drop: int, starts: NDArray[np.intp]) -> BitArray:
    """Return the words of runs of bins, each run one bin when ``drop`` bits are gone."""
    low = bins.keys & ((np.uint64(1) << np.uint64(drop)) - np.uint64(1))
    moved = (low << np.uint64(bins.shift)) >> np.uint64(GUARD)
    sums = [np.add.reduceat(limb, starts) for limb in _limbs(bins.words, bins.counts, moved)]
    for i in range(3):
        sums[i + 1] += sums[i] >> HALF
    words = np.empty((len(starts), 2), np.uint64)
    for i in range(2):
        words[:, i] = (sums[2 * i] & LOW_HALF) | (sums[2 * i + 1] << HALF)
    return words


def _limbs(words: BitArray, counts: BitArray, moved: BitArray) -> list[BitArray]:
    """Return ``words + counts * moved`` as four 32-bit limbs with room for carries.

    Both factors have at most 44 bits: their product is added from three of 22-bit halves.
    """
    bits, mask = np.uint64(22), np.uint64(2**22 - 1)
    c0, c1, m0, m1 = counts & mask, counts >> bits, moved & mask, moved >> bits
    low, middle, high = c0 * m0, c0 * m1 + c1 * m0, c1 * m1
    ten, twelve, twenty = np.uint64(10), np.uint64(12), np.uint64(20)
    return [
        (words[:, 0] & LOW_HALF)
        + (low & LOW_HALF)
        + ((middle & ((np.uint64(1) << ten) - np.uint64(1))) << bits),
        (words[:, 0] >> HALF)
        + (low >> HALF)
        + ((middle >> ten) & LOW_HALF)
        + ((high & ((np.uint64(1) << twenty) - np.uint64(1))) << twelve),
        (words[:, 1] & LOW_HALF) + (middle >> np.uint64(42)) + (high >> twenty),
        words[:, 1] >> HALF,
    ]


def _starts(keys: BitArray) -> NDArray[np.intp]:
    """Return where runs of equal keys begin."""
    return np.flatnonzero(np.append(np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]))


def _words(counts: BitArray) -> BitArray:
    words = np.zeros((len(counts), 2), np.uint64)
    words[:, 1] = counts << COUNT_SHIFT
    return words
