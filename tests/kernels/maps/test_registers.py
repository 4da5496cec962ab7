"""Words of the registers' vocabulary against plain arithmetic."""

import numba
import numpy as np
import pytest
from numba import types
from numba.extending import intrinsic

from modemap.kernels.maps import registers as r
from modemap.kernels.maps.portable import fused


@intrinsic
def _fma(typing, x, y, z, out):
    """Write the fused product and sum of one register each."""

    def generate(context, builder, signature, args):
        (x, y, z, out), _ = r.data(context, builder, signature, args, range(4))
        values = [r.load(builder, pointer, r.index(0)) for pointer in (x, y, z)]
        r.store(builder, r.fma(builder, *values), out, r.index(0))
        return context.get_dummy_value()

    del typing
    return types.void(x, y, z, out), generate


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
