"""How far each unit moves towards a sample, from short tables: no exponential for each unit.

The tables hold the neighborhood's profile along each axis by the number of steps. A gaussian is
filled by recurrence, two multiplications a step.
"""

import math

import numpy as np

from modemap.kernels.compilation import jit

__all__ = ["fill_gains", "fill_profile"]

GAUSSIAN, BUBBLE, MEXICAN_HAT, TRIANGLE = 0, 1, 2, 3
WITHIN = 1.0 + 1e-12  # units at the very radius are within it
NEGLIGIBLE = 1e-15  # weaker pulls change no float32, and would become denormal numbers


@jit
def fill_profile(  # type: ignore[no-untyped-def]
    profile,  # out  (n_steps,) float64, strength along one axis by steps
    step,  # in   length of a step
    radius,  # in   of the neighborhood
    kind,  # in   number of the neighborhood
):
    """Write the profile of a neighborhood along an axis."""
    if kind in (BUBBLE, TRIANGLE):
        for k in range(profile.size):
            apart = k * step
            if kind == BUBBLE:
                profile[k] = 1.0 if apart <= radius else 0.0
            else:
                profile[k] = max(0.0, 1.0 - apart / radius)
        return
    ratio = step / radius
    value, factor = 1.0, math.exp(-0.5 * ratio * ratio)
    square = factor * factor
    for k in range(profile.size):
        profile[k] = value
        value *= factor
        factor *= square
        if value < NEGLIGIBLE:
            value = factor = 0.0


@jit
def fill_gains(  # type: ignore[no-untyped-def]
    lattice,  # in   the grid
    unit,  # in   the nearest unit
    rate,  # in   learning rate
    radius,  # in   of the neighborhood
    kind,  # in   number of the neighborhood
    down,  # in   profile along the rows
    across,  # in   profile along the columns
    lines,  # scratch  (3, n_columns) float32
    gains,  # out  (n_units or more,) float32
):
    """Write rate times the neighborhood of a unit."""
    rows, columns = lattice.n_rows, lattice.n_columns
    r0, c0 = unit // columns, unit % columns
    for shift in range(3):
        if lattice.is_hexagonal or shift == 1:
            for c in range(columns):
                lines[shift, c] = across[lattice.across[shift, columns - 1 - c0 + c]]
    for r in range(rows):  # nothing but this product in the loop, so that it vectorises
        line = lines[1 + (r % 2 - r0 % 2) * lattice.is_hexagonal]
        height = np.float32(rate * down[lattice.down[r - r0 + rows - 1]])
        gain = gains[r * columns : (r + 1) * columns]
        for c in range(columns):
            gain[c] = height * line[c]
    if kind == MEXICAN_HAT or (lattice.is_hexagonal and kind != GAUSSIAN):
        _reshape(lattice, r0, c0, rate, radius, kind, gains)


@jit
def _reshape(lattice, r0, c0, rate, radius, kind, gains):  # type: ignore[no-untyped-def]
    """Turn gains into those of a neighborhood that is no product of its profiles."""
    rows, columns = lattice.n_rows, lattice.n_columns
    for r in range(rows):
        shift = 1 + (r % 2 - r0 % 2) * lattice.is_hexagonal
        below = lattice.down[r - r0 + rows - 1] * lattice.height
        for c in range(columns):
            beside = lattice.across[shift, columns - 1 - c0 + c] * lattice.width
            apart = below * below + beside * beside
            if kind == MEXICAN_HAT:
                gains[r * columns + c] *= 1.0 - apart / (radius * radius)
            elif kind == BUBBLE:
                gains[r * columns + c] = rate if apart <= radius * radius * WITHIN else 0.0
            else:
                gains[r * columns + c] = rate * max(0.0, 1.0 - math.sqrt(apart) / radius)
