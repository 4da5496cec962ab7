"""Vector registers of float32, as LLVM's vector operations inside compiled kernels.

Plain compiled loops do not keep a tile of sums in registers, so the two innermost loops of the map
are written as vector code, which LLVM turns into AVX-512, AVX2, SSE or NEON instructions. This
module is all the vocabulary they need. Two rules hold for its users: an intrinsic is a global of
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


def _lanes() -> int:
    """Return how many float32 a register of the target processor holds."""
    if numba.config.CPU_NAME == "generic":
        return 4
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


LANES = _lanes()
REAL, INTEGER, INDEX = ir.FloatType(), ir.IntType(32), ir.IntType(64)
reals, integers = ir.VectorType(REAL, LANES), ir.VectorType(INTEGER, LANES)

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
    """Return ``x * y + z``, rounded once where the processor can, twice elsewhere."""
    return _called(builder, f"llvm.fmuladd.v{LANES}f32", reals, x, y, z)


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
