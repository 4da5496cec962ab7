"""A codebook as the search reads it: float32, centred, scaled, in panels of neighbouring units."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray, read_only
from modemap.kernels.chunks import chunk_slices, map_in_order
from modemap.kernels.maps.groups import Groups, grouped, middles

__all__ = ["BY_PARTS", "METRICS", "PARTS", "ROUNDING", "Panels", "aligned", "packed"]

METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")
FORMULAS = {"euclidean": 1, "manhattan": 2, "chebyshev": 3, "cosine": 1}  # of the tile's scores
BY_PARTS = 4  # the product, where tiles may be left early
N_FORMULAS = 4  # the same again where values may be missing
GROUP_BYTES = 1 << 19  # panels that rows meet in one sweep: half of a second-level cache
PARTS = 8  # of the features, after each of which the search looks whether a tile can be left
MIN_FEATURES, MIN_PANELS = 64, 8  # with fewer, looking takes as long as it saves
MIN_GROUPS = 32  # with fewer, making groups takes as long as they save
LEAST_LENGTH = 0.5  # of the longest unit: below it all are the same, or next to nothing
PANELS_OF_ONE = 14  # panels that one coarse panel stands for
ROUNDING = 1.0 + 1e-4  # of lengths, upwards
CHUNK_BYTES = 1 << 17  # of panels that a thread packs at once, or more
LINE = 16  # float32 of a cache line
LARGEST_EXPONENT = 1000  # of a scale: its inverse is still a normal number


class Panels(NamedTuple):
    """What the search needs to know of a codebook."""

    codebook: FloatArray  # (n_units, n_features)
    features: FloatArray  # (n_features, n_units), the same transposed; empty for training
    panels: NDArray[np.float32]  # (n_panels, n_features, width), minus the centred units
    start: NDArray[np.float32]  # (n_panels * width,), scores before the first feature
    origin: FloatArray  # (n_features,), subtracted from samples: offsets cost float32 digits
    scale: float  # power of two, multiplied with samples: float32 has a short range
    formula: tuple[int, ...]  # as long as the number of the tile's formula
    metric: int  # number of the metric
    group: int  # panels in a sweep
    slack: float  # how far a score's rounding may be off, for each unit of length of a sample
    longest: float  # length of the longest centred unit
    coarse: NDArray[np.float32]  # (n_coarse, n_features, width), units from all over the map, or
    #                              the middles of groups
    coarse_start: NDArray[np.float32]  # (n_coarse * width,), their scores before the first feature
    rests: NDArray[np.float32]  # (PARTS, n_panels * width), lengths of units behind each part
    is_early: bool | None  # True where tiles may be left early; None, and no rests, elsewhere
    groups: Groups | None  # where units are in the order of groups; None where in their own

    @property
    def whole(self) -> "Panels":
        """The same, searched to the last feature: one kernel less to compile."""
        return self._replace(is_early=None, formula=(0,)) if self.is_early else self


def packed(
    codebook: FloatArray,
    metric: str,
    width: int,
    *,
    has_missing: bool,
    is_training: bool = False,
    is_grouped: bool = False,
    n_threads: int = 1,
) -> Panels:
    """Return the panels of a codebook, ``width`` units each, and in groups if that is asked for.

    Groups are made where they can help: for Euclidean distances of complete samples with few
    features to many units.

    Centring takes the mean of the units, near that of the samples, so every pass of an epoch
    searches the same panels, however the samples are cut.
    """
    n_units, n_features = codebook.shape
    origin = np.zeros(n_features) if metric == "cosine" else (codebook / n_units).sum(axis=0)
    scale, n_panels = _scale(codebook, origin), -(-n_units // width)
    is_plain = metric == "euclidean" and not has_missing
    is_early = is_plain and n_features >= MIN_FEATURES and n_panels >= MIN_PANELS
    is_grouped &= is_plain and n_features < MIN_FEATURES and n_panels >= MIN_GROUPS
    order = grouped((codebook - origin) * scale, width) if is_grouped else None
    units = codebook if order is None else codebook[order]
    panels = aligned((n_panels, n_features, width))
    squares = np.empty((n_panels, width), dtype=np.float32)
    rests = np.empty((PARTS if is_early else 0, n_panels, width), dtype=np.float32)

    def pack(some: slice) -> None:
        part = units[some.start * width : some.stop * width]
        panels[some] = _as_panels(part, origin, scale, width, is_unit_length=metric == "cosine")
        squares[some] = np.square(panels[some]).sum(axis=1)
        if is_early:
            rests[:, some] = _rests(panels[some])

    least = -(-CHUNK_BYTES // (4 * n_features * width))
    for _ in map_in_order(pack, chunk_slices(n_panels, min_rows=least), n_threads):
        pass
    start = np.float32(0.5) * squares.ravel() if is_plain else np.zeros(squares.size, np.float32)
    start[n_units:] = np.inf  # units that are none never win
    if metric == "cosine" and has_missing:
        start[:] = np.inf  # lengths over the observed features: every sample goes to float64
    chosen, groups = _evenly_apart(n_units, width * max(1, n_panels // PANELS_OF_ONE)), None
    coarse_start, longest = start[chosen], float(np.sqrt(squares.max()))
    if order is not None:
        chosen, coarse_start, groups = _groups(panels, start, order, longest)
    coarse = aligned((len(chosen) // width, n_features, width))
    coarse[...] = (
        panels[chosen // width, :, chosen % width].reshape(-1, width, n_features).transpose(0, 2, 1)
    )
    return Panels(
        codebook=read_only(codebook),
        features=np.empty((0, 0)) if is_training else np.ascontiguousarray(codebook.T),
        panels=panels,
        start=start,
        origin=origin,
        scale=scale,
        formula=(0,) * (BY_PARTS if is_early else FORMULAS[metric] + N_FORMULAS * has_missing),
        metric=METRICS.index(metric),
        group=max(1, GROUP_BYTES // (4 * n_features * width)),
        slack=4.0 * (n_features + 4) * 2.0**-24,
        longest=longest,
        coarse=coarse,
        coarse_start=coarse_start,
        rests=rests.reshape(len(rests), squares.size),
        is_early=is_early or None,
        groups=groups,
    )


def _groups(
    panels: NDArray[np.float32], start: NDArray[np.float32], order: IntArray, longest: float
) -> tuple[IntArray, NDArray[np.float32], Groups]:
    """Return the places of the groups' middles, their scores before the first feature, the rest."""
    n_panels, _, width = panels.shape
    n_coarse = -(-n_panels // width) * width
    places, radii = np.zeros(n_coarse, dtype=np.int64), np.zeros(n_coarse)
    places[:n_panels], radii[:n_panels] = middles(panels, len(order))
    radii *= ROUNDING
    if longest < LEAST_LENGTH:
        radii[:n_panels] = np.inf  # squares are too small for float32 to say how far off they are
    coarse_start = start[places]
    coarse_start[n_panels:] = np.inf
    units = np.zeros(start.size, dtype=np.int32)
    units[: len(order)] = order
    less = (coarse_start - 0.5 * radii**2).astype(np.float32)
    numbers = np.arange(n_coarse, dtype=np.int32)
    return places, coarse_start, Groups(units, numbers, radii.astype(np.float32), less)


def _scale(codebook: FloatArray, origin: FloatArray) -> float:
    """Return a power of two that brings the centred units to 1."""
    farthest = max(
        float(np.abs(extreme - origin).max())
        for extreme in (codebook.max(axis=0), codebook.min(axis=0))
    )
    _, exponent = math.frexp(farthest)
    return float(2.0 ** -max(-LARGEST_EXPONENT, min(exponent, LARGEST_EXPONENT)))


def _as_panels(
    units: FloatArray, origin: FloatArray, scale: float, width: int, *, is_unit_length: bool
) -> NDArray[np.float32]:
    """Return some units as panels, minus their centred values."""
    centred = (units - origin) * scale
    if is_unit_length:
        lengths = np.sqrt(_squares(centred.T))
        centred /= np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]
    n_features = units.shape[1]
    padded = np.zeros((-(-len(units) // width) * width, n_features), dtype=np.float32)
    np.negative(centred, out=padded[: len(units)], casting="same_kind")
    return padded.reshape(-1, width, n_features).transpose(0, 2, 1)


def _evenly_apart(n: int, n_chosen: int) -> IntArray:
    """Return ``n_chosen`` numbers below ``n``."""
    return (2 * np.arange(n_chosen) + 1) * n // (2 * n_chosen)


def _rests(panels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of each unit behind each part of the features, rounded up."""
    length = -(-panels.shape[1] // PARTS)
    rests = np.zeros((PARTS, panels.shape[0], panels.shape[2]), np.float32)
    for part in range(PARTS - 1, 0, -1):
        features = panels[:, part * length : (part + 1) * length]
        rests[part - 1] = rests[part] + np.square(features).sum(axis=1)
    return np.sqrt(rests) * np.float32(ROUNDING)


def _squares(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the squared lengths of units, added feature by feature on every processor."""
    total = np.zeros(features.shape[1:], dtype=features.dtype)
    for feature in features:
        total += feature * feature
    return total


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an array that begins a cache line: loads across two lines cost up to a sixth."""
    size = math.prod(shape)
    memory = np.empty(size + LINE, dtype=np.float32)
    first = -(memory.ctypes.data // 4) % LINE
    return memory[first : first + size].reshape(shape)
