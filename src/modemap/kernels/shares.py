"""Shares of components in blocks of rows: exp(score - top), and the logarithm of their sum."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit

__all__ = ["BLOCK", "FAR", "each_group", "exponential", "logarithm", "shares", "sorted_shares"]

BLOCK = 256  # rows that stay in the first-level cache; those beyond the data weigh nothing
FAR = -46.0  # shares below e^-46 of the largest are left out

SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1 / 2), so that mantissas lie around 1
FRACTION = 0xFFFFFFFFFFFFF
TO_INTEGER = 6755399441055744.0  # 1.5 * 2^52: the low bits of a sum hold the rounded integer
LOG_2_HIGH, LOG_2_LOW = 0.6931471803691238, 1.9082149292705877e-10
FACTORIALS = (3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1)
SMALLEST_EXPONENT = -600.0  # whose shares still multiply without loss, and add nothing
LOG_2 = 0.6931471805599453


@contextmanager
def each_group(builder: Any, width: int = 1, size: Any = None) -> Iterator[tuple[Any, Any]]:
    """Loop over a block in groups of lanes; yield the group's number and its first row.

    ``size`` is a number of rows that is known only when it runs, a multiple of the lanes.
    """
    n_rows = r.DOUBLE_LANES * width
    n_groups = r.index(BLOCK // n_rows) if size is None else builder.udiv(size, r.index(n_rows))
    with cgutils.for_range(builder, n_groups) as loop:
        yield loop.index, builder.mul(loop.index, r.index(n_rows))


def exponential(builder: Any, x: Any) -> Any:
    """Return exp of ``x <= 0``, relative error 2e-14; below -600 as at -600."""

    def fma(x: Any, y: Any, z: float) -> Any:
        return r.fma(builder, x, y, r.constant(z, r.doubles))

    x = r.maximum(builder, x, r.constant(SMALLEST_EXPONENT, r.doubles))
    power = fma(x, r.constant(1 / LOG_2, r.doubles), TO_INTEGER)
    whole = builder.fsub(power, r.constant(TO_INTEGER, r.doubles))
    rest = r.fma(builder, whole, r.constant(-LOG_2_HIGH, r.doubles), x)
    rest = r.fma(builder, whole, r.constant(-LOG_2_LOW, r.doubles), rest)
    series = r.constant(1 / 39916800, r.doubles)
    for factorial in FACTORIALS:
        series = fma(series, rest, 1 / factorial)
    exponent = builder.shl(builder.bitcast(power, r.indices), r.constant(52, r.indices))
    bits = builder.add(builder.bitcast(series, r.indices), exponent)
    return builder.bitcast(bits, r.doubles)


@jit
def logarithm(x):  # type: ignore[no-untyped-def]
    """Return log of a normal ``x > 0``, absolute error 5e-16 near 1; loops over it vectorise."""
    bits = np.float64(x).view(np.int64) - np.int64(SQRT_HALF)
    exponent = bits >> np.int64(52)
    mantissa = np.int64((bits & np.int64(FRACTION)) + np.int64(SQRT_HALF)).view(np.float64)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    z = t * t
    series = 1.0 / 21.0
    series = series * z + 1.0 / 19.0
    series = series * z + 1.0 / 17.0
    series = series * z + 1.0 / 15.0
    series = series * z + 1.0 / 13.0
    series = series * z + 1.0 / 11.0
    series = series * z + 1.0 / 9.0
    series = series * z + 1.0 / 7.0
    series = series * z + 1.0 / 5.0
    series = series * z + 1.0 / 3.0
    series = series * z + 1.0
    return np.float64(exponent) * LOG_2 + 2.0 * t * series


def _shares(skips: bool) -> Callable[..., Any]:
    def typed(typing: Any, scores: Any, top: Any, sums: Any, products: Any, mask: Any) -> Any:
        """Turn scores into exp(score - top) for a block's rows, or a multiple of the lanes.

        Adds the shares to sums and share * log share to products; mask has a bit for each row whose
        share counts, a byte for each group of lanes.
        """

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (v, t, s, g, m), shapes = r.data(context, builder, signature, args, range(5))
            with each_group(builder, size=shapes[0][0]) as (group, row):
                score = r.load(builder, v, row, vector=r.doubles)
                below = builder.fsub(score, r.load(builder, t, row, vector=r.doubles))
                near = builder.fcmp_ordered(">", below, r.constant(FAR, r.doubles))
                near = builder.bitcast(near, r.BYTE)
                builder.store(near, r.address(builder, m, group))

                def add() -> None:
                    share = exponential(builder, below)
                    r.store(builder, share, v, row)
                    total = builder.fadd(r.load(builder, s, row, vector=r.doubles), share)
                    r.store(builder, total, s, row)
                    product = r.load(builder, g, row, vector=r.doubles)
                    product = r.fma(builder, share, below, product)
                    r.store(builder, product, g, row)

                if skips:
                    with builder.if_then(builder.icmp_unsigned("!=", near, ir.Constant(r.BYTE, 0))):
                        add()
                else:
                    add()
            return context.get_dummy_value()

        del typing
        return types.void(scores, top, sums, products, mask), generate

    return typed


shares = intrinsic(_shares(skips=False))
sorted_shares = intrinsic(_shares(skips=True))  # skips far groups: where rows are sorted
