"""Vector registers, as LLVM's vector operations inside compiled kernels.

Plain compiled loops do not keep a tile of sums in registers, so the innermost loops are written as
vector code, which LLVM turns into AVX-512, AVX2, SSE or NEON instructions and splits where
registers are narrower. This module is all the vocabulary they need, and each word
gives the same bits on every processor. Two rules hold for its users: an intrinsic is a global of
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
    "BYTE",
    "CAN_PICK",
    "DOUBLE",
    "DOUBLE_LANES",
    "HELD",
    "INDEX",
    "INTEGER",
    "LANES",
    "QUAD",
    "REAL",
    "absolute",
    "address",
    "allocated",
    "bytes8",
    "constant",
    "data",
    "doubles",
    "fma",
    "held",
    "index",
    "indices",
    "integers",
    "load",
    "lowest",
    "maximum",
    "minimum",
    "numbered",
    "picked",
    "picked_rows",
    "pointers",
    "prefetch",
    "reals",
    "reals8",
    "rounded",
    "splat",
    "store",
    "total",
    "transposed",
    "where_before",
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
DOUBLE_LANES = 8  # everywhere, so that a byte is the mask of a register
CAN_FUSE = bool(FEATURES & {"fma", "neon", "asimd"})  # all of ARM's vector units can
QUAD = 4  # float64 elements of a row of a table, which one register of AVX2 holds
HELD = 2 * DOUBLE_LANES  # float64 elements of a table that two registers hold
CAN_PICK = "avx512f" in FEATURES  # any of those elements for each lane, in one instruction
REAL, DOUBLE = ir.FloatType(), ir.DoubleType()
BYTE, INTEGER, INDEX = ir.IntType(8), ir.IntType(32), ir.IntType(64)
reals, integers = ir.VectorType(REAL, LANES), ir.VectorType(INTEGER, LANES)
doubles, indices = ir.VectorType(DOUBLE, DOUBLE_LANES), ir.VectorType(INDEX, DOUBLE_LANES)
reals8, bytes8 = ir.VectorType(REAL, DOUBLE_LANES), ir.VectorType(BYTE, DOUBLE_LANES)

NOBODY = 2**31 - 1  # a unit's number beyond all units
SPLITTER = 2.0**27 + 1  # halves a float64, so that products of halves are exact
ORDINARY = 2.0**900  # sizes up to this, and products down to its inverse, are split without loss


def index(value: int) -> Any:
    """Return a constant place."""
    return ir.Constant(INDEX, value)


def constant(value: float, vector: Any = reals) -> Any:
    """Return a register with ``value`` in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def splat(builder: Any, value: Any, vector: Any = reals) -> Any:
    """Return a register with a scalar in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = ir.Constant(ir.VectorType(INTEGER, vector.count), None)
    single = builder.insert_element(nothing, value, ir.Constant(INTEGER, 0))
    return builder.shuffle_vector(single, nothing, first)


def numbered(builder: Any, first: Any, count: int) -> list[Any]:
    """Return ``count`` registers that hold the numbers ``first``, ``first + 1``, ..."""
    start = splat(builder, builder.trunc(first, INTEGER), integers)
    lanes = [range(r * LANES, (r + 1) * LANES) for r in range(count)]
    return [builder.add(start, ir.Constant(integers, list(steps))) for steps in lanes]


def address(builder: Any, pointer: Any, *offsets: Any) -> Any:
    """Return ``pointer`` moved by so many elements: LLVM's values or Python's integers."""
    for offset in offsets:
        pointer = builder.gep(pointer, [index(offset) if isinstance(offset, int) else offset])
    return pointer


def load(builder: Any, pointer: Any, *offsets: Any, vector: Any = reals) -> Any:
    """Return the register that begins so many elements behind ``pointer``."""
    place = builder.bitcast(address(builder, pointer, *offsets), vector.as_pointer())
    return builder.load(place, align=_bits(vector.element) // 8)


def store(builder: Any, value: Any, pointer: Any, *offsets: Any) -> None:
    """Write a register to so many elements behind ``pointer``."""
    place = builder.bitcast(address(builder, pointer, *offsets), value.type.as_pointer())
    builder.store(value, place, align=_bits(value.type.element) // 8)


def held(builder: Any, pointer: Any, first: int = 0, step: int = 1) -> tuple[Any, Any]:
    """Return a table of HELD float64 elements, each ``step``-th, read once, for :func:`picked`."""
    table = []
    for start in (0, DOUBLE_LANES):
        half = ir.Constant(doubles, ir.Undefined)
        for lane in range(DOUBLE_LANES):
            element = builder.load(address(builder, pointer, first + (start + lane) * step))
            half = builder.insert_element(half, element, ir.Constant(INTEGER, lane))
        table.append(half)
    return table[0], table[1]


def picked(builder: Any, table: tuple[Any, Any], places: Any) -> Any:
    """Return the elements of a held table at these places, below HELD, one for each lane.

    Only where CAN_PICK.
    """
    low, high = table
    return _called(builder, "llvm.x86.avx512.vpermi2var.pd.512", doubles, low, places, high)


def picked_rows(builder: Any, table: Any, places: Any) -> list[Any]:
    """Return QUAD registers, the columns of the table's rows of QUAD float64 elements.

    The numbers of the rows, one for each lane, are bytes in memory. A row is loaded whole, which
    most processors do sooner than they gather.
    """
    quad, halves = ir.VectorType(DOUBLE, QUAD), []
    for start in range(0, DOUBLE_LANES, QUAD):
        rows = []
        for lane in range(start, start + QUAD):
            number = builder.zext(builder.load(address(builder, places, lane)), INDEX)
            place = builder.mul(number, index(QUAD))
            rows.append(load(builder, table, place, vector=quad))
        halves.append(transposed(builder, rows))
    lanes = ir.Constant(ir.VectorType(INTEGER, DOUBLE_LANES), list(range(DOUBLE_LANES)))
    return [builder.shuffle_vector(low, high, lanes) for low, high in zip(*halves, strict=True)]


def prefetch(builder: Any, pointer: Any) -> None:
    """Ask for the cache line at ``pointer``, which changes nothing but the time a load takes."""
    read, close, is_data = (ir.Constant(INTEGER, value) for value in (0, 3, 1))
    _called(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, read, close, is_data)


def allocated(builder: Any, start: Any) -> Any:
    """Return a slot that holds the register ``start``."""
    slot = cgutils.alloca_once(builder, start.type)
    builder.store(start, slot)
    return slot


def fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once.

    Where the processor has no such instruction the sum is formed of more digits and rounded to odd
    before it is rounded for good (S. Boldo and G. Melquiond, Emulation of a FMA and correctly
    rounded sums, IEEE Transactions on Computers 57, 2008): tens of times slower, and the same
    to the bit.
    """
    vector = x.type
    if CAN_FUSE:
        return _called(builder, f"llvm.fma.{_name(vector)}", vector, x, y, z)
    if vector.element == DOUBLE:
        return _fused_doubles(builder, x, y, z)
    wide = ir.VectorType(DOUBLE, vector.count)
    x, y, z = (builder.fpext(value, wide) for value in (x, y, z))
    return builder.fptrunc(_odd_sum(builder, builder.fmul(x, y), z), vector)  # the product is exact


def _fused_doubles(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z`` of float64, by halves of 26 bits; by the C library beyond ORDINARY."""
    vector, lanes = x.type, x.type.count
    bound, nothing = constant(ORDINARY, vector), constant(0.0, vector)
    product = builder.fmul(x, y)
    is_near = [
        builder.fcmp_ordered("<", absolute(builder, value), bound) for value in (x, y, z, product)
    ]
    is_seen = builder.fcmp_ordered(">", absolute(builder, product), constant(1 / ORDINARY, vector))
    for value in (x, y):
        is_seen = builder.or_(is_seen, builder.fcmp_ordered("==", value, nothing))
    for claim in is_near:
        is_seen = builder.and_(is_seen, claim)
    mask = ir.IntType(lanes)
    is_ordinary = builder.icmp_unsigned(
        "==", builder.bitcast(is_seen, mask), ir.Constant(mask, 2**lanes - 1)
    )
    result = cgutils.alloca_once(builder, vector)
    with builder.if_else(is_ordinary) as (by_halves, by_library):
        with by_halves:
            low = _lost_by_product(builder, x, y, product)
            rest, least = _sum(builder, z, low)
            high, middle = _sum(builder, product, rest)
            fused = builder.fadd(high, _odd_sum(builder, middle, least))
            is_nothing = builder.fcmp_ordered("==", product, nothing)  # then the sum has a sign
            fused = builder.select(is_nothing, builder.fadd(product, z), fused)
            builder.store(fused, result)
        with by_library:
            called = _called(builder, f"llvm.fma.{_name(vector)}", vector, x, y, z)
            builder.store(called, result)
    return builder.load(result)


def _lost_by_product(builder: Any, x: Any, y: Any, product: Any) -> Any:
    """Return ``x * y - product``, exactly (T. Dekker, 1971)."""
    splitter, halves = constant(SPLITTER, x.type), []
    for value in (x, y):
        scaled = builder.fmul(splitter, value)
        high = builder.fsub(scaled, builder.fsub(scaled, value))
        halves.append((high, builder.fsub(value, high)))
    (x_high, x_low), (y_high, y_low) = halves
    lost = builder.fsub(builder.fmul(x_high, y_high), product)
    lost = builder.fadd(lost, builder.fmul(x_high, y_low))
    lost = builder.fadd(lost, builder.fmul(x_low, y_high))
    return builder.fadd(lost, builder.fmul(x_low, y_low))


def _sum(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return ``x + y`` rounded, and what rounding lost (D. Knuth)."""
    added = builder.fadd(x, y)
    share = builder.fsub(added, x)
    lost = builder.fadd(builder.fsub(x, builder.fsub(added, share)), builder.fsub(y, share))
    return added, lost


def _odd_sum(builder: Any, x: Any, y: Any) -> Any:
    """Return ``x + y`` in float64, rounded to the neighbour with an odd last bit if inexact."""
    added, lost = _sum(builder, x, y)
    longs = ir.VectorType(INDEX, x.type.count)
    nothing, one = constant(0.0, x.type), constant(1, longs)
    bits = builder.bitcast(added, longs)
    is_even = builder.icmp_signed("==", builder.and_(bits, one), constant(0, longs))
    is_inexact = builder.fcmp_ordered("!=", lost, nothing)  # false for NaN: what is infinite stays
    is_outwards = builder.icmp_signed(
        "==",
        builder.fcmp_ordered(">", lost, nothing),
        builder.fcmp_ordered(">", added, nothing),
    )
    step = builder.select(is_outwards, one, constant(-1, longs))
    odd = builder.select(builder.and_(is_even, is_inexact), builder.add(bits, step), bits)
    return builder.bitcast(odd, x.type)


def absolute(builder: Any, x: Any) -> Any:
    """Return ``|x|``."""
    return _called(builder, f"llvm.fabs.{_name(x.type)}", x.type, x)


def rounded(builder: Any, x: Any) -> Any:
    """Return the nearest integer of each lane, the even one of two."""
    return _called(builder, f"llvm.rint.{_name(x.type)}", x.type, x)


def minimum(builder: Any, x: Any, y: Any) -> Any:
    """Return the smaller of each lane, ``y`` where one of them is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def maximum(builder: Any, x: Any, y: Any) -> Any:
    """Return the larger of each lane, ``y`` where one of them is NaN."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def where_less(
    builder: Any, one: tuple[Any, Any], other: tuple[Any, Any]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return two offers (value, unit) as (lower, higher); of equals the second is the lower."""
    less = builder.fcmp_ordered("<", one[0], other[0])  # false for NaN too
    return _sorted(builder, less, one, other)


def where_before(
    builder: Any, one: tuple[Any, Any], other: tuple[Any, Any]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return two offers (value, unit) as (lower, higher); of equals the one with the lower unit."""
    less = builder.fcmp_ordered("<", one[0], other[0])
    ties = builder.fcmp_ordered("==", one[0], other[0])
    less = builder.or_(less, builder.and_(ties, builder.icmp_signed("<", one[1], other[1])))
    return _sorted(builder, less, one, other)


def _sorted(
    builder: Any, is_first: Any, one: tuple[Any, Any], other: tuple[Any, Any]
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    lower = tuple(builder.select(is_first, a, b) for a, b in zip(one, other, strict=True))
    higher = tuple(builder.select(is_first, b, a) for a, b in zip(one, other, strict=True))
    return lower, higher


def lowest(builder: Any, value: Any, unit: Any) -> tuple[Any, Any]:
    """Return the smallest value of all lanes, and the smallest unit among its equals."""
    low = _called(builder, f"llvm.vector.reduce.fmin.v{LANES}f32", REAL, value, flags=("nnan",))
    holds = builder.fcmp_ordered("==", value, splat(builder, low))
    unit = builder.select(holds, unit, constant(NOBODY, integers))
    return low, _called(builder, f"llvm.vector.reduce.umin.v{LANES}i32", INTEGER, unit)


def total(builder: Any, x: Any) -> Any:
    """Return the sum of all lanes, halves first: in one order on every processor."""
    nothing = ir.Constant(x.type, ir.Undefined)
    half = x.type.count // 2
    while half:
        upper = [half + i if i < half else i for i in range(x.type.count)]
        moved = builder.shuffle_vector(
            x, nothing, ir.Constant(ir.VectorType(INTEGER, x.type.count), upper)
        )
        x = builder.fadd(x, moved)
        half //= 2
    return builder.extract_element(x, ir.Constant(INTEGER, 0))


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of as many registers as each has lanes."""
    half = 1
    while half < len(rows):  # squares of twice the size change their off-diagonal halves
        pairs = [(k, k + half) for k in range(len(rows)) if not k & half]
        lanes = range(len(rows))
        lower = [k if not k & half else len(rows) + k - half for k in lanes]
        upper = [k + half if not k & half else len(rows) + k for k in lanes]
        for low, high in pairs:
            rows[low], rows[high] = (
                builder.shuffle_vector(
                    rows[low], rows[high], ir.Constant(ir.VectorType(INTEGER, len(lanes)), mask)
                )
                for mask in (lower, upper)
            )
        half *= 2
    return rows


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


def pointers(context: Any, builder: Any, signature: Any, args: Any, *places: int) -> list[Any]:
    """Return the pointers of the arrays among an intrinsic's arguments."""
    return data(context, builder, signature, args, places)[0]


def _bits(element: Any) -> int:
    return 32 if element == REAL else 64 if element == DOUBLE else int(element.width)


def _name(vector: Any) -> str:
    """Return what LLVM calls a register of floats."""
    return f"v{vector.count}f{_bits(vector.element)}"


def _called(builder: Any, name: str, returned: Any, *values: Any, flags: Any = ()) -> Any:
    kind = ir.FunctionType(returned, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, values, fastmath=flags)
