"""How far each unit moves towards a sample, from short tables: no exponential for each unit.

The tables hold the neighborhood's profile along both axes. They depend on the radius alone, so they
are filled for some updates at once, long before their nearest units are known; then each row of the
grid is a stretch of one table times an entry of the other.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit

__all__ = ["empty_tables", "fill_gains", "fill_tables", "room_for_gains"]

GAUSSIAN, BUBBLE, MEXICAN_HAT, TRIANGLE = 0, 1, 2, 3
WITHIN = 1.0 + 1e-12  # units at the very radius are within it
NEGLIGIBLE = 1e-15  # weaker pulls change no float32, and would become denormal numbers


@jit
def room_for_gains(n_units):  # type: ignore[no-untyped-def]
    """Return zeros for the gains of so many units; registers reach beyond the last one."""
    return np.zeros(n_units + r.LANES, np.float32)


@jit
def empty_tables(lattice, n_updates):  # type: ignore[no-untyped-def]
    """Return the arrays that ``fill_tables`` writes for so many updates: ``below``, ``beside``."""
    below = np.empty((n_updates, 2 * lattice.n_rows - 1))
    return below, np.zeros((n_updates, 3, 2 * lattice.n_columns - 1 + r.LANES), np.float32)


@jit
def fill_tables(  # type: ignore[no-untyped-def]
    lattice,  # in   the grid
    radii,  # in   (n_updates,), of the neighborhood
    kind,  # in   number of the neighborhood
    below,  # out  (n_updates, 2 * n_rows - 1), strength by difference of rows
    beside,  # out  (n_updates, 3, 2 * n_columns - 1 or more), by shift and difference of columns
):
    """Write the neighborhood's strengths along both axes for some updates."""
    n_steps = max(lattice.down.max(), lattice.across.max()) + 1
    profile = np.empty((n_steps, radii.size))
    _fill_profile(profile, lattice.height, radii, kind)
    for t in range(radii.size):
        for k in range(2 * lattice.n_rows - 1):
            below[t, k] = profile[lattice.down[k], t]
    if lattice.width != lattice.height:
        _fill_profile(profile, lattice.width, radii, kind)
    for t in range(radii.size):
        for shift in range(3):
            if lattice.is_hexagonal or shift == 1:
                for k in range(2 * lattice.n_columns - 1):
                    beside[t, shift, k] = profile[lattice.across[shift, k], t]


@jit
def _fill_profile(  # type: ignore[no-untyped-def]
    profile,  # out  (n_steps, n_updates) float64, strength along one axis by steps
    step,  # in   length of a step
    radii,  # in   (n_updates,), of the neighborhood
    kind,  # in   number of the neighborhood
):
    """Write the profiles of a neighborhood along an axis, gaussians by recurrence."""
    if kind in (BUBBLE, TRIANGLE):
        for k in range(profile.shape[0]):
            for t in range(radii.size):
                if kind == BUBBLE:
                    profile[k, t] = 1.0 if k * step <= radii[t] else 0.0
                else:
                    profile[k, t] = max(0.0, 1.0 - k * step / radii[t])
        return
    value, factor, square = np.ones(radii.size), np.empty(radii.size), np.empty(radii.size)
    for t in range(radii.size):
        ratio = step / radii[t]
        factor[t] = math.exp(-0.5 * ratio * ratio)
        square[t] = factor[t] * factor[t]
    for k in range(profile.shape[0]):
        for t in range(radii.size):  # side by side, so that registers hold several updates
            profile[k, t] = value[t]
            following = value[t] * factor[t]
            value[t] = following if following >= NEGLIGIBLE else 0.0
            factor[t] *= square[t]


@intrinsic
def _stretch(
    typing: Any, table: Any, shift: Any, begin: Any, height: Any, gains: Any, at: Any, n: Any
) -> Any:
    """Write ``height`` times ``n`` entries of a table, by whole registers."""
    kinds = (table, types.intp, types.intp, types.float32, gains, types.intp, types.intp)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (entries, out), (shape, _) = r.data(context, b, signature, args, (0, 4))
        line = b.gep(entries, [b.add(b.mul(args[1], shape[1]), args[2])])
        strength = r.splat(b, args[3])
        with cgutils.for_range_slice(b, r.index(0), args[6], r.index(r.LANES), r.INDEX) as (c, _):
            r.store(b, b.fmul(strength, r.load(b, line, c)), out, b.add(args[5], c))
        return context.get_dummy_value()

    del typing, shift, begin, height, at, n
    return types.void(*kinds), generate


@jit
def fill_gains(  # type: ignore[no-untyped-def]
    lattice,  # in   the grid
    unit,  # in   the nearest unit
    rate,  # in   learning rate
    radius,  # in   of the neighborhood
    kind,  # in   number of the neighborhood
    below,  # in   (2 * n_rows - 1,), strengths by difference of rows
    beside,  # in   (3, 2 * n_columns - 1 or more), by shift and difference of columns
    gains,  # out  (n_units + LANES or more,) float32
):
    """Write rate times the neighborhood of a unit."""
    rows, columns = lattice.n_rows, lattice.n_columns
    r0, c0 = lattice.row[unit], unit - lattice.row[unit] * columns
    for row in range(rows):
        shift = 1 + (row % 2 - r0 % 2) * lattice.is_hexagonal
        height = np.float32(rate * below[row - r0 + rows - 1])
        _stretch(beside, shift, columns - 1 - c0, height, gains, row * columns, columns)
    gains[rows * columns : rows * columns + r.LANES] = 0.0  # the last register reached beyond
    if kind == MEXICAN_HAT or (lattice.is_hexagonal and kind != GAUSSIAN):
        _reshape(lattice, r0, c0, rate, radius, kind, gains)


@jit
def _reshape(lattice, r0, c0, rate, radius, kind, gains):  # type: ignore[no-untyped-def]
    """Turn gains into those of a neighborhood that is no product of its profiles."""
    rows, columns = lattice.n_rows, lattice.n_columns
    for row in range(rows):
        shift = 1 + (row % 2 - r0 % 2) * lattice.is_hexagonal
        below = lattice.down[row - r0 + rows - 1] * lattice.height
        for c in range(columns):
            beside = lattice.across[shift, columns - 1 - c0 + c] * lattice.width
            apart = below * below + beside * beside
            if kind == MEXICAN_HAT:
                gains[row * columns + c] *= 1.0 - apart / (radius * radius)
            elif kind == BUBBLE:
                gains[row * columns + c] = rate if apart <= radius * radius * WITHIN else 0.0
            else:
                gains[row * columns + c] = rate * max(0.0, 1.0 - math.sqrt(apart) / radius)
