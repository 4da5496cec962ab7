"""Words of the registers' vocabulary against plain arithmetic."""

from fractions import Fraction

import numba
import numpy as np
import pytest
from numba import types
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.maps.portable import fused


@intrinsic
def _fma(typing, x, y, z, out):
    """Write the fused product and sum of one register each."""

    def generate(context, builder, signature, args):
        *places, out = r.pointers(context, builder, signature, args, *range(4))
        vector = r.reals if signature.args[0].dtype == types.float32 else r.doubles
        values = [r.load(builder, place, vector=vector) for place in places]
        r.store(builder, r.fma(builder, *values), out)
        return context.get_dummy_value()

    del typing
    return types.void(x, y, z, out), generate


@intrinsic
def _total(typing, x, out):
    """Write the sum of the lanes of one register."""

    def generate(context, builder, signature, args):
        x, out = r.pointers(context, builder, signature, args, 0, 1)
        builder.store(r.total(builder, r.load(builder, x, vector=r.doubles)), out)
        return context.get_dummy_value()

    del typing
    return types.void(x, out), generate


def by_registers(x, y, z):
    """Return ``x * y + z`` of whole registers, compiled anew."""

    @numba.njit
    def run(x, y, z, out):
        for i in range(len(x)):
            _fma(x[i], y[i], z[i], out[i])

    out = np.empty_like(x)
    run(x, y, z, out)
    return out


def drawn(kind):
    """Return three arrays of float32 registers of one kind."""
    rng = np.random.default_rng(0)
    shape = (20_000, r.LANES)
    if kind == "of like size":
        return rng.normal(size=(3, *shape)).astype(np.float32)
    if kind == "any bits":
        x, y, z = rng.integers(0, 2**32, size=(3, *shape), dtype=np.uint32).view(np.float32)
        return x, y, z
    if kind == "denormal":
        x, y = (rng.normal(size=(2, *shape)) * 1e-20).astype(np.float32)
        return x, y, (rng.normal(size=shape) * 1e-41).astype(np.float32)
    x, y = rng.integers(1, 2**24, size=(2, *shape)).astype(np.float32)  # products of 48 bits
    z = rng.integers(1, 2**24, size=shape).astype(np.float32) * np.float32(2.0**30)
    return x, y * rng.choice(np.float32([-1, 1]), size=shape), z


@pytest.mark.parametrize("kind", ["of like size", "any bits", "denormal", "halfway"])
def test_a_product_is_added_with_one_rounding_on_every_processor(kind, monkeypatch):
    """The instruction, what stands for it elsewhere, and the twin agree to the bit."""
    x, y, z = drawn(kind)
    with np.errstate(all="ignore"):
        twin = fused(x, y, z)

    results = []
    for can_fuse in (True, False):
        monkeypatch.setattr(r, "CAN_FUSE", can_fuse)
        results.append(by_registers(x, y, z))

    for found in results:
        np.testing.assert_array_equal(found, twin)
    with np.errstate(all="ignore"):
        twice = x * y + z
    if kind in ("of like size", "halfway"):
        assert (twin != twice).mean() > 0.01  # rounding twice would be seen


def drawn_doubles(kind):
    """Return three arrays of float64 registers of one kind."""
    rng = np.random.default_rng(0)
    shape = (2_000, r.DOUBLE_LANES)
    x, y, z = rng.normal(size=(3, *shape))
    match kind:
        case "any bits":
            x, y, z = rng.integers(0, 2**64, (3, *shape), np.uint64).view(np.float64)
        case "of many sizes":
            x, y, z = np.stack((x, y, z)) * 2.0 ** rng.integers(-400, 400, (3, *shape))
        case "cancelling":
            z = -x * y * rng.choice([1.0, 1 + 2.0**-52], shape)
        case "denormal":
            x, y, z = x * 1e-160, y * 1e-160, z * 1e-320
        case "halfway":  # products of 106 bits, terms that leave a half in the last place
            x, y = rng.integers(2**52, 2**53, (2, *shape)).astype(float)
            z = rng.choice([-1, 1], shape) * 2.0 ** rng.integers(50, 160, shape)
        case "zeros":
            x, y, z = rng.choice([0.0, -0.0, 1.5, -1.5], (3, *shape))
    return x, y, z


def exactly(x, y, z):
    """Return ``x * y + z`` of finite numbers, rounded once by whole numbers."""
    total = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(total)
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")


@pytest.mark.parametrize(
    "kind",
    ["of like size", "of many sizes", "cancelling", "halfway", "zeros", "denormal", "any bits"],
)
def test_a_product_of_float64_is_added_with_one_rounding_on_every_processor(kind, monkeypatch):
    """The instruction and what stands for it agree to the bit, and with exact arithmetic."""
    x, y, z = drawn_doubles(kind)

    results = []
    for can_fuse in (True, False):
        monkeypatch.setattr(r, "CAN_FUSE", can_fuse)
        results.append(by_registers(x, y, z))

    is_number = ~np.isnan(results[0])
    fused, emulated = (np.where(is_number, found, 0.0).view(np.uint64) for found in results)
    np.testing.assert_array_equal(emulated, fused)
    np.testing.assert_array_equal(np.isnan(results[1]), ~is_number)
    is_finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    numbers = zip(x[is_finite], y[is_finite], z[is_finite], strict=True)
    expected = [exactly(*three) for three in numbers]
    np.testing.assert_array_equal(results[1][is_finite], expected)
    if kind in {"of like size", "halfway", "cancelling"}:
        assert (results[1] != x * y + z).mean() > 0.01  # rounding twice would be seen


def test_lanes_are_added_halves_first():
    """In the one order that every processor keeps."""
    x = np.random.default_rng(0).normal(size=(100, r.DOUBLE_LANES))

    @numba.njit
    def run(x, out):
        for i in range(len(x)):
            _total(x[i], out[i : i + 1])

    out = np.empty(len(x))
    run(x, out)

    for half in (4, 2, 1):
        x = x[:, :half] + x[:, half : 2 * half]
    np.testing.assert_array_equal(out, x[:, 0])


@intrinsic
def _transposed(typing, x, out):
    """Write eight registers as columns."""

    def generate(context, builder, signature, args):
        x, out = r.pointers(context, builder, signature, args, 0, 1)
        rows = [r.load(builder, x, i * r.DOUBLE_LANES, vector=r.doubles) for i in range(8)]
        for j, column in enumerate(r.transposed(builder, rows)):
            r.store(builder, column, out, j * r.DOUBLE_LANES)
        return context.get_dummy_value()

    del typing
    return types.void(x, out), generate


def test_registers_are_transposed():
    """Each column holds one lane of all rows, in their order."""
    x, out = np.arange(64.0).reshape(8, 8), np.empty((8, 8))

    @numba.njit
    def run(x, out):
        _transposed(x, out)

    run(x, out)

    np.testing.assert_array_equal(out, x.T)


@intrinsic
def _picked(typing, table, places, out):
    """Write the third column of the table's rows at eight places, as kernels look it up."""

    def generate(context, builder, signature, args):
        table, places, out = r.pointers(context, builder, signature, args, 0, 1, 2)
        if r.CAN_PICK:
            held = r.held(builder, table, 2, r.QUAD)
            numbers = r.load(builder, places, vector=r.bytes8)
            found = r.picked(builder, held, builder.zext(numbers, r.indices))
        else:
            found = r.picked_rows(builder, table, places)[2]
        r.store(builder, found, out)
        return context.get_dummy_value()

    del typing
    return types.void(table, places, out), generate


@pytest.mark.parametrize("can_pick", [True, False])
def test_elements_of_a_table_are_picked(can_pick, monkeypatch):
    """By one instruction where there is one, else by loading rows: the same elements."""
    monkeypatch.setattr(r, "CAN_PICK", can_pick and r.CAN_PICK)
    table, out = np.arange(64.0).reshape(16, 4) / 3, np.empty(8)
    places = np.array([15, 0, 8, 7, 1, 1, 9, 14], np.uint8)

    @numba.njit
    def run(table, places, out):
        _picked(table, places, out)

    run(table, places, out)

    np.testing.assert_array_equal(out, table[places, 2])
