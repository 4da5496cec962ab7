"""The search for the nearest unit: a tile of rows and units whose scores never leave the registers.

A score grows with the distance, and the lowest unit with the smallest score is the nearest. For the
Euclidean distance it is ``|w|^2 / 2 - x.w``, which takes one multiplication and addition for each
feature; for the others it is the distance itself. The n_samples x n_units scores are never stored:
a tile is summed in registers and folded at once into the running minimum of each row and lane.
Lanes are reduced once, behind the last unit. Each score is summed over the features in their order,
so neither the size of registers nor that of tiles changes a bit of it.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit

__all__ = ["PANEL", "search"]

ROWS, COLUMNS = 6, 2  # of a tile: 12 sums and their operands fit the 16 registers of AVX2 too
PANEL = COLUMNS * r.LANES  # units of a packed panel
MANHATTAN, CHEBYSHEV = 2, 3  # lengths of ``formula``; 1 is the product
N_FORMULAS = 3  # longer by as many where values may be missing
BOTH = 2  # dimensions of an array that keeps two for each row


def _add(builder: Any, formula: int, total: Any, x: Any, w: Any, seen: Any, half: Any) -> Any:
    """Return ``total`` with one feature more; ``w`` is negative, ``half`` is ``w * w / 2``."""
    if formula not in (MANHATTAN, CHEBYSHEV):
        total = r.fma(builder, x, w, total)
        return total if seen is None else r.fma(builder, seen, half, total)
    apart = r.absolute(builder, builder.fadd(x, w))
    if seen is not None:
        apart = builder.fmul(seen, apart)
    if formula == MANHATTAN:
        return builder.fadd(total, apart)
    return builder.select(builder.fcmp_ordered("<", apart, total), total, apart)


class _Nearest:
    """The nearest unit of one row: in each lane the best offer so far."""

    def __init__(self, builder: Any, score: Any, unit: Any, at: Any) -> None:
        self.builder, self.score, self.unit, self.at = builder, score, unit, at
        self.offers = [self._started(t) for t in range(self._n_kept())]

    def _n_kept(self) -> int:
        return 1

    def _started(self, place: int) -> tuple[Any, Any]:
        """Put the result so far in lane 0, nothing in the others."""
        builder, at = self.builder, self._place(place)
        lane = ir.Constant(r.INTEGER, 0)
        score, unit = builder.load(builder.gep(self.score, [at])), self._unit_so_far(place)
        score = builder.insert_element(r.constant(np.inf), score, lane)
        unit = builder.insert_element(r.constant(0, r.integers), unit, lane)
        return r.allocated(builder, score), r.allocated(builder, unit)

    def _place(self, place: int) -> Any:
        return self.builder.add(self.builder.mul(self.at, r.index(self._n_kept())), r.index(place))

    def _unit_so_far(self, place: int) -> Any:
        return self.builder.load(self.builder.gep(self.unit, [self._place(place)]))

    def _held(self, place: int) -> tuple[Any, Any]:
        score, unit = self.offers[place]
        return self.builder.load(score), self.builder.load(unit)

    def _hold(self, place: int, offer: tuple[Any, Any]) -> None:
        for slot, value in zip(self.offers[place], offer, strict=True):
            self.builder.store(value, slot)

    def offer(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
        """Fold two registers of offers into the state; units of ``first`` are the lower ones."""
        lower, _ = r.where_less(self.builder, second, first)
        lower, _ = r.where_less(self.builder, lower, self._held(0))
        self._hold(0, lower)

    def finish(self) -> None:
        """Reduce the lanes and write the result."""
        score, unit = r.lowest(self.builder, *self._held(0))
        self._write(0, score, unit)

    def _write(self, place: int, score: Any, unit: Any) -> None:
        at = self._place(place)
        self.builder.store(score, self.builder.gep(self.score, [at]))
        self.builder.store(unit, self.builder.gep(self.unit, [at]))


class _TwoNearest(_Nearest):
    """The two nearest units of one row: in each lane the two best offers, in order."""

    def _n_kept(self) -> int:
        return 2

    def offer(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
        for rest in (first, second):
            for place in range(2):
                lower, rest = r.where_less(self.builder, rest, self._held(place))  # noqa: PLW2901
                self._hold(place, lower)

    def finish(self) -> None:
        for place in range(2):
            score, unit = r.lowest(self.builder, *self._held(0))
            self._write(place, score, unit)
            won = self.builder.icmp_signed(
                "==", self._held(0)[1], r.splat(self.builder, unit, r.integers)
            )
            pairs = zip(self._held(1), self._held(0), strict=True)
            self._hold(0, tuple(self.builder.select(won, b, a) for b, a in pairs))


class _NearestWithGap(_Nearest):
    """The nearest unit of one row, and the second smallest score, whoever has it."""

    def _n_kept(self) -> int:
        return 2

    def _unit_so_far(self, place: int) -> Any:
        if place:
            return ir.Constant(r.INTEGER, 0)
        return self.builder.load(self.builder.gep(self.unit, [self.at]))

    def offer(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
        lower, higher = r.where_less(self.builder, second, first)
        lower, other = r.where_less(self.builder, lower, self._held(0))
        self._hold(0, lower)
        slot = self.offers[1][0]
        behind = r.minimum(self.builder, higher[0], other[0])
        self.builder.store(r.minimum(self.builder, behind, self.builder.load(slot)), slot)

    def finish(self) -> None:
        builder = self.builder
        score, unit = r.lowest(builder, *self._held(0))
        won = builder.icmp_signed("==", self._held(0)[1], r.splat(builder, unit, r.integers))
        behind = builder.load(self.offers[1][0])
        rest = builder.select(won, behind, r.minimum(builder, self._held(0)[0], behind))
        gap, _ = r.lowest(builder, rest, self._held(0)[1])
        builder.store(score, builder.gep(self.score, [self._place(0)]))
        builder.store(gap, builder.gep(self.score, [self._place(1)]))
        builder.store(unit, builder.gep(self.unit, [self.at]))


def _keeper(score: Any, unit: Any) -> type[_Nearest]:
    if unit.ndim == BOTH:
        return _TwoNearest
    return _NearestWithGap if score.ndim == BOTH else _Nearest


@intrinsic
def _tile(
    typing: Any, formula: Any, x: Any, seen: Any, i: Any, panels: Any, start: Any,
    first: Any, stop: Any, score: Any, unit: Any,
) -> Any:  # fmt: skip
    """Refine the result of rows i, i + 1, ... by panels first .. stop - 1; return the next row."""
    masked = len(formula) > N_FORMULAS
    number = len(formula) - N_FORMULAS * masked
    kinds = (formula, x, seen, types.intp, panels, start, types.intp, types.intp, score, unit)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers, shapes = r.data(context, b, signature, args, (1, 2, 4, 5, 8, 9))
        xs, seens, panels, starts, scores, units = pointers
        n_samples, n_features = shapes[0]
        last = b.sub(n_samples, r.index(1))
        places = [b.add(args[3], r.index(row)) for row in range(ROWS)]
        places = [b.select(b.icmp_signed("<", at, last), at, last) for at in places]  # clamped
        rows = [b.gep(xs, [b.mul(at, n_features)]) for at in places]
        masks = [b.gep(seens, [b.mul(at, n_features)]) if masked else None for at in places]
        keepers = [_keeper(score, unit)(b, scores, units, at) for at in places]
        sums = [[cgutils.alloca_once(b, r.reals) for _ in range(COLUMNS)] for _ in rows]

        with cgutils.for_range_slice(b, args[6], args[7], r.index(1), r.INDEX) as (p, _):
            first_unit = b.mul(p, r.index(PANEL))
            panel = b.gep(panels, [b.mul(first_unit, n_features)])
            for c in range(COLUMNS):
                begin = r.load(b, starts, b.add(first_unit, r.index(c * r.LANES)))
                for line in sums:
                    b.store(begin, line[c])
            with cgutils.for_range(b, n_features) as loop:
                at = b.mul(loop.index, r.index(PANEL))
                ws = [r.load(b, panel, b.add(at, r.index(c * r.LANES))) for c in range(COLUMNS)]
                halves = [b.fmul(b.fmul(w, w), r.constant(0.5)) if masked else None for w in ws]
                for row, mask, line in zip(rows, masks, sums, strict=True):
                    value = r.splat(b, b.load(b.gep(row, [loop.index])))
                    shown = r.splat(b, b.load(b.gep(mask, [loop.index]))) if masked else None
                    for slot, w, half in zip(line, ws, halves, strict=True):
                        b.store(_add(b, number, b.load(slot), value, w, shown, half), slot)
            numbers = r.numbered(b, first_unit, COLUMNS)
            for keeper, line in zip(keepers, sums, strict=True):
                offers = [(b.load(slot), at) for slot, at in zip(line, numbers, strict=True)]
                keeper.offer(*offers)
        for keeper in keepers:
            keeper.finish()
        return b.add(args[3], r.index(ROWS))

    del typing, i, first, stop
    return types.intp(*kinds), generate


@jit
def search(  # type: ignore[no-untyped-def]
    formula,  # in      a tuple as long as the number of the formula: numba compiles each type
    x,  # in      (n_samples, n_features) float32
    seen,  # in      (n_samples, n_features) float32, 1 where a value is there; any if all are
    panels,  # in      (n_panels, n_features, PANEL) float32, minus the codebook
    start,  # in      (n_panels * PANEL,) float32, scores before the first feature
    group,  # in      panels that fit the second-level cache
    score,  # in out  (n_samples,) float32; (n_samples, 2) to keep the second smallest too
    unit,  # in out  (n_samples,) int32; (n_samples, 2) to keep its unit too
):
    """Refine nearest units by all panels; a new search starts from score infinity and unit 0."""
    for first in range(0, panels.shape[0], group):
        stop = min(first + group, panels.shape[0])
        i = 0
        while i < x.shape[0]:
            i = _tile(formula, x, seen, i, panels, start, first, stop, score, unit)
