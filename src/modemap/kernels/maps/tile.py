"""The search for the nearest unit: a tile of rows and units whose scores never leave the registers.

A score grows with the distance, and the lowest unit with the smallest score is the nearest. For the
Euclidean distance it is ``|w|^2 / 2 - x.w``, which takes one multiplication and addition for each
feature; for the others it is the distance itself. The n_samples x n_units scores are never stored:
a tile is summed in registers and folded at once into the running minimum of each row and lane.
Lanes are reduced once, behind the last unit. Each score is summed over the features in their order,
so neither the size of registers nor that of tiles changes a bit of it.

With many features most units are seen to lose long before the last one: what the rest can still add
to ``x.w`` is at most the product of the lengths that remain (Cauchy and Schwarz). A tile in which
no unit can still win is left. That changes no result, for a limit is a score that some unit has.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit
from modemap.kernels.maps.panels import BY_PARTS, PARTS

__all__ = ["COLUMNS", "PANEL", "ROWS", "Limits", "Sums", "keeper_for", "places_of", "search"]

ROWS, COLUMNS = 6, 2  # of a tile: 12 sums and their operands fit the 16 registers of AVX2 too
PANEL = COLUMNS * r.LANES  # units of a packed panel
MANHATTAN, CHEBYSHEV = 2, 3  # lengths of ``formula``; 1 is the product
N_FORMULAS = 4  # longer by as many where values may be missing
BOTH = 2  # dimensions of an array that keeps two for each row


class Limits(NamedTuple):
    """What lets a search leave tiles early; arrays of lengths are read if there are parts alone."""

    order: Any  # (n_samples,) int64, in which rows are searched: alike beside alike
    scores: Any  # (n_samples,) float32, above which no unit can be the nearest
    rests: Any  # (n_samples, PARTS) float32, minus the length of a sample behind each part
    unit_rests: Any  # (PARTS, n_panels * PANEL) float32, the lengths of units
    n_parts: int  # of the features, after each of which a tile is looked at; 1 for never


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


class Nearest:
    """The nearest unit of one row: in each lane the best offer so far.

    ``lower`` chooses of two offers: :func:`where_less` where units come in their order, which
    then says which of equals is kept, and :func:`where_before` where they do not.
    """

    def __init__(self, builder: Any, score: Any, unit: Any, at: Any, lower: Any) -> None:
        self.builder, self.score, self.unit, self.at = builder, score, unit, at
        self.lower = lower
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
        for one in (first, second):  # not the lower of both: a score that is NaN would hide another
            lower, _ = self.lower(self.builder, one, self._held(0))
            self._hold(0, lower)

    def finish(self) -> None:
        """Reduce the lanes and write the result."""
        score, unit = r.lowest(self.builder, *self._held(0))
        self._write(0, score, unit)

    def _write(self, place: int, score: Any, unit: Any) -> None:
        at = self._place(place)
        self.builder.store(score, self.builder.gep(self.score, [at]))
        self.builder.store(unit, self.builder.gep(self.unit, [at]))


class _TwoNearest(Nearest):
    """The two nearest units of one row: in each lane the two best offers, in order."""

    def _n_kept(self) -> int:
        return 2

    def offer(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
        for rest in (first, second):
            for place in range(2):
                lower, rest = self.lower(self.builder, rest, self._held(place))  # noqa: PLW2901
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


class _NearestWithGap(Nearest):
    """The nearest unit of one row, and the second smallest score, whoever has it.

    Of equals it keeps any: a gap of nothing tells that there are some.
    """

    def _n_kept(self) -> int:
        return 2

    def _unit_so_far(self, place: int) -> Any:
        if place:
            return ir.Constant(r.INTEGER, 0)
        return self.builder.load(self.builder.gep(self.unit, [self.at]))

    def offer(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> None:
        lower, higher = r.where_less(self.builder, second, first)  # who asks judges ties itself
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


def places_of(builder: Any, first: Any, n_samples: Any, order: Any) -> list[Any]:
    """Return the rows of a tile that begins at place ``first`` of their order; the last repeats."""
    last = builder.sub(n_samples, r.index(1))
    places = [builder.add(first, r.index(row)) for row in range(ROWS)]
    places = [builder.select(builder.icmp_signed("<", at, last), at, last) for at in places]
    return [builder.load(builder.gep(order, [at])) for at in places]


def keeper_for(score: Any, unit: Any) -> type[Nearest]:
    """Return what keeps the result of a row, by the types of the arrays it goes to."""
    if unit.ndim == BOTH:
        return _TwoNearest
    return _NearestWithGap if score.ndim == BOTH else Nearest


class Sums:
    """The scores of a tile as they grow, feature by feature."""

    def __init__(self, builder: Any, formula: int, rows: list[Any], masks: list[Any]) -> None:
        self.builder, self.formula, self.rows, self.masks = builder, formula, rows, masks
        self.slots = [[cgutils.alloca_once(builder, r.reals) for _ in range(COLUMNS)] for _ in rows]

    def begin(self, starts: Any, first_unit: Any) -> None:
        """Take the scores before the first feature."""
        for c in range(COLUMNS):
            value = r.load(self.builder, starts, first_unit, c * r.LANES)
            for line in self.slots:
                self.builder.store(value, line[c])

    def add(self, panel: Any, j: Any) -> None:
        """Add one feature."""
        b, at = self.builder, self.builder.mul(j, r.index(PANEL))
        ws = [r.load(b, panel, at, c * r.LANES) for c in range(COLUMNS)]
        halves = [b.fmul(b.fmul(w, w), r.constant(0.5)) for w in ws]
        for row, mask, line in zip(self.rows, self.masks, self.slots, strict=True):
            value = r.splat(b, b.load(b.gep(row, [j])))
            shown = r.splat(b, b.load(b.gep(mask, [j]))) if mask else None
            for slot, w, half in zip(line, ws, halves, strict=True):
                b.store(_add(b, self.formula, b.load(slot), value, w, shown, half), slot)

    def can_win(self, rests: list[Any], unit_rests: list[Any], limits: list[Any]) -> Any:
        """Return a bit for each unit: whether its score can still come down to a row's limit."""
        b, bits = self.builder, r.index(0)
        for c, unit_rest in enumerate(unit_rests):
            found = None
            for line, rest, limit in zip(self.slots, rests, limits, strict=True):
                least = r.fma(b, r.splat(b, rest), unit_rest, b.load(line[c]))
                can = b.fcmp_unordered("<=", least, r.splat(b, limit))  # true for NaN too
                found = can if found is None else b.or_(found, can)
            some = b.zext(b.bitcast(found, ir.IntType(r.LANES)), r.INDEX)
            bits = b.or_(bits, b.shl(some, r.index(c * r.LANES)))
        return bits

    def offer(self, keepers: list[Nearest], numbers: list[Any]) -> None:
        """Fold the scores into the results of their rows; units have these numbers."""
        for keeper, line in zip(keepers, self.slots, strict=True):
            first, second = (
                (self.builder.load(slot), at) for slot, at in zip(line, numbers, strict=True)
            )
            keeper.offer(first, second)


@intrinsic
def _tile(
    typing: Any, formula: Any, x: Any, seen: Any, i: Any, panels: Any, start: Any,
    first: Any, stop: Any, order: Any, limits: Any, rests: Any, unit_rests: Any, n_parts: Any,
    score: Any, unit: Any,
) -> Any:  # fmt: skip
    """Refine the result of rows i, i + 1, ... by panels first .. stop - 1; return the next row."""
    masked = len(formula) > N_FORMULAS
    number = len(formula) - N_FORMULAS * masked
    kinds = (
        formula, x, seen, types.intp, panels, start, types.intp, types.intp,
        order, limits, rests, unit_rests, types.intp, score, unit,
    )  # fmt: skip

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers, shapes = r.data(context, b, signature, args, (1, 2, 4, 5, 8, 9, 10, 11, 13, 14))
        xs, seens, panels, starts, numbers, bars, lengths, unit_lengths, scores, units = pointers
        (n_samples, n_features), (n_units,) = shapes[0], shapes[3]
        places = places_of(b, args[3], n_samples, numbers)
        rows = [b.gep(xs, [b.mul(at, n_features)]) for at in places]
        masks = [b.gep(seens, [b.mul(at, n_features)]) if masked else None for at in places]
        keepers = [keeper_for(score, unit)(b, scores, units, at, r.where_less) for at in places]
        sums = Sums(b, number, rows, masks)
        can_win = cgutils.alloca_once(b, ir.IntType(1))

        def add_parts(panel: Any, first_unit: Any) -> None:
            """Add all features, unless it is seen after a part of them that no unit can win."""
            most = b.sub(b.add(n_features, args[12]), r.index(1))
            length = b.sdiv(most, args[12])
            with cgutils.for_range(b, args[12]) as part:
                low = b.mul(part.index, length)
                high = b.add(low, length)
                is_last = b.icmp_signed(">=", high, n_features)
                high = b.select(is_last, n_features, high)
                with cgutils.for_range_slice(b, low, high, r.index(1), r.INDEX) as (j, _):
                    sums.add(panel, j)
                with b.if_then(b.not_(is_last)):
                    behind = b.add(b.mul(part.index, n_units), first_unit)
                    found = sums.can_win(
                        [
                            b.load(r.address(b, lengths, b.mul(at, r.index(PARTS)), part.index))
                            for at in places
                        ],
                        [r.load(b, unit_lengths, behind, c * r.LANES) for c in range(COLUMNS)],
                        [b.load(b.gep(bars, [at])) for at in places],
                    )
                    found = b.icmp_unsigned("!=", found, r.index(0))
                    b.store(found, can_win)
                    with b.if_then(b.not_(found)):
                        part.do_break()

        with cgutils.for_range_slice(b, args[6], args[7], r.index(1), r.INDEX) as (p, _):
            first_unit = b.mul(p, r.index(PANEL))
            panel = b.gep(panels, [b.mul(first_unit, n_features)])
            sums.begin(starts, first_unit)
            b.store(cgutils.true_bit, can_win)
            if number == BY_PARTS:
                add_parts(panel, first_unit)
            else:
                with cgutils.for_range(b, n_features) as loop:
                    sums.add(panel, loop.index)
            with b.if_then(b.load(can_win)):
                sums.offer(keepers, r.numbered(b, first_unit, COLUMNS))
        for keeper in keepers:
            keeper.finish()
        return b.add(args[3], r.index(ROWS))

    del typing, i, first, stop, n_parts
    return types.intp(*kinds), generate


@jit
def search(  # type: ignore[no-untyped-def]
    formula,  # in      a tuple as long as the number of the formula: numba compiles each type
    x,  # in      (n_samples, n_features) float32
    seen,  # in      (n_samples, n_features) float32, 1 where a value is there; any if all are
    panels,  # in      (n_panels, n_features, PANEL) float32, minus the codebook
    start,  # in      (n_panels * PANEL,) float32, scores before the first feature
    group,  # in      panels that fit the second-level cache
    limits,  # in      what lets it leave tiles early
    score,  # in out  (n_samples,) float32; (n_samples, 2) to keep the second smallest too
    unit,  # in out  (n_samples,) int32; (n_samples, 2) to keep its unit too
):
    """Refine nearest units by all panels; a new search starts from score infinity and unit 0."""
    for first in range(0, panels.shape[0], group):
        stop = min(first + group, panels.shape[0])
        i = 0
        while i < x.shape[0]:
            i = _tile(
                formula, x, seen, i, panels, start, first, stop, limits.order, limits.scores,
                limits.rests, limits.unit_rests, limits.n_parts, score, unit,
            )  # fmt: skip
