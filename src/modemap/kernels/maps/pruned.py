"""The search for the nearest unit among groups, most of which a tile of rows passes over.

For a tile it is first seen which groups can hold the nearest unit of any of its rows, a panel of
middles at a time, and then these groups alone are searched, score by score as in a whole search.

Let a sample ``x`` have a unit with a score of at most ``b``, so that it has one within the reach
``D``, where ``D^2 = 2 b + |x|^2``. If some unit of the group with the middle ``m`` and the radius
``r`` is as good, it is within ``D`` too and ``|x - m| <= D + r``. In scores, as ``|x - m|^2`` is
``2 s + |x|^2``, that is ``s <= b + D r + r^2 / 2``: a group whose middle has a higher score is
passed over.

That holds of numbers without rounding. A score of n features in float32 is off by at most
``2 (n + 1) u L (|x| + L)``, where ``L`` is the length of the longest unit and ``u`` half a unit in
the last place: half a slack (``_slack`` in :mod:`modemap.kernels.maps.compiled`). With ``r <= 2 L``
the left side, ``s - r^2 / 2 - D r`` in one chain, is off by less than a slack. ``D`` and ``r`` are
rounded upwards by 1e-4 of themselves, which is more than what is lost of their product and square.
``b`` is raised by two slacks, in ``D`` too, and the limit by two more, so no group is passed over
that holds a score as low as the lowest, an equal one or one that is a slack higher. The result is
that of a search of all units to the bit. Values that are infinite or NaN compare as within the
limit, and where units are too small for ``u`` to bound what is lost, radii are infinite.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.maps.tile import COLUMNS, PANEL, ROWS, Sums, keeper_for, places_of

__all__ = ["search_tile"]

PRODUCT = 1  # length of ``formula``


@contextmanager
def _while_any(b: Any, bits: Any) -> Iterator[Any]:
    """Run the body as long as any of the bits in a slot is set."""
    more, body, end = (b.append_basic_block(name) for name in ("more", "body", "end"))
    b.branch(more)
    b.position_at_end(more)
    now = b.load(bits)
    b.cbranch(b.icmp_unsigned("!=", now, r.index(0)), body, end)
    b.position_at_end(body)
    yield now
    b.branch(more)
    b.position_at_end(end)


@intrinsic
def search_tile(
    typing: Any, x: Any, i: Any, panels: Any, start: Any, numbers: Any, coarse: Any,
    coarse_start: Any, radii: Any, order: Any, limits: Any, reaches: Any, is_pruned: Any,
    visits: Any, score: Any, unit: Any,
) -> Any:  # fmt: skip
    """Refine the results of rows i, i + 1, ... by the groups they may need; return the next row."""
    kinds = (
        x, types.intp, panels, start, numbers, coarse, coarse_start, radii, order, limits, reaches,
        types.boolean, visits, score, unit,
    )  # fmt: skip

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        places = (0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14)
        pointers, shapes = r.data(context, b, signature, args, places)
        xs, panels, starts, numbers, coarse, coarse_starts, radii, order, *pointers = pointers
        bars, lengths, visited, scores, units = pointers
        (n_samples, n_features), n_panels = shapes[0], shapes[1][0]
        n_coarse = b.sdiv(b.add(n_panels, r.index(PANEL - 1)), r.index(PANEL))
        rows = places_of(b, args[1], n_samples, order)
        xs = [b.gep(xs, [b.mul(at, n_features)]) for at in rows]
        keepers = [keeper_for(score, unit)(b, scores, units, at, r.where_before) for at in rows]
        sums = Sums(b, PRODUCT, xs, [None] * ROWS)
        bits, count, is_looking = (
            cgutils.alloca_once(b, kind) for kind in (r.INDEX, r.INDEX, ir.IntType(1))
        )
        b.store(r.index(0), count)

        def look(first: Any) -> None:
            """See by the middles' scores which groups the rows may need; count them."""
            found = sums.can_win(
                [b.load(b.gep(lengths, [at])) for at in rows],
                [r.load(b, radii, first, c * r.LANES) for c in range(COLUMNS)],
                [b.load(b.gep(bars, [at])) for at in rows],
            )
            found = b.and_(b.load(bits), found)
            b.store(found, bits)
            b.store(b.add(b.load(count), b.ctpop(found)), count)
            b.store(cgutils.false_bit, is_looking)

        def offer(first: Any) -> None:
            units = [
                r.load(b, numbers, first, c * r.LANES, vector=r.integers) for c in range(COLUMNS)
            ]
            sums.offer(keepers, units)

        with cgutils.for_range(b, n_coarse) as some:
            low = b.mul(some.index, r.index(PANEL))
            left = b.sub(n_panels, low)
            n_groups = b.select(b.icmp_signed("<", left, r.index(PANEL)), left, r.index(PANEL))
            b.store(b.sub(b.shl(r.index(1), n_groups), r.index(1)), bits)
            b.store(args[11], is_looking)
            with _while_any(b, bits) as now:
                # middles and units in one loop: two would take twice as long to compile
                looks = b.load(is_looking)
                b.store(b.select(looks, now, b.and_(now, b.sub(now, r.index(1)))), bits)
                group = b.mul(b.add(low, b.cttz(now, cgutils.true_bit)), r.index(PANEL))
                first = b.select(looks, low, group)
                sums.begin(b.select(looks, coarse_starts, starts), first)
                panel = b.gep(b.select(looks, coarse, panels), [b.mul(first, n_features)])
                with cgutils.for_range(b, n_features) as loop:
                    sums.add(panel, loop.index)
                with b.if_else(looks) as (looking, searching):
                    with looking:
                        look(first)
                    with searching:
                        offer(first)
        for one in keepers:
            one.finish()
        total = b.gep(visited, [r.index(0)])
        b.store(b.add(b.load(total), b.load(count)), total)
        return b.add(args[1], r.index(ROWS))

    del typing, i, is_pruned
    return types.intp(*kinds), generate
