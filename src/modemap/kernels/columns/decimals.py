"""Count exact decimals in a table that has a place for each: integers, tenths, cents."""

import numpy as np

from modemap.kernels.compilation import jit

__all__ = ["BLOCK", "count_decimals"]

BLOCK = 2048


@jit
def _numbers(block, scale, low, size, numbers):  # type: ignore[no-untyped-def]
    """Write the place of each value, or ``size`` where it has none; return whether any has none.

    No float reduction stands in the loop, so that it vectorises.
    """
    strange = np.int64(0)
    for i in range(block.size):
        whole = np.rint(block[i] * scale)
        fits = (whole / scale == block[i]) & (whole >= low) & (whole < low + size)
        numbers[i] = np.int32(whole - low if fits else size)
        strange |= np.int64(not fits)
    return strange


@jit
def count_decimals(  # type: ignore[no-untyped-def]
    values,  # in   (n,) float64
    scale,  # in   places of a whole unit
    low,  # in   number of the table's first place
    table,  # inout  (n_places + 1,) uint32; the last place is scratch
    numbers,  # scratch  (BLOCK,) int32
    rest,  # out  (n,) uint64, bits of the values that have no place
):
    """Count the values that are ``(low + k) / scale``; return how many others went to ``rest``."""
    n_rest, size, bits = 0, table.size - 1, values.view(np.uint64)
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        strange = _numbers(block, scale, low, float(size), numbers)
        for i in range(block.size):
            table[np.uint32(numbers[i])] += np.uint32(1)
        if strange:
            for i in range(block.size):
                if numbers[i] == size:
                    rest[n_rest] = bits[start + i]
                    n_rest += 1
    return n_rest
