"""Eight float64 lanes at a time: LLVM's vector operations, called from compiled kernels.

LLVM splits the vectors where registers are narrower, so one source serves every processor. An
intrinsic is a global of its module: numba's cache finds no closure again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels.compilation import jit

__all__ = [
    "BLOCK",
    "BYTE",
    "DOUBLE",
    "FLOAT",
    "LANES",
    "WORD",
    "address",
    "constant",
    "each_group",
    "exponential",
    "gather",
    "larger",
    "load",
    "logarithm",
    "multiply_add",
    "pointers",
    "shares",
    "sorted_shares",
    "splat",
    "store",
]

LANES = 8
BLOCK = 256  # rows that stay in the first-level cache; those beyond the data weigh nothing
FAR = -46.0  # shares below e^-46 of the largest are left out

DOUBLE, FLOAT, WORD, BYTE = ir.DoubleType(), ir.FloatType(), ir.IntType(64), ir.IntType(8)
DOUBLES, WORDS = ir.VectorType(DOUBLE, LANES), ir.VectorType(WORD, LANES)

SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1 / 2), so that mantissas lie around 1
FRACTION = 0xFFFFFFFFFFFFF
TO_INTEGER = 6755399441055744.0  # 1.5 * 2^52: the low bits of a sum hold the rounded integer
LOG_2_HIGH, LOG_2_LOW = 0.6931471803691238, 1.9082149292705877e-10
FACTORIALS = (3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1)
SMALLEST_EXPONENT = -700.0
LOG_2 = 0.6931471805599453


def constant(value: float, vector: Any = DOUBLES) -> Any:
    """Return a constant in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def splat(builder: Any, value: Any, vector: Any = DOUBLES) -> Any:
    """Return a scalar in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    single = builder.insert_element(nothing, value, ir.Constant(WORD, 0))
    return builder.shuffle_vector(single, nothing, first)


def address(builder: Any, pointer: Any, *offsets: Any) -> Any:
    """Return ``pointer`` moved by elements: LLVM values or Python integers."""
    for offset in offsets:
        step = ir.Constant(WORD, offset) if isinstance(offset, int) else offset
        pointer = builder.gep(pointer, [step])
    return pointer


def load(builder: Any, pointer: Any, vector: Any = DOUBLES, align: int = 8) -> Any:
    """Return the vector that begins at ``pointer``."""
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=align)


def store(builder: Any, value: Any, pointer: Any, align: int = 8) -> None:
    """Write a vector to where ``pointer`` begins."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


def multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once where the processor can."""
    vector = x.type
    kind = ir.FunctionType(vector, [vector] * 3)
    name = f"llvm.fmuladd.v{vector.count}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x, y, z])


def larger(builder: Any, x: Any, y: Any) -> Any:
    """Return the larger of two vectors, ``y`` where either is NaN."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def gather(builder: Any, pointer: Any, places: Any, element: Any, size: int) -> Any:
    """Return the elements, ``size`` bytes each, at these places: plain loops never gather."""
    start = splat(builder, builder.ptrtoint(pointer, WORD), WORDS)
    where = builder.add(start, builder.mul(places, constant(size, WORDS)))
    where = builder.inttoptr(where, ir.VectorType(ir.PointerType(), LANES))
    vector, mask = ir.VectorType(element, LANES), ir.VectorType(ir.IntType(1), LANES)
    letter = "f" if element in (DOUBLE, FLOAT) else "i"
    name = f"llvm.masked.gather.v{LANES}{letter}{8 * size}.v{LANES}p0"
    kind = ir.FunctionType(vector, [where.type, ir.IntType(32), mask, vector])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    align, everywhere = ir.Constant(ir.IntType(32), size), constant(1, mask)
    return builder.call(function, [where, align, everywhere, ir.Constant(vector, ir.Undefined)])


def pointers(context: Any, builder: Any, signature: Any, args: Any, *which: int) -> list[Any]:
    """Return the data pointers of these array arguments."""
    return [context.make_array(signature.args[k])(context, builder, args[k]).data for k in which]


@contextmanager
def each_group(builder: Any, width: int = 1) -> Iterator[tuple[Any, Any]]:
    """Loop over a block in groups of lanes; yield the group's number and its first row."""
    n_groups = ir.Constant(WORD, BLOCK // (LANES * width))
    with cgutils.for_range(builder, n_groups) as loop:
        yield loop.index, builder.mul(loop.index, ir.Constant(WORD, LANES * width))


def exponential(builder: Any, x: Any) -> Any:
    """Return exp of ``x <= 0``, relative error 2e-14; below -700 as at -700."""
    x = larger(builder, x, constant(SMALLEST_EXPONENT))
    power = multiply_add(builder, x, constant(1 / LOG_2), constant(TO_INTEGER))
    whole = builder.fsub(power, constant(TO_INTEGER))
    rest = multiply_add(builder, whole, constant(-LOG_2_HIGH), x)
    rest = multiply_add(builder, whole, constant(-LOG_2_LOW), rest)
    series = constant(1 / 39916800)
    for factorial in FACTORIALS:
        series = multiply_add(builder, series, rest, constant(1 / factorial))
    exponent = builder.shl(builder.bitcast(power, WORDS), constant(52, WORDS))
    return builder.bitcast(builder.add(builder.bitcast(series, WORDS), exponent), DOUBLES)


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
        """Turn scores into exp(score - top) for BLOCK rows.

        Adds the shares to sums and share * log share to products; mask has a bit for each row whose
        share counts, a byte for each group of lanes.
        """

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            v, t, s, g, m = pointers(context, builder, signature, args, 0, 1, 2, 3, 4)
            with each_group(builder) as (group, row):
                score = load(builder, address(builder, v, row))
                below = builder.fsub(score, load(builder, address(builder, t, row)))
                near = builder.fcmp_ordered(">", below, constant(FAR))
                near = builder.bitcast(near, BYTE)
                builder.store(near, address(builder, m, group))

                def add() -> None:
                    share = exponential(builder, below)
                    store(builder, share, address(builder, v, row))
                    total = builder.fadd(load(builder, address(builder, s, row)), share)
                    store(builder, total, address(builder, s, row))
                    product = load(builder, address(builder, g, row))
                    product = multiply_add(builder, share, below, product)
                    store(builder, product, address(builder, g, row))

                if skips:
                    with builder.if_then(builder.icmp_unsigned("!=", near, ir.Constant(BYTE, 0))):
                        add()
                else:
                    add()
            return context.get_dummy_value()

        del typing
        return types.void(scores, top, sums, products, mask), generate

    return typed


shares = intrinsic(_shares(skips=False))
sorted_shares = intrinsic(_shares(skips=True))  # skips far groups: where rows are sorted
