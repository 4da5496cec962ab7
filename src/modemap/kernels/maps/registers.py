"""Vector registers of float32, as LLVM's vector operations inside compiled kernels.

Plain compiled loops do not keep a tile of sums in registers, so the two innermost loops of the map
are written as vector code, which LLVM turns into AVX-512, AVX2, SSE or NEON instructions. This
module is all the vocabulary they need, and each word gives the same bits on every processor. Two
rules hold for its users: an intrinsic is a global of
its module, since numba's cache finds no closure again, and a slot on the stack that is only loaded
and stored becomes a register.
"""

from collections.abc import Sequence
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils

__all__ = [
    "INDEX",
    "LANES",
    "REAL",
    "absolute",
    "allocated",
    "constant",
    "data",
    "fma",
    "index",
    "integers",
    "load",
    "lowest",
    "minimum",
    "numbered",
    "reals",
    "splat",
    "store",
    "where_less",
]


def _features() -> set[str]:
    """Return what the target processor can, in LLVM's words."""
    chosen = numba.config.CPU_FEATURES  # "" where NUMBA_CPU_NAME is generic
    if chosen is not None:
        return {name[1:] for name in chosen.split(",") if name.startswith("+")}
    return {name for name, can in llvmlite.binding.get_host_cpu_features().items() if can}


FEATURES = _features()
LANES = 16 if "avx512f" in FEATURES else 8 if "avx" in FEATURES else 4
CAN_FUSE = bool(FEATURES & {"fma", "neon", "asimd"})  # all of ARM's vector units can
REAL, DOUBLE, INTEGER, INDEX = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
reals, integers = ir.VectorType(REAL, LANES), ir.VectorType(INTEGER, LANES)
doubles, longs = ir.VectorType(DOUBLE, LANES), ir.VectorType(INDEX, LANES)

NOBODY = 2**31 - 1  # a unit's number beyond all units


def index(value: int) -> Any:
    """Return a constant place."""
    return ir.Constant(INDEX, value)


def constant(value: float, vector: Any = reals) -> Any:
    """Return a register with ``value`` in every lane."""
    return ir.Constant(vector, [value] * LANES)


def splat(builder: Any, value: Any, vector: Any = reals) -> Any:
    """Return a register with a scalar in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(nothing, value, ir.Constant(INTEGER, 0))
    return builder.shuffle_vector(single, nothing, constant(0, integers))


def numbered(builder: Any, first: Any, count: int) -> list[Any]:
    """Return ``count`` registers that hold the numbers ``first``, ``first + 1``, ..."""
    start = splat(builder, builder.trunc(first, INTEGER), integers)
    lanes = [range(r * LANES, (r + 1) * LANES) for r in range(count)]
    return [builder.add(start, ir.Constant(integers, list(steps))) for steps in lanes]


def load(builder: Any, pointer: Any, at: Any) -> Any:
    """Return the register that begins ``at`` elements behind ``pointer``."""
    place = builder.bitcast(builder.gep(pointer, [at]), reals.as_pointer())
    return builder.load(place, align=4)


def store(builder: Any, value: Any, pointer: Any, at: Any) -> None:
    """Write a register to ``at`` elements behind ``pointer``."""
    place = builder.bitcast(builder.gep(pointer, [at]), reals.as_pointer())
    builder.store(value, place, align=4)


def allocated(builder: Any, start: Any) -> Any:
    """Return a slot that holds the register ``start``."""
    slot = cgutils.alloca_once(builder, start.type)
    builder.store(start, slot)
    return slot


def fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once.

    Where the processor has no such instruction the sum is formed in float64, in which the product
    is exact, and rounded to odd before it becomes a float32 again (S. Boldo and G. Melquiond,
    Emulation of a FMA and correctly rounded sums, IEEE Transactions on Computers 57, 2008): some
    ten times slower, and the same to the bit.
    """
    if CAN_FUSE:
        return _called(builder, f"llvm.fma.v{LANES}f32", reals, x, y, z)
    product, term = (
        builder.fmul(builder.fpext(x, doubles), builder.fpext(y, doubles)),
        builder.fpext(z, doubles),
    )
    total = builder.fadd(product, term)
    share = builder.fsub(total, product)
    lost = builder.fadd(
        builder.fsub(product, builder.fsub(total, share)), builder.fsub(term, share)
    )
    nothing, one = constant(0.0, doubles), constant(1, longs)
    bits = builder.bitcast(total, longs)
    is_even = builder.icmp_signed("==", builder.and_(bits, one), constant(0, longs))
    is_inexact = builder.fcmp_ordered("!=", lost, nothing)  # false for NaN: what is infinite stays
    is_outwards = builder.icmp_signed(
        "==",
        builder.fcmp_ordered(">", lost, nothing),
        builder.fcmp_ordered(">", total, nothing),
    )
    step = builder.select(is_outwards, one, constant(-1, longs))
    odd = builder.select(builder.and_(is_even, is_inexact), builder.add(bits, step), bits)
    return builder.fptrunc(builder.bitcast(odd, doubles), reals)


def absolute(builder: Any, x: Any) -> Any:
    """Return ``|x|``."""
    return _called(builder, f"llvm.fabs.v{LANES}f32", reals, x)


def minimum(builder: Any, x: Any, y: Any) -> Any:
    """Return the smaller of each lane, ``y`` where one of them is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def where_less(
    builder: Any, one: tuple[Any, Any], other: tuple[Any, Any]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return two offers (value, unit) as (lower, higher); of equals the second is the lower."""
    less = builder.fcmp_ordered("<", one[0], other[0])  # false for NaN too
    lower = tuple(builder.select(less, a, b) for a, b in zip(one, other, strict=True))
    higher = tuple(builder.select(less, b, a) for a, b in zip(one, other, strict=True))
    return lower, higher


def lowest(builder: Any, value: Any, unit: Any) -> tuple[Any, Any]:
    """Return the smallest value of all lanes, and the smallest unit among its equals."""
    low = _called(builder, f"llvm.vector.reduce.fmin.v{LANES}f32", REAL, value, flags=("nnan",))
    holds = builder.fcmp_ordered("==", value, splat(builder, low))
    unit = builder.select(holds, unit, constant(NOBODY, integers))
    return low, _called(builder, f"llvm.vector.reduce.umin.v{LANES}i32", INTEGER, unit)


def data(
    context: Any, builder: Any, signature: Any, args: Any, places: Sequence[int]
) -> tuple[list[Any], list[list[Any]]]:
    """Return the pointers and the shapes of the arrays among an intrinsic's arguments."""
    arrays = [context.make_array(signature.args[k])(context, builder, args[k]) for k in places]
    shapes = [
        cgutils.unpack_tuple(builder, array.shape, signature.args[k].ndim)
        for k, array in zip(places, arrays, strict=True)
    ]
    return [array.data for array in arrays], shapes


def _called(builder: Any, name: str, returned: Any, *values: Any, flags: Any = ()) -> Any:
    kind = ir.FunctionType(returned, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, values, fastmath=flags)
