"""Training sample by sample: one sweep over the codebook updates it and finds the next unit.

While a weight is still in a register, updated for sample t, its share of the distance to sample
t + 1 is added up. Units are packed in panels, side by side, for the time of the training.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit

__all__ = ["PANEL", "sweep"]

COLUMNS = 4  # registers of units in a panel: four independent sums hide the latency of adding
PANEL = COLUMNS * r.LANES


@intrinsic
def _sweep(
    typing: Any, panels: Any, gains: Any, now: Any, after: Any, units: Any, scores: Any
) -> Any:
    """Move units by gain * (now - unit), then write the two nearest to ``after``."""
    kinds = (panels, gains, now, after, units, scores)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers, shapes = r.data(context, b, signature, args, range(6))
        weights, gain, old, new, unit, score = pointers
        n_panels, n_features, _ = shapes[0]
        held = [
            (r.allocated(b, r.constant(np.inf)), r.allocated(b, r.constant(0, r.integers)))
            for _ in range(2)
        ]
        sums = [r.allocated(b, r.constant(0.0)) for _ in range(COLUMNS)]
        with cgutils.for_range(b, n_panels) as outer:
            first = b.mul(outer.index, r.index(PANEL))
            panel = b.gep(weights, [b.mul(first, n_features)])
            pulls = [r.load(b, gain, b.add(first, r.index(c * r.LANES))) for c in range(COLUMNS)]
            for slot in sums:
                b.store(r.constant(0.0), slot)
            with cgutils.for_range(b, n_features) as inner:
                x = r.splat(b, b.load(b.gep(old, [inner.index])))
                y = r.splat(b, b.load(b.gep(new, [inner.index])))
                for c, (pull, slot) in enumerate(zip(pulls, sums, strict=True)):
                    at = b.add(b.mul(inner.index, r.index(PANEL)), r.index(c * r.LANES))
                    w = r.load(b, panel, at)
                    w = r.fma(b, pull, b.fsub(x, w), w)
                    r.store(b, w, panel, at)
                    apart = b.fsub(w, y)
                    b.store(r.fma(b, apart, apart, b.load(slot)), slot)
            for slot, number in zip(sums, r.numbered(b, first, COLUMNS), strict=True):
                rest = b.load(slot), number
                for value, place in held:
                    lower, rest = r.where_less(b, rest, (b.load(value), b.load(place)))
                    b.store(lower[0], value)
                    b.store(lower[1], place)
        (value, place), behind = held
        for rank in range(2):
            low, won = r.lowest(b, b.load(value), b.load(place))
            b.store(low, b.gep(score, [r.index(rank)]))
            b.store(b.sext(won, ir.IntType(64)), b.gep(unit, [r.index(rank)]))
            is_won = b.icmp_signed("==", b.load(place), r.splat(b, won, r.integers))
            for slot, second in zip((value, place), behind, strict=True):
                b.store(b.select(is_won, b.load(second), b.load(slot)), slot)
        return context.get_dummy_value()

    del typing
    return types.void(*kinds), generate


@jit
def sweep(  # type: ignore[no-untyped-def]
    panels,  # in out  (n_panels, n_features, PANEL) float32, the units
    gains,  # in      (n_panels * PANEL,) float32, how far each unit moves, from 0 to 1
    now,  # in      (n_features,) float32, the sample to move to
    after,  # in      (n_features,) float32, the sample to search next
    units,  # out     (2,) int64, nearest to ``after`` when all units have moved to ``now``
    scores,  # out     (2,) float32, their squared distances
):
    """Move all units, and find the two nearest to the next sample."""
    _sweep(panels, gains, now, after, units, scores)
