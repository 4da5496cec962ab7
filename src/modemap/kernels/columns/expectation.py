"""The expectation step of a one-dimensional mixture on weighted points, sorted by value.

Sorted, so that eight neighbours see only the components near them: others lie below e^-46 of the
best and change no digit.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit
from modemap.kernels.shares import BLOCK, each_group, logarithm, sorted_shares

__all__ = ["expected_moments"]


@intrinsic
def _scores(typing: Any, x: Any, peak: Any, mean: Any, half: Any, scores: Any, top: Any) -> Any:
    """Write ``peak - half * (x - mean)^2`` of BLOCK points, and raise ``top`` to it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, scores, top = r.pointers(context, builder, signature, args, 0, 4, 5)
        peak, mean = (r.splat(builder, args[k], r.doubles) for k in (1, 2))
        minus_half = r.splat(builder, builder.fneg(args[3]), r.doubles)
        with each_group(builder) as (_, row):
            distance = builder.fsub(r.load(builder, x, row, vector=r.doubles), mean)
            score = builder.fmul(minus_half, distance)
            score = r.fma(builder, score, distance, peak)
            r.store(builder, score, scores, row)
            raised = r.maximum(builder, score, r.load(builder, top, row, vector=r.doubles))
            r.store(builder, raised, top, row)
        return context.get_dummy_value()

    del typing, peak, mean, half
    number = types.float64
    return types.void(x, number, number, number, scores, top), generate


@intrinsic
def _add_moments(
    typing: Any, x: Any, scale: Any, shares: Any, mask: Any, center: Any, sums: Any, k: Any
) -> Any:
    """Add count, first and second moment about ``center`` to column ``k`` of sums (3, K)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, scale, shares, mask, sums = r.pointers(context, builder, signature, args, 0, 1, 2, 3, 5)
        array = context.make_array(signature.args[5])(context, builder, args[5])
        (_, width) = cgutils.unpack_tuple(builder, array.shape, 2)
        center = r.splat(builder, args[4], r.doubles)
        totals = [cgutils.alloca_once(builder, r.doubles) for _ in range(3)]
        for total in totals:
            builder.store(r.constant(0.0, r.doubles), total)
        with each_group(builder) as (group, row):
            near = builder.load(r.address(builder, mask, group))
            with builder.if_then(builder.icmp_unsigned("!=", near, ir.Constant(r.BYTE, 0))):
                weight = r.load(builder, shares, row, vector=r.doubles)
                weight = builder.fmul(weight, r.load(builder, scale, row, vector=r.doubles))
                distance = builder.fsub(r.load(builder, x, row, vector=r.doubles), center)
                first = builder.fmul(weight, distance)
                second = builder.fmul(first, distance)
                for total, value in zip(totals, (weight, first, second), strict=True):
                    builder.store(builder.fadd(builder.load(total), value), total)
        for j, total in enumerate(totals):
            column = builder.add(builder.mul(width, r.index(j)), args[6])
            place = r.address(builder, sums, column)
            added = r.total(builder, builder.load(total))
            builder.store(builder.fadd(builder.load(place), added), place)
        return context.get_dummy_value()

    del typing, center, k
    returned = types.void(x, scale, shares, mask, types.float64, sums, types.int64)
    return returned, generate


@jit
def expected_moments(  # type: ignore[no-untyped-def]
    x,  # in   (n,) rising
    weights,  # in   (n,)
    peaks,  # in   (K,) log density of each component at its mean
    means,  # in   (K,)
    halves,  # in   (K,) half the precisions
    sums,  # inout  (3, K): weights, first and second moments about the means
    totals,  # inout  (2,): of weighted r log r, and of weighted log density
):
    """Add the moments of points under their responsibilities ``r``."""
    n, n_components = x.size, peaks.size
    scores = np.empty((n_components, BLOCK))
    mask = np.empty((n_components, BLOCK // 8), np.uint8)
    top, share_sums, products = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    scale, xs, ws = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        for i in range(m):
            xs[i], ws[i] = x[start + i], weights[start + i]
        for i in range(m, BLOCK):
            xs[i], ws[i] = xs[m - 1], 0.0
        top[:], share_sums[:], products[:] = -1e300, 0.0, 0.0
        for k in range(n_components):
            _scores(xs, peaks[k], means[k], halves[k], scores[k], top)
        for k in range(n_components):
            sorted_shares(scores[k], top, share_sums, products, mask[k])
        for i in range(BLOCK):
            log_sum = logarithm(share_sums[i])
            scale[i] = ws[i] / share_sums[i]
            products[i] = scale[i] * products[i] - ws[i] * log_sum
            share_sums[i] = ws[i] * (top[i] + log_sum)
        for i in range(BLOCK):
            totals[0] += products[i]
            totals[1] += share_sums[i]
        for k in range(n_components):
            _add_moments(xs, scale, scores[k], mask[k], means[k], sums, k)
