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

__all__ = ["PANEL", "expect", "sweep"]

COLUMNS = 5  # registers of units in a panel: five independent sums hide the latency of adding
PANEL = COLUMNS * r.LANES
LINE_BITS = 512  # of a cache line


@intrinsic
def _sweep(
    typing: Any, panels: Any, gains: Any, now: Any, after: Any, both: Any, units: Any, scores: Any
) -> Any:
    """Move units by gain * (now - unit), then write the nearest to ``after``, or the ``both``."""
    kinds = (panels, gains, now, after, both, units, scores)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers, shapes = r.data(context, b, signature, args, (0, 1, 2, 3, 5, 6))
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
            offers = list(zip(sums, r.numbered(b, first, COLUMNS), strict=True))
            with b.if_else(args[4]) as (for_both, for_one):
                with for_both:
                    _offer(b, offers, held)
                with for_one:
                    _offer(b, offers, held[:1])
        (value, place), behind = held
        won = _written(b, held[0], score, unit, 0)
        with b.if_then(args[4]):
            is_won = b.icmp_signed("==", b.load(place), r.splat(b, won, r.integers))
            for slot, second in zip((value, place), behind, strict=True):
                b.store(b.select(is_won, b.load(second), b.load(slot)), slot)
            _written(b, held[0], score, unit, 1)
        return context.get_dummy_value()

    del typing
    return types.void(*kinds), generate


def _offer(builder: Any, offers: Any, held: Any) -> None:
    """Fold a panel's sums into the best of each lane."""
    for slot, number in offers:
        rest = builder.load(slot), number
        for value, place in held:
            lower, rest = r.where_less(builder, rest, (builder.load(value), builder.load(place)))
            builder.store(lower[0], value)
            builder.store(lower[1], place)


def _written(builder: Any, best: Any, score: Any, unit: Any, rank: int) -> Any:
    """Write the lowest of all lanes; return its unit."""
    low, won = r.lowest(builder, *(builder.load(slot) for slot in best))
    builder.store(low, builder.gep(score, [r.index(rank)]))
    builder.store(builder.sext(won, ir.IntType(64)), builder.gep(unit, [r.index(rank)]))
    return won


@intrinsic
def _expect(typing: Any, samples: Any, i: Any) -> Any:
    """Fetch row i into the cache."""
    kinds = (samples, types.intp)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (rows,), ((_, n_features),) = r.data(context, b, signature, args, (0,))
        row = b.gep(rows, [b.mul(args[1], n_features)])
        line = r.index(LINE_BITS // samples.dtype.bitwidth)
        with cgutils.for_range_slice(b, r.index(0), n_features, line, r.INDEX) as (j, _):
            r.prefetch(b, b.gep(row, [j]))
        r.prefetch(b, b.gep(row, [b.sub(n_features, r.index(1))]))
        return context.get_dummy_value()

    del typing, i
    return types.void(*kinds), generate


@jit
def expect(samples, i):  # type: ignore[no-untyped-def]
    """Begin to read a row of ``samples`` (n_samples, n_features) that is needed soon."""
    _expect(samples, i)


@jit
def sweep(  # type: ignore[no-untyped-def]
    panels,  # in out  (n_panels, n_features, PANEL) float32, the units
    gains,  # in      (n_panels * PANEL,) float32, how far each unit moves, from 0 to 1
    now,  # in      (n_features,) float32, the sample to move to
    after,  # in      (n_features,) float32, the sample to search next
    both,  # in      whether to look for the second nearest too
    units,  # out     (2,) int64, nearest to ``after`` when all units have moved to ``now``
    scores,  # out     (2,) float32, their squared distances
):
    """Move all units, and find the nearest to the next sample."""
    _sweep(panels, gains, now, after, both, units, scores)
