"""The passes of :mod:`modemap.kernels.maps.compiled` in plain NumPy: their oracle and stand-in.

Every sum is added in the order of the compiled loops, and products are added rounded once as
there, so that float32 scores agree to the bit.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.kernels.maps.grid import NEIGHBORHOODS, Lattice
from modemap.kernels.maps.panels import METRICS, N_FORMULAS, Panels

__all__ = [
    "ONLINE_PANEL",
    "PANEL",
    "add_nearest",
    "distances_to_units",
    "find_nearest",
    "find_two",
    "fused",
    "mix",
    "nearest_two",
    "train_any",
    "train_complete",
]

PANEL = ONLINE_PANEL = 8
BLOCK_CELLS = 1 << 18  # scores held at once
MANHATTAN, CHEBYSHEV = 2, 3  # formulas


def fused(
    x: NDArray[np.float32 | np.bool_], y: NDArray[np.float32], z: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``x * y + z`` of float32 arrays, rounded once.

    The product is exact in float64. The sum is rounded to odd there, so that rounding it again
    goes where rounding the true sum would go.
    """
    product, term = np.multiply(x, y, dtype=np.float64), np.asarray(z, dtype=np.float64)
    total: FloatArray = product + term
    share = total - product
    lost = (product - (total - share)) + (term - share)
    bits = total.view(np.int64)
    is_to_move = ((bits & 1) == 0) & (np.abs(lost) > 0)  # not where the sum is infinite or NaN
    bits[is_to_move] += np.where((lost > 0) == (total > 0), 1, -1)[is_to_move]
    return total.astype(np.float32)


def add_nearest(
    X: FloatArray,
    weights: FloatArray,
    panels: Panels,
    sums: FloatArray,
    counts: FloatArray,
) -> float:
    """Add each sample to its nearest unit; return the sum of weighted distances."""
    units = np.empty(len(X), dtype=np.int64)
    for rows in _blocks(X, panels):
        scores = _scores(X[rows], panels)
        units[rows] = scores.argmin(axis=1)
        for i in np.flatnonzero(~(scores.min(axis=1) < np.inf)) + rows.start:
            units[i] = _distances(X[i : i + 1], panels.codebook.T, panels.metric).argmin()
    np.add.at(counts, units, weights)
    if not len(sums):
        return 0.0
    distances = _distances_to(X, panels, units)
    is_seen = ~np.isnan(X)
    n_totals = sums.shape[1] - X.shape[1]
    added = np.hstack((np.where(is_seen, X, 0.0), is_seen[:, :n_totals]))
    np.add.at(sums, units, weights[:, np.newaxis] * added)
    if METRICS[panels.metric] == "euclidean":
        distances = np.sqrt(distances)
    return float(np.cumsum(weights * distances)[-1])


def find_nearest(X: FloatArray, panels: Panels, units: IntArray, distances: FloatArray) -> None:
    """Write each sample's nearest unit and its distance; ties go low."""
    for rows in _blocks(X, panels):
        units[rows] = _distances(X[rows], panels.features, panels.metric).argmin(axis=1)
    distances[:] = _distances_to(X, panels, units)


def find_two(X: FloatArray, panels: Panels, units: IntArray) -> None:
    """Write each sample's two nearest units by their float32 scores, -1 where they say nothing."""
    for rows in _blocks(X, panels):
        scores = _scores(X[rows], panels)
        units[rows] = np.argsort(scores, axis=1, kind="stable")[:, :2]
        units[rows][~np.isfinite(scores[:, : panels.codebook.shape[0]]).all(axis=1)] = -1


def nearest_two(X: FloatArray, features: FloatArray, metric: int, units: IntArray) -> None:
    """Write each sample's two nearest units; ties go low."""
    distances = _distances(X, features, metric)
    units[:] = np.argsort(distances, axis=1, kind="stable")[:, :2]


def distances_to_units(
    X: FloatArray, features: FloatArray, metric: int, distances: FloatArray
) -> None:
    """Write the distance of each sample to each unit."""
    distances[:] = _distances(X, features, metric)


def mix(strengths: FloatArray, values: FloatArray, mixed: FloatArray) -> None:
    """Write the product of two matrices, each sum in the order of its terms."""
    mixed[...] = 0.0
    for k in range(len(values)):
        mixed += np.multiply.outer(strengths[:, k], values[k])


def train_complete(
    X: FloatArray,
    order: IntArray,
    rates: FloatArray,
    radii: FloatArray,
    lattice: Lattice,
    kind: int,
    origin: FloatArray,
    scale: float,
    panels: NDArray[np.float32],
    step: int,
    distances: FloatArray,
    apart: NDArray[np.bool_],
) -> None:
    """Present samples one by one; write distances, and whether the two nearest were apart."""
    n_units, n_features = lattice.n_rows * lattice.n_columns, X.shape[1]
    units = panels.transpose(0, 2, 1).reshape(-1, n_features)[:n_units].copy()
    x = ((X - origin) * scale).astype(np.float32)
    for t, (i, rate, radius) in enumerate(zip(order, rates, radii, strict=True)):
        squares = np.zeros(n_units, dtype=np.float32)
        for j in range(n_features):
            apart_by = units[:, j] - x[i, j]
            squares = fused(apart_by, apart_by, squares)
        first, second = _two_lowest(squares)
        distances[t] = np.sqrt(squares[first], dtype=np.float64) / scale
        if t % step == 0:
            apart[t] = _are_apart(lattice, first, second)
        gains = _gains(lattice, first, rate, radius, kind)
        units = fused(gains[:, np.newaxis], x[i] - units, units)
    padded = panels.transpose(0, 2, 1).reshape(-1, n_features)
    padded[:n_units] = units
    panels[...] = padded.reshape(len(panels), -1, n_features).transpose(0, 2, 1)


def train_any(
    X: FloatArray,
    order: IntArray,
    rates: FloatArray,
    radii: FloatArray,
    lattice: Lattice,
    kind: int,
    metric: int,
    bounds: FloatArray,
    features: FloatArray,
    errors: FloatArray,
    apart: NDArray[np.bool_],
) -> None:
    """Present samples one by one, with any metric and missing values; see train_complete."""
    for t, (i, rate, radius) in enumerate(zip(order, rates, radii, strict=True)):
        x = X[i].astype(np.float64)
        (distances,) = _distances(x[np.newaxis], features, metric)
        first, second = _two_lowest(distances)
        errors[t] = distances[first] if metric else np.sqrt(distances[first])
        apart[t] = _are_apart(lattice, first, second)
        gains = _gains(lattice, first, rate, radius, kind)
        pulls = np.where(np.isnan(x), 0.0, x)[:, np.newaxis] - features
        moved = features + np.where(np.isnan(x)[:, np.newaxis], 0.0, gains * pulls)
        np.clip(moved, *bounds[:, :, np.newaxis], out=features)


def _two_lowest(distances: NDArray[np.floating]) -> tuple[int, int]:
    ranked = np.argsort(distances, kind="stable")
    return int(ranked[0]), int(ranked[min(1, len(ranked) - 1)])


def _steps(lattice: Lattice, unit: int) -> tuple[IntArray, IntArray]:
    """Return the steps down and across from a unit to all units."""
    rows, columns = np.divmod(np.arange(lattice.n_rows * lattice.n_columns), lattice.n_columns)
    row, column = divmod(unit, lattice.n_columns)
    shift = (rows % 2 - row % 2) * lattice.is_hexagonal
    down = lattice.down[rows - row + lattice.n_rows - 1]
    return down, lattice.across[shift + 1, columns - column + lattice.n_columns - 1]


def _are_apart(lattice: Lattice, first: int, second: int) -> bool:
    down, across = (int(steps[second]) for steps in _steps(lattice, first))
    if lattice.is_hexagonal:
        return down > 1 or down + across > 2  # noqa: PLR2004
    return max(down, across) > 1


def _gains(
    lattice: Lattice, unit: int, rate: float, radius: float, kind: int
) -> NDArray[np.float32]:
    """Return the learning rate times the neighborhood of a unit."""
    steps_down, steps_across = _steps(lattice, unit)
    down, across = steps_down * lattice.height, steps_across * lattice.width
    squares, name = down**2 + across**2, NEIGHBORHOODS[kind]
    if name in ("gaussian", "mexican_hat"):
        strength = np.exp(-0.5 * squares / radius**2)
        if name == "mexican_hat":
            strength *= 1.0 - squares / radius**2
    elif lattice.is_hexagonal:
        near = np.sqrt(squares) / radius
        strength = near <= 1 + 1e-12 if name == "bubble" else np.maximum(0.0, 1.0 - near)
    elif name == "bubble":
        strength = (down <= radius) & (across <= radius)
    else:
        strength = np.maximum(0.0, 1.0 - down / radius) * np.maximum(0.0, 1.0 - across / radius)
    return (rate * strength).astype(np.float32)


def _blocks(X: FloatArray, panels: Panels) -> Iterator[slice]:
    step = max(1, BLOCK_CELLS // len(panels.start))
    for start in range(0, len(X), step):
        yield slice(start, min(start + step, len(X)))


def _scores(X: FloatArray, panels: Panels) -> NDArray[np.float32]:
    """Return the tile's scores, (n_samples, n_panels * width)."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = ((X - panels.origin) * panels.scale).astype(np.float32)
        is_seen = ~np.isnan(X)
        formula = len(panels.formula)
        has_missing = formula > N_FORMULAS
        formula -= N_FORMULAS * has_missing
        scores = np.tile(panels.start, (len(X), 1))
        for j in range(X.shape[1]):
            w = panels.panels[:, j].ravel()
            column, shown = x[:, j, np.newaxis], is_seen[:, j, np.newaxis] | (not has_missing)
            if formula in (MANHATTAN, CHEBYSHEV):
                apart = np.where(shown, np.abs(column + w), np.float32(0.0))
                scores = scores + apart if formula == MANHATTAN else np.maximum(scores, apart)
                continue
            scores = fused(np.where(shown, column, np.float32(0.0)), w, scores)
            if has_missing:
                scores = fused(shown, w * w * np.float32(0.5), scores)
    scores[np.isnan(scores)] = np.inf
    if panels.groups is not None:
        n_units = len(panels.codebook)
        scores[:, panels.groups.units[:n_units]] = scores[:, :n_units].copy()
    return scores


def _distances(X: FloatArray, features: FloatArray, metric: int) -> FloatArray:
    """Return the distance of each sample to each unit, Euclidean ones squared."""
    name = METRICS[metric]
    totals = np.zeros((len(X), features.shape[1]))
    lengths, lengths_x = np.zeros_like(totals), np.zeros((len(X), 1))
    for j, feature in enumerate(features):
        column = X[:, j, np.newaxis].astype(np.float64)
        is_seen = ~np.isnan(column)
        column = np.where(is_seen, column, 0.0)
        apart = np.where(is_seen, column - feature, 0.0)
        if name == "cosine":
            totals += column * feature
            lengths += is_seen * (feature * feature)
            lengths_x += column * column
        elif name == "chebyshev":
            np.maximum(totals, np.abs(apart), out=totals)
        else:
            totals += np.abs(apart) if name == "manhattan" else apart * apart
    if name != "cosine":
        return totals
    length = np.sqrt(lengths_x) * np.sqrt(lengths)
    cosines = np.divide(totals, length, out=np.zeros_like(totals), where=length > 0)
    distances: FloatArray = np.maximum(0.0, 1.0 - cosines)
    return distances


def _distances_to(X: FloatArray, panels: Panels, units: IntArray) -> FloatArray:
    """Return the distance of each sample to its unit."""
    distances = np.empty(len(X))
    for rows in _blocks(X, panels):
        block = _distances(X[rows], panels.codebook.T, panels.metric)
        distances[rows] = block[np.arange(len(block)), units[rows]]
    return distances
