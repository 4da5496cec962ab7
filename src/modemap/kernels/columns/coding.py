"""Encode a column by its modes, and back: eight rows at a time.

The line is cut where the most probable mode changes; a row's mode is the sum of the steps at the
cuts it has passed: exact, without a branch, whatever intervals a mode owns. A sampled mode is drawn
by SplitMix64 of seed and row number. A table of cells of the line and slices of the draw holds the
mode wherever it is certain for a whole cell; the other rows are computed by the definition.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit
from modemap.kernels.shares import BLOCK as ROWS
from modemap.kernels.shares import shares

__all__ = ["GROUP", "decode", "encode_argmax", "encode_sampled"]

LANES = r.DOUBLE_LANES
GROUP = 32  # rows that argmax works on at once: columns are padded to a multiple of it
BLOCK = 8192
MISSING = 255
EDGE = 0.99
TOLERANCE = 2.0**-40  # of a value without decimals, that its decoding may miss it by
EPSILON = 1e-6  # added to the share of each valid mode, as RDT and CTGAN do
SLICES = 128


LookUp = Callable[[Any, int], list[Any]]


@contextmanager
def _each(builder: Any, count: Any, width: int) -> Iterator[Any]:
    """Loop over ``count`` rows, a multiple of ``width``; yield the first of each ``width``."""
    with cgutils.for_range(builder, builder.udiv(count, r.index(width))) as loop:
        yield builder.mul(loop.index, r.index(width))


def _each_by_mode(
    builder: Any, count: Any, modes: Any, tables: Any, work: Callable[[Any, LookUp], None]
) -> None:
    """Let ``work`` take LANES rows at a time, and what looks up columns of the tables at a row.

    Where the processor can pick, tables of few modes, whose last of r.HELD elements is that of a
    missing value, stay in registers.
    """

    def looped(look_up: LookUp) -> None:
        with _each(builder, count, LANES) as first:
            work(first, look_up)

    def wide(row: Any) -> Any:
        return builder.zext(r.load(builder, modes, row, vector=r.bytes8), r.indices)

    def by_rows(row: Any, n: int) -> list[Any]:
        return r.picked_rows(builder, tables, r.address(builder, modes, row))[:n]

    if not r.CAN_PICK:
        looped(by_rows)
        return
    last = builder.load(r.address(builder, tables, (r.HELD - 1) * r.QUAD))
    with builder.if_else(builder.fcmp_unordered("uno", last, last)) as (few, many):
        with few:
            held = [r.held(builder, tables, t, r.QUAD) for t in range(3)]
            looped(lambda row, n: [r.picked(builder, t, wide(row)) for t in held[:n]])
        with many:
            looped(by_rows)


@intrinsic
def _modes(typing: Any, x: Any, cuts: Any, steps: Any, first: Any, modes: Any) -> Any:
    """Write modes, of a multiple of GROUP rows: ``first`` and the steps at the cuts reached."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (x, cuts, steps, modes), shapes = r.data(context, builder, signature, args, (0, 1, 2, 4))
        with _each(builder, shapes[0][0], GROUP) as row:
            places = [builder.add(row, r.index(g)) for g in range(0, GROUP, LANES)]
            values = [r.load(builder, x, place, vector=r.doubles) for place in places]
            sums = [cgutils.alloca_once(builder, r.indices) for _ in places]
            for total in sums:
                builder.store(r.splat(builder, args[3], r.indices), total)
            with cgutils.for_range(builder, shapes[1][0]) as loop:
                cut, step = (builder.load(r.address(builder, p, loop.index)) for p in (cuts, steps))
                cut, step = r.splat(builder, cut, r.doubles), r.splat(builder, step, r.indices)
                for value, total in zip(values, sums, strict=True):
                    passed = builder.fcmp_ordered(">=", value, cut)
                    added = builder.select(passed, step, r.constant(0, r.indices))
                    builder.store(builder.add(builder.load(total), added), total)
            for place, total in zip(places, sums, strict=True):
                r.store(builder, builder.trunc(builder.load(total), r.bytes8), modes, place)
        return context.get_dummy_value()

    del typing, first
    return types.void(x, cuts, steps, types.int64, modes), generate


@intrinsic
def _few_modes(typing: Any, x: Any, cuts: Any, winners: Any, modes: Any) -> Any:
    """Write modes by bisection of r.HELD cuts, the last of which no value reaches."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (x, cuts, winners, modes), shapes = r.data(context, builder, signature, args, range(4))
        table = r.held(builder, cuts)
        names = r.held(builder, builder.bitcast(winners, r.DOUBLE.as_pointer()))
        with _each(builder, shapes[0][0], LANES) as row:
            value = r.load(builder, x, row, vector=r.doubles)
            n_reached, step = r.constant(0, r.indices), r.HELD // 2
            while step:
                next_cut = builder.add(n_reached, r.constant(step - 1, r.indices))
                reached = builder.fcmp_ordered(">=", value, r.picked(builder, table, next_cut))
                further = builder.add(n_reached, r.constant(step, r.indices))
                n_reached = builder.select(reached, further, n_reached)
                step //= 2
            mode = builder.bitcast(r.picked(builder, names, n_reached), r.indices)
            r.store(builder, builder.trunc(mode, r.bytes8), modes, row)
        return context.get_dummy_value()

    del typing
    return types.void(x, cuts, winners, modes), generate


def _restored(builder: Any, value: Any, mean: Any, width: Any, scale: Any) -> Any:
    """Return what encoded values stand for, rounded to 1 / scale unless scale is 0."""
    x = builder.fadd(builder.fmul(value, width), mean)
    x_rounded = builder.fdiv(r.rounded(builder, builder.fmul(x, scale)), scale)
    is_free = builder.fcmp_ordered("==", scale, r.constant(0.0, r.doubles))
    return builder.select(is_free, x, x_rounded)


@intrinsic
def _values(typing: Any, x: Any, modes: Any, tables: Any, scale: Any, out: Any, lost: Any) -> Any:
    """Write ``(x - mean) / width`` of each row, clipped.

    ``lost`` has a bit for each row that decoding would not restore: clipped, missing, and those
    that would come back otherwise: at all where the column is rounded, by TOLERANCE where not.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (x, modes, tables, out, lost), shapes = r.data(
            context, builder, signature, args, (0, 1, 2, 4, 5)
        )
        scale = r.splat(builder, args[3], r.doubles)
        nothing, free = (r.constant(x, r.doubles) for x in (0.0, TOLERANCE))
        is_rounded = builder.fcmp_ordered(">", scale, nothing)
        tolerance = builder.select(is_rounded, nothing, free)
        high, low = r.constant(EDGE, r.doubles), r.constant(-EDGE, r.doubles)
        is_single = signature.args[4].dtype == types.float32

        def work(row: Any, looked_up: LookUp) -> None:
            given = r.load(builder, x, row, vector=r.doubles)
            mean, width, inverse = looked_up(row, 3)
            value = builder.fmul(builder.fsub(given, mean), inverse)
            is_lost = builder.fcmp_unordered(">", r.absolute(builder, value), high)
            value = r.maximum(builder, r.minimum(builder, value, high), low)
            kept = builder.fptrunc(value, r.reals8) if is_single else value
            r.store(builder, kept, out, row)
            kept = builder.fpext(kept, r.doubles) if is_single else kept
            again = _restored(builder, kept, mean, width, scale)
            error = r.absolute(builder, builder.fsub(again, given))
            bound = builder.fmul(r.absolute(builder, given), tolerance)
            is_lost = builder.or_(is_lost, builder.fcmp_unordered(">", error, bound))
            group = builder.lshr(row, r.index(LANES.bit_length() - 1))
            builder.store(builder.bitcast(is_lost, r.BYTE), r.address(builder, lost, group))

        _each_by_mode(builder, shapes[0][0], modes, tables, work)
        return context.get_dummy_value()

    del typing, scale
    return types.void(x, modes, tables, types.float64, out, lost), generate


@intrinsic
def _originals(typing: Any, values: Any, modes: Any, tables: Any, scale: Any, out: Any) -> Any:
    """Write what encoded rows stand for; NaN for missing ones."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (values, modes, tables, out), shapes = r.data(
            context, builder, signature, args, (0, 1, 2, 4)
        )
        scale = r.splat(builder, args[3], r.doubles)
        is_single = signature.args[0].dtype == types.float32

        def work(row: Any, looked_up: LookUp) -> None:
            value = r.load(builder, values, row, vector=r.reals8 if is_single else r.doubles)
            value = builder.fpext(value, r.doubles) if is_single else value
            mean, width = looked_up(row, 2)
            r.store(builder, _restored(builder, value, mean, width, scale), out, row)

        _each_by_mode(builder, shapes[0][0], modes, tables, work)
        return context.get_dummy_value()

    del typing, scale
    return types.void(values, modes, tables, types.float64, out), generate


@jit
def _finish(x, low, modes, tables, scale, out, lost, rows, found):  # type: ignore[no-untyped-def]
    """Write the values of a block whose modes are known; list the rows that would be lost."""
    _values(x, modes, tables, scale, out, lost)
    words = lost.view(np.uint64)
    for word in range((x.size + 8 * LANES - 1) // (8 * LANES)):
        if words[word]:
            first = word * 8 * LANES
            for i in range(first, min(first + 8 * LANES, x.size)):
                if (lost[i // LANES] >> np.uint8(i % LANES)) & 1:
                    if x[i] != x[i]:
                        modes[i], out[i] = MISSING, 0.0
                    else:
                        if found < rows.size:
                            rows[found] = low + i
                        found += 1
    return found


@jit
def encode_argmax(  # type: ignore[no-untyped-def]
    x,  # in   (n,), a multiple of GROUP
    cuts,  # in   (n_cuts,), r.HELD where they are fewer: the others are NaN
    winners,  # in   (n_cuts + 1,) int64, modes below the cuts; r.HELD too where cuts are fewer
    steps,  # in   (n_cuts,) int64, change of mode at each cut
    first,  # in   mode below all cuts
    tables,  # in   (256, 4): mean, width, its inverse, and nothing; NaN where there is no mode
    scale,  # in   places of a whole unit to round to, or 0
    modes,  # out  (n,) uint8
    out,  # out  (n,) float32 or float64
    rows,  # out  (room,) int64, rows that decoding would not restore
):
    """Encode by the most probable mode; return how many rows would be lost, whatever the room."""
    found, lost = 0, np.zeros(BLOCK // LANES, np.uint8)
    for low in range(0, x.size, BLOCK):
        block, chosen = x[low : low + BLOCK], modes[low : low + BLOCK]
        if r.CAN_PICK and winners.size == r.HELD:
            _few_modes(block, cuts, winners, chosen)
        else:
            _modes(block, cuts[: steps.size], steps, first, chosen)
        values = out[low : low + BLOCK]
        found = _finish(block, low, chosen, tables, scale, values, lost, rows, found)
    return found


@jit
def _draws(x, low, high, row0, seed, start, base, shift, last, cells, draws):  # type: ignore[no-untyped-def]
    """Write the place in the table and the 24-bit draw of each row."""
    for i in range(high - low):
        z = np.uint64(row0 + low + i + 1) * np.uint64(0x9E3779B97F4A7C15) + seed
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        drawn = np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(40))
        key = (np.float64(x[low + i] - start).view(np.int64) >> shift) - base
        key = min(max(key, np.int64(0)), last)
        cells[i] = np.int32(key * SLICES + (drawn >> np.int64(17)))
        draws[i] = np.float32(drawn) * np.float32(2.0**-24)


@jit
def _exact(v, u, peaks, centers, halves, valid, e, top, s, g, mask, modes):  # type: ignore[no-untyped-def]
    """Write drawn modes of a multiple of LANES rows by the definition; e to mask are scratch."""
    n_components, n_rows, n_valid = peaks.size, v.size, 0
    top[:], s[:], g[:] = -1e300, 0.0, 0.0
    for k in range(n_components):
        peak, center, half, scores = peaks[k], centers[k], halves[k], e[k, :n_rows]
        for i in range(n_rows):
            distance = v[i] - center
            scores[i] = peak - half * distance * distance
            top[i] = max(top[i], scores[i])
    for k in range(n_components):
        shares(e[k, :n_rows], top, s, g, mask)
    g[:], top[:], modes[:] = 0.0, 0.0, 0
    for k in range(n_components):
        if valid[k]:
            n_valid += 1
            for i in range(n_rows):
                g[i] += e[k, i]
    for i in range(n_rows):
        g[i] = np.float64(u[i]) * (g[i] + n_valid * EPSILON * s[i])
    seen = 0
    for k in range(n_components):
        if valid[k]:
            seen += 1
            for i in range(n_rows):
                top[i] += e[k, i] + EPSILON * s[i]
                modes[i] += np.int32((g[i] >= top[i]) & (seen < n_valid))


@jit
def encode_sampled(  # type: ignore[no-untyped-def]
    x,  # in   (n,), a multiple of GROUP
    row0,  # in   number of the first row
    seed,  # in   uint64
    start,  # in   where the table begins
    base,  # in   first cell's key
    shift,  # in   low bits without a cell of their own
    table,  # in   (n_cells * SLICES,) uint8: mode, or MISSING where it is not certain
    peaks,  # in   (K,) of all components
    centers,  # in   (K,)
    halves,  # in   (K,)
    valid,  # in   (K,) bool
    tables,
    scale,
    modes,
    out,
    rows,  # the last five as in encode_argmax
):
    """Encode by a drawn mode; return how many rows would be lost, whatever the room."""
    cells, draws = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.float32)
    last = np.int64(table.size // SLICES - 1)
    found, lost = 0, np.zeros(BLOCK // LANES, np.uint8)
    open_rows, picked = np.empty(BLOCK + 1, np.int32), np.empty(ROWS, np.int32)
    v, w = np.zeros(ROWS), np.zeros(ROWS, np.float32)
    e, mask = np.empty((peaks.size, ROWS)), np.empty(ROWS // LANES, np.uint8)
    top, s, g = np.empty(ROWS), np.empty(ROWS), np.empty(ROWS)
    for low in range(0, x.size, BLOCK):
        high, m = min(low + BLOCK, x.size), 0
        _draws(x, low, high, row0, seed, start, base, shift, last, cells, draws)
        for i in range(high - low):
            mode = table[np.uint32(cells[i])]
            modes[low + i] = mode
            open_rows[m] = i
            m += int(mode == MISSING)
        for part in range(0, m, ROWS):
            n = min(ROWS, m - part)
            for j in range(n):
                v[j], w[j] = x[low + open_rows[part + j]], draws[open_rows[part + j]]
                if v[j] != v[j]:
                    v[j] = centers[0]
            size = (n + LANES - 1) // LANES * LANES  # rows behind the last are those of before
            _exact(v[:size], w, peaks, centers, halves, valid, e, top, s, g, mask, picked)
            for j in range(n):
                modes[low + open_rows[part + j]] = picked[j]
        block, chosen, values = x[low:high], modes[low:high], out[low:high]
        found = _finish(block, low, chosen, tables, scale, values, lost, rows, found)
    return found


@jit
def decode(values, modes, tables, scale, out):  # type: ignore[no-untyped-def]
    """Write what encoded rows, a multiple of LANES, stand for; NaN for missing ones."""
    _originals(values, modes, tables, scale, out)
