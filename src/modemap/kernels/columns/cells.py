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
POSITIVE, LAST = np.uint64(2**63 - 1), np.uint64(63)
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
def _slot(page, tags):  # type: ignore[no-untyped-def]
    """Return where the hash holds a page, or the free place for it."""
    mask = np.uint64(tags.size - 1)
    slot = ((page * SPREAD) >> np.uint64(32)) & mask
    while tags[slot] != page and tags[slot] != FREE:
        slot = (slot + np.uint64(1)) & mask
    return slot


@jit
def _place(value, shift, p, base):  # type: ignore[no-untyped-def]
    """Return where the table has the page of a value: beside that of the other sign."""
    return ((((value & POSITIVE) >> shift >> p) - base) << np.uint64(1)) | (value >> LAST)


@jit
def _new_home(value, shift, p, base, table, tags, homes, state, n_pages):  # type: ignore[no-untyped-def]
    """Give the page of a value its home, the first free one; -1 where there is no room."""
    home = np.int64(state[0])
    if home == n_pages:
        return np.int64(-1)
    place = _place(value, shift, p, base)
    if place < np.uint64(table.size - 1):
        table[place] = home
    else:
        if 4 * (state[5] + 1) > 3 * tags.size:
            return np.int64(-1)
        page = (value >> shift) >> p
        slot = _slot(page, tags)
        tags[slot], homes[slot] = page, home
        state[5] += 1
    state[0] += 1
    return home


@jit
def _note(value, state):  # type: ignore[no-untyped-def]
    """Raise the extremes, integers in the order of the floats, to a value."""
    signed = np.int64(value)
    ordered = signed ^ ((signed >> np.int64(63)) & ALL_BUT_SIGN)
    state[2], state[3] = min(state[2], ordered), max(state[3], ordered)


@jit
def _known_home(value, shift, p, base, table, tags, homes):  # type: ignore[no-untyped-def]
    """Return the home of a value's page, -1 if it has none, and whether it is in the table."""
    home = table[min(_place(value, shift, p, base), np.uint64(table.size - 1))]
    if home >= 0:
        return np.int64(home), True
    page = (value >> shift) >> p
    slot = _slot(page, tags)
    if tags[slot] == page:
        return np.int64(homes[slot]), False
    return np.int64(-1), False


@jit
def _find(block, places, offsets, shift, p, base, table, state):  # type: ignore[no-untyped-def]
    """Write the cell and the offset of each row; return whether all pages are in the table.

    Then the rows are numbers, and their extremes are noted. The loops but the second vectorise: a
    miss, a home of -1, does not end them.
    """
    inner, low = (np.uint64(1) << p) - np.uint64(1), (np.uint64(1) << shift) - np.uint64(1)
    last, page_shift = np.uint64(table.size - 1), shift + p
    signed, least, greatest = block.view(np.int64), state[2], state[3]
    for i in range(block.size):
        value = block[i] if block[i] != SIGN else np.uint64(0)
        page = (value & POSITIVE) >> page_shift
        places[i] = min(((page - base) << np.uint64(1)) | (value >> LAST), last)
        ordered = signed[i] ^ ((signed[i] >> np.int64(63)) & ALL_BUT_SIGN)
        least, greatest = min(least, ordered), max(greatest, ordered)
    missed = np.int32(0)
    for i in range(block.size):
        home = table[places[i]]
        places[i] = np.uint64(np.uint32(home))
        missed |= home
    if missed < 0:
        return False
    for i in range(block.size):
        value = block[i] if block[i] != SIGN else np.uint64(0)
        places[i] = (places[i] << p) | ((value >> shift) & inner)
        offsets[i] = (value & low) >> np.uint64(GUARD)
    state[2], state[3] = least, greatest
    return True


@jit
def _count_known(block, first, shift, p, base, table, tags, homes, cells, state):  # type: ignore[no-untyped-def]
    """Count rows from ``first`` on until a page is unknown; return where, and rows not in table."""
    inner, low = (np.uint64(1) << p) - np.uint64(1), (np.uint64(1) << shift) - np.uint64(1)
    n_far = 0
    for i in range(first, block.size):
        value = block[i] if block[i] != SIGN else np.uint64(0)
        home, is_near = _known_home(value, shift, p, base, table, tags, homes)
        if home < 0:
            return i, n_far
        _note(value, state)
        n_far += not is_near
        place = (home << np.int64(p)) | np.int64((value >> shift) & inner)
        _add(cells, place, (value & low) >> np.uint64(GUARD))
    return block.size, n_far


@jit
def _count_block(block, places, offsets, shift, p, base, table, tags, homes, cells, state):  # type: ignore[no-untyped-def]
    """Count the rows of a block until there is no room; return how many."""
    if _find(block, places, offsets, shift, p, base, table, state):
        for i in range(block.size):
            _add(cells, np.int64(places[i]), offsets[i])
        return block.size
    n_pages, i = cells.shape[0] >> np.int64(p), 0
    while i < block.size:
        i, n_far = _count_known(block, i, shift, p, base, table, tags, homes, cells, state)
        state[4] += n_far
        if i == block.size:
            break
        value = block[i] if block[i] != SIGN else np.uint64(0)
        if value & EXPONENT == EXPONENT:
            state[1] += 1
            i += 1
        elif _new_home(value, shift, p, base, table, tags, homes, state, n_pages) < 0:
            break
    return i


@jit
def count_cells(  # type: ignore[no-untyped-def]
    bits,  # in   (n,) uint64
    shift,  # in  uint64
    p,  # in  uint64, logarithm of the keys of a page
    base,  # in  uint64, first page of the table
    table,  # inout  (n_places + 1,) int32, homes of the pages of either sign from base on, without
    # which base counts; the last is -1
    tags,  # inout  (n_tags,) uint64, a power of two: the other pages
    homes,  # inout  (n_tags,) int32, their homes
    cells,  # inout  (n_cells, 2) uint64, low and high words
    state,  # inout  (6,) int64: pages, NaN, least and greatest value in order, rows whose page was
    # not in the table, and pages in the hash
):
    """Count rows until the end or until there is no room; return how many."""
    places, offsets = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
    for start in range(0, bits.size, BLOCK):
        block = bits[start : start + BLOCK]
        done = _count_block(
            block, places, offsets, shift, p, base, table, tags, homes, cells, state
        )
        if done < block.size:
            return start + done
    return bits.size


@jit
def insert_pages(keys, words, shift, p, base, table, tags, homes, cells, state):  # type: ignore[no-untyped-def]
    """Put settled cells, keys (n,) and words (n, 2), where :func:`count_cells` finds them."""
    inner, n_pages = (np.uint64(1) << p) - np.uint64(1), cells.shape[0] >> np.int64(p)
    for i in range(keys.size):
        value = keys[i] << shift
        home, _ = _known_home(value, shift, p, base, table, tags, homes)
        if home < 0:
            home = _new_home(value, shift, p, base, table, tags, homes, state, n_pages)
        place = (home << np.int64(p)) | np.int64(keys[i] & inner)
        cells[place, 0], cells[place, 1] = words[i, 0], words[i, 1]
