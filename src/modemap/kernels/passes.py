"""Passes over all rows: chunks on plain threads, their results added in the order of the rows."""

import functools
import logging
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.accumulation import add_scatter
from modemap.kernels.arrays import FloatArray, IntArray, read_only
from modemap.kernels.chunks import MIN_ROWS, chunk_slices, map_chunks, map_in_order
from modemap.kernels.compilation import cache_folder, is_compiled
from modemap.kernels.maps.grid import NEIGHBORHOODS, Grid
from modemap.kernels.maps.panels import METRICS, Panels, aligned, packed

__all__ = [
    "GROUPED",
    "Deviations",
    "Prepared",
    "UnitSums",
    "deviations",
    "has_missing",
    "mixed",
    "nearest_units",
    "present",
    "scatter",
    "sums_by_unit",
    "two_nearest_soon",
    "two_nearest_units",
    "unit_distances",
]

logger = logging.getLogger(__name__)

PARTS_BYTES = 24 << 20  # what the parts of all chunks may take together
GROUPED = 1 << 20  # values of samples from which on it pays to put units in groups
ADDED = 256  # units whose sums a thread adds at once, or more
FEW = 16  # samples that are not worth the packing of the units
FAR = 1e15  # of units that are none: their distance stays finite and never wins


class UnitSums(NamedTuple):
    """What an epoch of batch training needs of all rows; two of them add up."""

    sums: FloatArray  # (n_units, n_features + n_totals), weighted samples and their weights
    counts: FloatArray  # (n_units,), weights of whole samples
    distance: float  # weighted distances to the nearest unit
    n_totals: int  # 1, or n_features where values are missing and each feature has its own weights

    @property
    def weights(self) -> FloatArray:
        """Weights behind each sum, (n_units, n_totals)."""
        return self.sums[:, -self.n_totals :]

    def plus(self, other: "UnitSums") -> "UnitSums":
        """Return both together."""
        return UnitSums(
            self.sums + other.sums,
            self.counts + other.counts,
            self.distance + other.distance,
            self.n_totals,
        )


class Prepared:
    """A codebook that several passes search: it is packed once for all of them.

    Parameters
    ----------
    codebook : ndarray of shape (n_units, n_features)
        The units, which must not change.
    metric : str
        By which units are nearest.
    n_threads : int
        Threads that pack it.
    """

    def __init__(self, codebook: FloatArray, metric: str = "euclidean", n_threads: int = 1) -> None:
        self.codebook, self.metric, self.n_threads = codebook, metric, n_threads
        self._packed: dict[tuple[bool, bool], Panels] = {}
        self._n_values = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the panels, which depend on the processor."""
        return Prepared, (self.codebook, self.metric, self.n_threads)

    def panels(self, *, has_missing: bool, n_values: int = 0) -> Panels:
        """Return what the search in float32 reads, for complete samples or for others.

        With enough values to search for, in this pass and those before, units are put in groups.
        """
        self._n_values += n_values
        is_grouped = n_values > 0 and self._n_values >= GROUPED
        key = has_missing, is_grouped
        if key not in self._packed:
            self._packed[key] = packed(
                self.codebook, self.metric, _engine().PANEL,
                has_missing=has_missing, is_training=True, is_grouped=is_grouped,
                n_threads=self.n_threads,
            )  # fmt: skip
        return self._packed[key]


def nearest_units(
    X: FloatArray, codebook: FloatArray, n_threads: int = 1, metric: str = "euclidean"
) -> tuple[IntArray, FloatArray]:
    """Return each sample's nearest unit and its distance, both (n_samples,), as float64 says it."""
    engine, X = _engine(), read_only(X)
    if len(X) <= FEW:
        return _nearest_of_few(X, codebook, metric)
    panels = packed(
        codebook, metric, engine.PANEL, has_missing=has_missing(X), n_threads=n_threads,
        is_grouped=X.size >= GROUPED,
    )  # fmt: skip
    units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))

    def work(rows: slice) -> None:
        engine.find_nearest(X[rows], panels, units[rows], distances[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return units, np.sqrt(distances, out=distances) if metric == "euclidean" else distances


def _nearest_of_few(
    X: FloatArray, codebook: FloatArray, metric: str
) -> tuple[IntArray, FloatArray]:
    """Return what :func:`nearest_units` does, without panels, which take longer than the search."""
    found = np.empty((len(X), len(codebook)))
    features = np.ascontiguousarray(codebook.T)
    _engine().distances_to_units(X, features, METRICS.index(metric), found)
    units = found.argmin(axis=1)
    distances = found[np.arange(len(X)), units]
    return units, np.sqrt(distances, out=distances) if metric == "euclidean" else distances


def two_nearest_units(
    X: FloatArray, codebook: FloatArray, n_threads: int = 1, metric: str = "euclidean"
) -> tuple[IntArray, IntArray]:
    """Return each sample's nearest and second nearest unit; the codebook has two units or more."""
    engine, X = _engine(), read_only(X)
    features = np.ascontiguousarray(codebook.T)
    units = np.empty((len(X), 2), dtype=np.int64)

    def work(rows: slice) -> None:
        engine.nearest_two(X[rows], features, METRICS.index(metric), units[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return units[:, 0], units[:, 1]


def two_nearest_soon(
    X: FloatArray, units: Prepared, *, is_missing: bool = False
) -> tuple[IntArray, IntArray]:
    """Return what :func:`two_nearest_units` returns, by a search in float32, some times faster.

    Two units that are equally far but for rounding may change places.
    """
    engine, X = _engine(), read_only(X)
    panels = units.panels(has_missing=is_missing).whole
    found = np.empty((len(X), 2), dtype=np.int64)

    def work(rows: slice) -> None:
        engine.find_two(X[rows], panels, found[rows])

    for _ in map_chunks(work, len(X), units.n_threads):
        pass
    is_far = found[:, 0] < 0
    if is_far.any():
        pair = two_nearest_units(X[is_far], units.codebook, units.n_threads, units.metric)
        found[is_far] = np.column_stack(pair)
    return found[:, 0], found[:, 1]


def unit_distances(
    X: FloatArray, codebook: FloatArray, n_threads: int = 1, metric: str = "euclidean"
) -> FloatArray:
    """Return the distance of every sample to every unit, (n_samples, n_units)."""
    engine, X = _engine(), read_only(X)
    features = np.ascontiguousarray(codebook.T)
    distances = np.empty((len(X), len(codebook)))

    def work(rows: slice) -> None:
        engine.distances_to_units(X[rows], features, METRICS.index(metric), distances[rows])

    for _ in map_chunks(work, len(X), n_threads):
        pass
    return np.sqrt(distances, out=distances) if metric == "euclidean" else distances


def sums_by_unit(
    X: FloatArray,
    weights: FloatArray,
    units: Prepared,
    *,
    is_missing: bool = False,
    counts_alone: bool = False,
) -> UnitSums:
    """Return the weighted samples and weights added up by nearest unit, in one pass.

    ``is_missing`` says whether ``X`` may hold NaN. Units are searched in float32.
    ``counts_alone`` leaves sums without rows, and distances out.
    """
    engine, X = _engine(), read_only(X)
    n_units, n_features = units.codebook.shape
    panels, n_threads = units.panels(has_missing=is_missing, n_values=X.size), units.n_threads
    n_totals = n_features if is_missing else 1

    def work(rows: slice) -> UnitSums:
        counts, n_summed = np.zeros(n_units), 0 if counts_alone else n_units
        sums = np.zeros((n_summed, n_features + n_totals))
        distance = engine.add_nearest(X[rows], weights[rows], panels, sums, counts)
        return UnitSums(sums, counts, distance, n_totals)

    max_parts = _max_parts(8 * n_units * (n_features + n_totals))
    parts = map_in_order(work, chunk_slices(len(X), max_parts, max(MIN_ROWS, n_units)), n_threads)
    sums, counts, distance, _ = next(parts)
    for part in parts:
        _add(sums, part.sums, n_threads)
        counts += part.counts
        distance += part.distance
    return UnitSums(sums, counts, distance, n_totals)


def _add(sums: FloatArray, more: FloatArray, n_threads: int) -> None:
    """Add ``more`` to ``sums``, units side by side on the threads."""

    def add(units: slice) -> None:
        sums[units] += more[units]

    for _ in map_in_order(add, chunk_slices(len(sums), n_threads, ADDED), n_threads):
        pass


def mixed(strengths: FloatArray, values: FloatArray, n_threads: int = 1) -> FloatArray:
    """Return ``strengths @ values``, each sum in the order of its terms on every processor.

    ``values`` may have more dimensions; the first one is summed over.
    """
    engine = _engine()
    flat = np.ascontiguousarray(values).reshape(len(values), -1)
    out = np.empty((len(strengths), flat.shape[1]))

    def work(rows: slice) -> None:
        engine.mix(strengths[rows], flat, out[rows])

    for _ in map_in_order(work, chunk_slices(len(strengths), n_threads, 1), n_threads):
        pass
    return out.reshape(len(strengths), *values.shape[1:])


def present(
    X: FloatArray,
    order: IntArray,
    rates: FloatArray,
    radii: FloatArray,
    codebook: FloatArray,
    grid: Grid,
    neighborhood: str = "gaussian",
    metric: str = "euclidean",
    *,
    is_missing: bool = False,
    step: int = 1,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Present samples one by one; return the codebook then, and how well they were met.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The samples.
    order, rates, radii : ndarray of shape (n_updates,)
        Which sample comes when, how far its nearest unit moves, and the neighborhood's radius.
    codebook : ndarray of shape (n_units, n_features)
        The units before.
    grid, neighborhood, metric
        The map.
    is_missing : bool
        Whether ``X`` may hold NaN.
    step : int
        Every so many updates the second nearest unit is looked for.

    Returns
    -------
    codebook : ndarray of shape (n_units, n_features)
    distances : ndarray of shape (n_updates,)
        Distances to the nearest units, as the samples were presented.
    are_apart : ndarray of bool, shape (about n_updates / step,)
        Whether the second nearest unit was no neighbour of the nearest.
    """
    engine, kind = _engine(), NEIGHBORHOODS.index(neighborhood)
    X = read_only(X)
    told = np.empty(len(order)), np.empty(len(order), dtype=np.bool_)
    if metric != "euclidean" or neighborhood == "mexican_hat" or is_missing:
        features = codebook.T.copy(order="C")  # never the caller's own
        number, bounds = METRICS.index(metric), np.tile([[-np.inf], [np.inf]], X.shape[1])
        if neighborhood == "mexican_hat":  # what is pushed away must stay somewhere
            bounds[0] = np.fmin(np.fmin.reduce(X), codebook.min(axis=0))
            bounds[1] = np.fmax(np.fmax.reduce(X), codebook.max(axis=0))
        engine.train_any(
            X, order, rates, radii, grid.lattice, kind, number, bounds, features, *told
        )
        return np.ascontiguousarray(features.T), told[0], told[1][::step]
    origin, scale, panels = _online_panels(X, codebook, engine.ONLINE_PANEL)
    engine.train_complete(
        X, order, rates, radii, grid.lattice, kind, origin, scale, panels, step, *told
    )
    units = panels.transpose(0, 2, 1).reshape(-1, X.shape[1])[: len(codebook)]
    return units.astype(np.float64) / scale + origin, told[0], told[1][::step]


def _online_panels(
    X: FloatArray, codebook: FloatArray, width: int
) -> tuple[FloatArray, float, NDArray[np.float32]]:
    """Return origin, scale and panels for training sample by sample, in float32."""
    origin = (codebook / len(codebook)).sum(axis=0)
    largest = max(float(np.abs(part - origin).max()) for part in _extremes(X, codebook))
    scale = 2.0 ** -np.clip(np.frexp(largest)[1], -1000, 1000)
    padded = np.full((-(-len(codebook) // width) * width, codebook.shape[1]), FAR, dtype=np.float32)
    padded[: len(codebook)] = (codebook - origin) * scale
    by_panel = padded.reshape(-1, width, codebook.shape[1]).transpose(0, 2, 1)
    panels = aligned(by_panel.shape)
    panels[...] = by_panel
    return origin, float(scale), panels


def _extremes(*arrays: FloatArray) -> list[FloatArray]:
    return [extreme for array in arrays for extreme in (array.min(axis=0), array.max(axis=0))]


def has_missing(X: FloatArray) -> bool:
    """Return whether a value is NaN."""
    return any(bool(np.isnan(X[rows]).any()) for rows in chunk_slices(len(X)))


class Deviations(NamedTuple):
    """What the mean of some rows is made of."""

    sums: FloatArray  # (n_features,), weighted deviations from an origin
    observed: FloatArray  # (n_features,), weights of the values that are there
    total: float  # weight of the rows

    def plus(self, other: "Deviations") -> "Deviations":
        """Return both together."""
        return Deviations(
            self.sums + other.sums, self.observed + other.observed, self.total + other.total
        )


def deviations(
    X: FloatArray, weights: FloatArray, origin: FloatArray, n_threads: int = 1
) -> Deviations:
    """Return the weighted deviations of rows from ``origin`` (n_features,), NaN left out."""
    sums, observed = np.zeros(len(origin)), np.zeros(len(origin))
    for more, seen in map_chunks(_deviations(X, weights, origin), len(X), n_threads):
        sums += more
        observed += seen
    return Deviations(sums, observed, float(weights.sum()))


def scatter(
    X: FloatArray, weights: FloatArray, center: FloatArray, n_threads: int = 1
) -> FloatArray:
    """Return the upper triangle of the weighted scatter about ``center``, where NaN lies too."""
    upper = np.zeros((len(center), len(center)))
    slices = chunk_slices(len(X), _max_parts(upper.nbytes))
    for part in map_in_order(_scatter(X, weights, center), slices, n_threads):
        upper += part
    return upper


def _deviations(
    X: FloatArray, weights: FloatArray, origin: FloatArray
) -> Callable[[slice], tuple[FloatArray, FloatArray]]:
    def add(rows: slice) -> tuple[FloatArray, FloatArray]:
        is_seen = ~np.isnan(X[rows])
        deviations = np.where(is_seen, X[rows] - origin, 0.0)
        column = weights[rows, np.newaxis]
        return (column * deviations).sum(axis=0), (column * is_seen).sum(axis=0)

    return add


def _scatter(
    X: FloatArray, weights: FloatArray, center: FloatArray
) -> Callable[[slice], FloatArray]:
    def multiply(rows: slice) -> FloatArray:
        upper = np.zeros((X.shape[1], X.shape[1]))
        block = X[rows]
        filled = np.where(np.isnan(block), center, block)
        add_scatter(filled, weights[rows], center, upper)
        return upper

    return multiply


def _max_parts(n_bytes: int) -> int:
    """Return how many parts of ``n_bytes`` may be held at once: 1 to 16."""
    return max(1, min(16, PARTS_BYTES // n_bytes))


@functools.cache
def _say_when_cold() -> None:
    """Say once that the first call on a machine takes some seconds."""
    if not any(cache_folder(os.environ.get("NUMBA_CACHE_DIR", "")).rglob("compiled.add_nearest*")):
        logger.warning("compiling the map's kernels, once on this machine: some seconds")


def _engine() -> ModuleType:
    """Return the compiled passes, or their twins where numba's compiler is switched off."""
    if is_compiled():
        _say_when_cold()
        from modemap.kernels.maps import compiled  # noqa: PLC0415  (half a second to import numba)

        return compiled
    from modemap.kernels.maps import portable  # noqa: PLC0415

    return portable
