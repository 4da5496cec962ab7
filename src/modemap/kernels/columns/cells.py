"""Count float64 bit patterns in cells, which a table or a hash of pages finds.

The key of a value is its bits without the last ``shift``; 2^p neighbouring keys share a page, and
a page has a home among the cells. Most pages stand in a table, those far from them in a hash.
A cell is one 128-bit integer, count * 2^84 + sum of offsets, where the offset of a value is its low
bits without the last GUARD: one addition counts a row. Exact up to 2^40 rows.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit

__all__ = ["BLOCK", "EXPONENT", "FREE", "GUARD", "count_cells", "insert_pages"]

GUARD = 4  # low bits of an offset that are dropped: relative error 2^-48
BLOCK = 1024
SUM_BITS = 84
EXPONENT, SIGN = np.uint64(0x7FF << 52), np.uint64(1 << 63)
ALL_BUT_SIGN = np.int64(2**63 - 1)
FREE = np.uint64(2**64 - 1)  # tag of an unused place
SPREAD = np.uint64(0x9E3779B97F4A7C15)
WIDE = ir.IntType(128)


@intrinsic
def _add(typing: Any, cells: Any, place: Any, offset: Any) -> Any:
    """Count one row with this offset in a cell."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (data,) = r.pointers(context, builder, signature, args, 0)
        cell = builder.gep(data, [builder.shl(args[1], r.index(1))])
        cell = builder.bitcast(cell, WIDE.as_pointer())
        one = ir.Constant(WIDE, 1 << SUM_BITS)
        row = builder.or_(builder.zext(args[2], WIDE), one)
        builder.store(builder.add(builder.load(cell, align=8), row), cell, align=8)
        return context.get_dummy_value()

    del typing, place, offset
    return types.void(cells, types.int64, types.uint64), generate


@jit
def _home(page, base, table, tags, homes, state, n_pages):  # type: ignore[no-untyped-def]
    """Return the home of a page, a new one if need be; -1 where there is no room."""
    place = page - base
    is_near = place < np.uint64(table.size - 1)
    if is_near:
        if table[place] >= 0:
            return np.int64(table[place])
    else:
        mask = np.uint64(tags.size - 1)
        place = ((page * SPREAD) >> np.uint64(32)) & mask
        while tags[place] != FREE:
            if tags[place] == page:
                return np.int64(homes[place])
            place = (place + np.uint64(1)) & mask
    if state[0] == n_pages:
        return np.int64(-1)
    home = np.int64(state[0])
    if is_near:
        table[place] = home
    else:
        tags[place], homes[place] = page, home
    state[0] += 1
    return home


@jit
def _extremes(signed, least, greatest):  # type: ignore[no-untyped-def]
    """Return the extreme values of a block so far, as integers in the order of the floats."""
    for i in range(signed.size):
        ordered = signed[i] ^ ((signed[i] >> np.int64(63)) & ALL_BUT_SIGN)
        least, greatest = min(least, ordered), max(greatest, ordered)
    return least, greatest


@jit
def _count_known(block, first, shift, p, base, table, cells):  # type: ignore[no-untyped-def]
    """Count rows from ``first`` on until a page is not in the table; return where that was."""
    inner, low = (np.uint64(1) << p) - np.uint64(1), (np.uint64(1) << shift) - np.uint64(1)
    top = np.uint64(table.size - 1)
    for i in range(first, block.size):
        value = block[i] if block[i] != SIGN else np.uint64(0)
        key = value >> shift
        home = np.int64(table[min((key >> p) - base, top)])
        if home < 0:
            return i
        place = (home << np.int64(p)) | np.int64(key & inner)
        _add(cells, place, (value & low) >> np.uint64(GUARD))
    return block.size


@jit
def _count_block(block, shift, p, base, table, tags, homes, cells, state):  # type: ignore[no-untyped-def]
    """Count the rows of a block until there is no room; return how many."""
    inner, low = (np.uint64(1) << p) - np.uint64(1), (np.uint64(1) << shift) - np.uint64(1)
    n_missing, n_pages, i = 0, cells.shape[0] >> np.int64(p), 0
    while True:
        i = _count_known(block, i, shift, p, base, table, cells)
        if i == block.size:
            break
        value = block[i] if block[i] != SIGN else np.uint64(0)
        if value & EXPONENT == EXPONENT:
            n_missing += 1
        else:
            key = value >> shift
            home = _home(key >> p, base, table, tags, homes, state, n_pages)
            if home < 0:
                break
            state[4] += 1
            place = (home << np.int64(p)) | np.int64(key & inner)
            _add(cells, place, (value & low) >> np.uint64(GUARD))
        i += 1
    if n_missing:
        for j in range(i):
            if block[j] & EXPONENT != EXPONENT:
                ordered = block[j : j + 1].view(np.int64)
                state[2], state[3] = _extremes(ordered, state[2], state[3])
    else:
        state[2], state[3] = _extremes(block[:i].view(np.int64), state[2], state[3])
    state[1] += n_missing
    return i


@jit
def count_cells(  # type: ignore[no-untyped-def]
    bits,  # in   (n,) uint64
    shift,  # in  uint64
    p,  # in  uint64, logarithm of the keys of a page
    base,  # in  uint64, first page of the table
    table,  # inout  (n_places + 1,) int32, homes of the pages from base on; the last is -1
    tags,  # inout  (n_tags,) uint64, a power of two: the other pages
    homes,  # inout  (n_tags,) int32, their homes
    cells,  # inout  (n_cells, 2) uint64, low and high words
    state,  # inout  (5,) int64: pages, NaN, least and greatest value in order, and rows whose page
    # was not in the table
):
    """Count rows until the end or until there is no room; return how many."""
    for start in range(0, bits.size, BLOCK):
        block = bits[start : start + BLOCK]
        done = _count_block(block, shift, p, base, table, tags, homes, cells, state)
        if done < block.size:
            return start + done
    return bits.size


@jit
def insert_pages(keys, words, p, base, table, tags, homes, cells, state):  # type: ignore[no-untyped-def]
    """Put settled cells, keys (n,) and words (n, 2), where :func:`count_cells` finds them."""
    inner, n_pages = (np.uint64(1) << p) - np.uint64(1), cells.shape[0] >> np.int64(p)
    for i in range(keys.size):
        home = _home(keys[i] >> p, base, table, tags, homes, state, n_pages)
        place = (home << np.int64(p)) | np.int64(keys[i] & inner)
        cells[place, 0], cells[place, 1] = words[i, 0], words[i, 1]
