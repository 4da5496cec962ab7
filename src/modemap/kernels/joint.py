"""One pass of a mixture of several columns: statistics of a block of rows, no rows x components.

A block of 256 rows stays in the first-level cache: transposed for log densities (lanes are rows),
row by row for the moments (lanes are features). Shares below e^-46 of the largest are left out, so
the cost of the moments follows the overlap of components, not their number. The number of features
is that of a tuple's items, known when the pass is compiled: all inner loops are unrolled.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from modemap.kernels import registers as r
from modemap.kernels.compilation import jit
from modemap.kernels.shares import BLOCK, each_group, logarithm, shares

__all__ = ["add_statistics", "lanes_of", "row_scores"]

NARROW = 4  # features that fill four lanes at most
TWO_GROUPS = 8  # features up to which two groups of rows fit the registers


def lanes_of(n_features: int) -> int:
    """Return the lanes that the moments of so many features take."""
    return NARROW if n_features <= NARROW else r.DOUBLE_LANES


@intrinsic
def _densities(typing: Any, xt: Any, dims: Any, coefficients: Any, scores: Any, top: Any) -> Any:
    """Write ``c - |P'x - h|^2 / 2`` of BLOCK rows and raise ``top`` to it.

    The coefficients are c and, for each feature j, -h_j and P_0j to P_jj; xt is (d, BLOCK).
    """
    n_features = len(dims)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        xt, coef, scores, top = r.pointers(context, builder, signature, args, 0, 2, 3, 4)
        groups = range(2 if n_features <= TWO_GROUPS else 1)
        with each_group(builder, len(groups)) as (_, row):
            x = [
                [
                    r.load(builder, xt, i * BLOCK + g * r.DOUBLE_LANES, row, vector=r.doubles)
                    for g in groups
                ]
                for i in range(n_features)
            ]
            squares, place = [r.constant(0.0, r.doubles)] * len(groups), 1
            for j in range(n_features):
                y = [
                    r.splat(builder, builder.load(r.address(builder, coef, place)), r.doubles)
                ] * len(groups)
                for i in range(j + 1):
                    p = r.splat(
                        builder, builder.load(r.address(builder, coef, place + 1 + i)), r.doubles
                    )
                    y = [r.fma(builder, x[i][g], p, y[g]) for g in groups]
                squares = [r.fma(builder, y[g], y[g], squares[g]) for g in groups]
                place += j + 2
            peak = r.splat(builder, builder.load(coef), r.doubles)
            for g in groups:
                score = r.fma(builder, squares[g], r.constant(-0.5, r.doubles), peak)
                r.store(builder, score, scores, g * r.DOUBLE_LANES, row)
                highest = r.address(builder, top, g * r.DOUBLE_LANES, row)
                raised = r.maximum(builder, score, r.load(builder, highest, vector=r.doubles))
                r.store(builder, raised, highest)
        return context.get_dummy_value()

    del typing
    return types.void(xt, dims, coefficients, scores, top), generate


@intrinsic
def _add_moments(
    typing: Any, rows: Any, dims: Any, shares: Any, scale: Any, mask: Any, statistics: Any
) -> Any:
    """Add count, sum and upper scatter of the rows in ``mask``, weighed by shares * scale."""
    n_features = len(dims)
    lanes = lanes_of(n_features)
    n_parts = -(-n_features // lanes)
    vector = ir.VectorType(r.DOUBLE, lanes)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, shares, scale, mask, stats = r.pointers(
            context, builder, signature, args, 0, 2, 3, 4, 5
        )
        count = cgutils.alloca_once(builder, r.DOUBLE)
        sums = [cgutils.alloca_once(builder, vector) for _ in range(n_parts)]
        pairs = [(i, part) for i in range(n_features) for part in range(i // lanes, n_parts)]
        scatter = {pair: cgutils.alloca_once(builder, vector) for pair in pairs}
        places = [(total, 1 + part * lanes) for part, total in enumerate(sums)]
        after = 1 + n_parts * lanes
        places += [
            (total, after + (i * n_parts + part) * lanes) for (i, part), total in scatter.items()
        ]
        builder.store(builder.load(stats), count)
        for total, place in places:
            builder.store(r.load(builder, stats, place, vector=vector), total)
        left = cgutils.alloca_once(builder, r.INDEX)
        with each_group(builder) as (group, first):
            bits = builder.load(r.address(builder, mask, group))
            builder.store(builder.zext(bits, r.INDEX), left)
            head, body, end = (
                builder.append_basic_block(name) for name in ("rows", "row", "rows_end")
            )
            builder.branch(head)
            builder.position_at_end(head)
            any_left = builder.icmp_unsigned("!=", builder.load(left), r.index(0))
            builder.cbranch(any_left, body, end)
            builder.position_at_end(body)
            bits = builder.load(left)
            builder.store(builder.and_(bits, builder.sub(bits, r.index(1))), left)
            row = builder.add(first, builder.cttz(bits, ir.Constant(ir.IntType(1), 1)))
            weight = builder.load(r.address(builder, shares, row))
            weight = builder.fmul(weight, builder.load(r.address(builder, scale, row)))
            x = r.address(builder, rows, builder.mul(row, r.index(n_parts * lanes)))
            spread = r.splat(builder, weight, vector)
            weighted = [
                builder.fmul(spread, r.load(builder, x, part * lanes, vector=vector))
                for part in range(n_parts)
            ]
            builder.store(builder.fadd(builder.load(count), weight), count)
            for total, value in zip(sums, weighted, strict=True):
                builder.store(builder.fadd(builder.load(total), value), total)
            for (i, part), total in scatter.items():
                xi = r.splat(builder, builder.load(r.address(builder, x, i)), vector)
                value = r.fma(builder, xi, weighted[part], builder.load(total))
                builder.store(value, total)
            builder.branch(head)
            builder.position_at_end(end)
        builder.store(builder.load(count), stats)
        for total, place in places:
            r.store(builder, builder.load(total), stats, place)
        return context.get_dummy_value()

    del typing
    return types.void(rows, dims, shares, scale, mask, statistics), generate


@jit
def add_statistics(  # type: ignore[no-untyped-def]
    X,  # in   (n, d) float64 or float32
    weights,  # in   (n,), or empty for ones
    dims,  # in   tuple of d integers
    shift,  # in   (d,) about which sums and scatters are taken
    coefficients,  # in   (K, 1 + d + d (d + 1) / 2)
    statistics,  # inout  (K, 1 + padded d + d * padded d)
    totals,  # inout  (2,): of weighted r log r, and of weighted log density
):
    """Add each component's count, sum and upper scatter of rows under their responsibilities."""
    n, d = X.shape
    n_components, size = coefficients.shape[0], statistics.shape[1] // (d + 1)
    xt, rows = np.zeros((d, BLOCK)), np.zeros((BLOCK, size))
    scores = np.empty((n_components, BLOCK))
    mask = np.empty((n_components, BLOCK // r.DOUBLE_LANES), np.uint8)
    top, share_sums, products = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    scale, ws = np.empty(BLOCK), np.ones(BLOCK)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        for i in range(m):
            for j in range(d):
                rows[i, j] = np.float64(X[start + i, j]) - shift[j]
        for j in range(d):
            for i in range(BLOCK):
                xt[j, i] = rows[i, j]
        if weights.size:
            ws[:m] = weights[start : start + m]
        ws[m:] = 0.0
        top[:], share_sums[:], products[:] = -1e300, 0.0, 0.0
        for k in range(n_components):
            _densities(xt, dims, coefficients[k], scores[k], top)
        for k in range(n_components):
            shares(scores[k], top, share_sums, products, mask[k])
        for i in range(BLOCK):
            log_sum = logarithm(share_sums[i])
            scale[i] = ws[i] / share_sums[i]
            products[i] = scale[i] * products[i] - ws[i] * log_sum
            share_sums[i] = ws[i] * (top[i] + log_sum)
        for i in range(m):
            totals[0] += products[i]
            totals[1] += share_sums[i]
        for k in range(n_components):
            _add_moments(rows, dims, scores[k], scale, mask[k], statistics[k])


@jit
def row_scores(  # type: ignore[no-untyped-def]
    X,  # in   (n, d)
    dims,  # in   tuple of d integers
    shift,  # in   (d,)
    coefficients,  # in   (K, 1 + d + d (d + 1) / 2)
    scores,  # out  (n, K) log densities of the components
):
    """Write the log densities of each row."""
    n, d = X.shape
    xt, top, block = np.zeros((d, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        for j in range(d):
            for i in range(m):
                xt[j, i] = np.float64(X[start + i, j]) - shift[j]
        for k in range(coefficients.shape[0]):
            _densities(xt, dims, coefficients[k], block, top)
            for i in range(m):
                scores[start + i, k] = block[i]
