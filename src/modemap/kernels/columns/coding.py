"""Encode a column by its modes, and back: eight rows at a time.

The line is cut where the most probable mode changes; a row's mode is the sum of the steps at the
cuts it has passed: exact, without a branch, whatever intervals a mode owns. A sampled mode is drawn
by SplitMix64 of seed and row number. A table of cells of the line and slices of the draw holds the
mode wherever it is certain for a whole cell; the other rows are computed by the definition.
"""

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
EPSILON = 1e-6  # added to the share of each valid mode, as RDT and CTGAN do
SLICES = 128


@intrinsic
def _modes(typing: Any, x: Any, row: Any, cuts: Any, steps: Any, first: Any, modes: Any) -> Any:
    """Write the modes of GROUP rows: ``first`` and the steps at the cuts that x has reached."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, cuts, steps, modes = r.pointers(context, builder, signature, args, 0, 2, 3, 5)
        array = context.make_array(signature.args[2])(context, builder, args[2])
        (count,) = cgutils.unpack_tuple(builder, array.shape, 1)
        places = [builder.add(args[1], r.index(g)) for g in range(0, GROUP, LANES)]
        values = [r.load(builder, x, place, vector=r.doubles) for place in places]
        sums = [cgutils.alloca_once(builder, r.indices) for _ in places]
        for total in sums:
            builder.store(r.splat(builder, args[4], r.indices), total)
        with cgutils.for_range(builder, count) as loop:
            cut = r.splat(builder, builder.load(r.address(builder, cuts, loop.index)), r.doubles)
            step = r.splat(builder, builder.load(r.address(builder, steps, loop.index)), r.indices)
            for value, total in zip(values, sums, strict=True):
                passed = builder.fcmp_ordered(">=", value, cut)
                added = builder.select(passed, step, r.constant(0, r.indices))
                builder.store(builder.add(builder.load(total), added), total)
        for place, total in zip(places, sums, strict=True):
            mode = builder.trunc(builder.load(total), r.bytes8)
            r.store(builder, mode, modes, place)
        return context.get_dummy_value()

    del typing, row, first
    return types.void(x, types.int64, cuts, steps, types.int64, modes), generate


def _restored(builder: Any, value: Any, mean: Any, width: Any, scale: Any) -> Any:
    """Return what encoded values stand for, rounded to 1 / scale unless scale is 0."""
    x = builder.fadd(builder.fmul(value, width), mean)
    x_rounded = builder.fdiv(r.rounded(builder, builder.fmul(x, scale)), scale)
    is_free = builder.fcmp_ordered("==", scale, r.constant(0.0, r.doubles))
    return builder.select(is_free, x, x_rounded)


@intrinsic
def _values(
    typing: Any,
    x: Any,
    row: Any,
    modes: Any,
    means: Any,
    inverses: Any,
    widths: Any,
    scale: Any,
    out: Any,
) -> Any:
    """Write ``(x - mean) / width`` of eight rows, clipped.

    Returns the bits of the rows that decoding would not restore: clipped, missing, and, where the
    column is rounded, those that do not come back exactly.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, modes, means, inverses, widths, out = r.pointers(
            context, builder, signature, args, 0, 2, 3, 4, 5, 7
        )
        row, scale = args[1], r.splat(builder, args[6], r.doubles)
        mode = builder.zext(r.load(builder, modes, row, vector=r.bytes8), r.indices)
        given = r.load(builder, x, row, vector=r.doubles)
        mean = r.gather(builder, means, mode)
        value = builder.fsub(given, mean)
        value = builder.fmul(value, r.gather(builder, inverses, mode))
        high, low = r.constant(EDGE, r.doubles), r.constant(-EDGE, r.doubles)
        lost = builder.or_(
            builder.fcmp_unordered(">", value, high), builder.fcmp_unordered("<", value, low)
        )
        value = builder.select(builder.fcmp_ordered(">", value, high), high, value)
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        kept = value
        if signature.args[7].dtype == types.float32:
            kept = builder.fptrunc(value, r.reals8)
            value = builder.fpext(kept, r.doubles)
        r.store(builder, kept, out, row)
        width = r.gather(builder, widths, mode)
        differs = builder.fcmp_unordered("!=", _restored(builder, value, mean, width, scale), given)
        is_rounded = builder.fcmp_ordered(">", scale, r.constant(0.0, r.doubles))
        lost = builder.or_(lost, builder.and_(differs, is_rounded))
        return builder.zext(builder.bitcast(lost, r.BYTE), r.INDEX)

    del typing, row, scale
    returned = types.int64(x, types.int64, modes, means, inverses, widths, types.float64, out)
    return returned, generate


@intrinsic
def _originals(
    typing: Any, values: Any, row: Any, modes: Any, means: Any, widths: Any, scale: Any, out: Any
) -> Any:
    """Write what eight encoded rows stand for."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, modes, means, widths, out = r.pointers(
            context, builder, signature, args, 0, 2, 3, 4, 6
        )
        row, scale = args[1], r.splat(builder, args[5], r.doubles)
        mode = builder.zext(r.load(builder, modes, row, vector=r.bytes8), r.indices)
        is_single = signature.args[0].dtype == types.float32
        value = r.load(builder, values, row, vector=r.reals8 if is_single else r.doubles)
        value = builder.fpext(value, r.doubles) if is_single else value
        mean = r.gather(builder, means, mode)
        width = r.gather(builder, widths, mode)
        r.store(builder, _restored(builder, value, mean, width, scale), out, row)
        return context.get_dummy_value()

    del typing, row, scale
    returned = types.void(values, types.int64, modes, means, widths, types.float64, out)
    return returned, generate


@jit
def _finish(  # type: ignore[no-untyped-def]
    x, low, high, modes, means, inverses, widths, scale, out, rows, kept, found
):
    """Write the values of rows whose modes are known; list those that would be lost."""
    for i in range(low, high, LANES):
        lost = _values(x, i, modes, means, inverses, widths, scale, out)
        if lost:
            for j in range(LANES):
                if (lost >> j) & 1:
                    if x[i + j] != x[i + j]:
                        modes[i + j], out[i + j] = MISSING, 0.0
                    else:
                        if found < rows.size:
                            rows[found], kept[found] = i + j, x[i + j]
                        found += 1
    return found


@jit
def encode_argmax(  # type: ignore[no-untyped-def]
    x,  # in   (n,), a multiple of GROUP
    cuts,  # in   (n_cuts,)
    steps,  # in   (n_cuts,) int64, change of mode at each cut
    first,  # in   mode below all cuts
    means,  # in   (256,), NaN where there is no mode
    inverses,  # in   (256,) of the widths
    widths,  # in   (256,)
    scale,  # in   places of a whole unit to round to, or 0
    modes,  # out  (n,) uint8
    out,  # out  (n,) float32 or float64
    rows,  # out  (room,) int64, rows that decoding would not restore
    kept,  # out  (room,) their values
):
    """Encode by the most probable mode; return how many rows are kept, whatever the room."""
    found = 0
    for low in range(0, x.size, BLOCK):
        high = min(low + BLOCK, x.size)
        for i in range(low, high, GROUP):
            _modes(x, i, cuts, steps, first, modes)
        found = _finish(x, low, high, modes, means, inverses, widths, scale, out, rows, kept, found)
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
    """Write the drawn modes of ROWS rows by the definition; e to mask are scratch."""
    n_components, n_valid = peaks.size, 0
    top[:], s[:], g[:] = -1e300, 0.0, 0.0
    for k in range(n_components):
        peak, center, half, scores = peaks[k], centers[k], halves[k], e[k]
        for i in range(ROWS):
            distance = v[i] - center
            scores[i] = peak - half * distance * distance
            top[i] = max(top[i], scores[i])
    for k in range(n_components):
        shares(e[k], top, s, g, mask)
    g[:], top[:], modes[:] = 0.0, 0.0, 0
    for k in range(n_components):
        if valid[k]:
            n_valid += 1
            for i in range(ROWS):
                g[i] += e[k, i]
    for i in range(ROWS):
        g[i] = np.float64(u[i]) * (g[i] + n_valid * EPSILON * s[i])
    seen = 0
    for k in range(n_components):
        if valid[k]:
            seen += 1
            for i in range(ROWS):
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
    means,
    inverses,
    widths,
    scale,
    modes,
    out,
    rows,
    kept,  # the last eight as in encode_argmax
):
    """Encode by a drawn mode; return how many rows are kept, whatever the room."""
    cells, draws = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.float32)
    last = np.int64(table.size // SLICES - 1)
    found = 0
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
            _exact(v, w, peaks, centers, halves, valid, e, top, s, g, mask, picked)
            for j in range(n):
                modes[low + open_rows[part + j]] = picked[j]
        found = _finish(x, low, high, modes, means, inverses, widths, scale, out, rows, kept, found)
    return found


@jit
def decode(values, modes, means, widths, scale, out):  # type: ignore[no-untyped-def]
    """Write what encoded rows, a multiple of LANES, stand for; NaN for missing ones."""
    for i in range(0, values.size, LANES):
        _originals(values, i, modes, means, widths, scale, out)
