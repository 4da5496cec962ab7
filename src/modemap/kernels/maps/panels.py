"""A codebook as the search reads it: float32, centred, scaled, in panels of neighbouring units."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.kernels.arrays import FloatArray, IntArray, read_only

__all__ = ["BY_PARTS", "METRICS", "PARTS", "ROUNDING", "Panels", "aligned", "packed"]

METRICS = ("euclidean", "manhattan", "chebyshev", "cosine")
FORMULAS = {"euclidean": 1, "manhattan": 2, "chebyshev": 3, "cosine": 1}  # of the tile's scores
BY_PARTS = 4  # the product, where tiles may be left early
N_FORMULAS = 4  # the same again where values may be missing
GROUP_BYTES = 1 << 19  # panels that rows meet in one sweep: half of a second-level cache
PARTS = 8  # of the features, after each of which the search looks whether a tile can be left
MIN_FEATURES, MIN_PANELS = 64, 8  # with fewer, looking takes as long as it saves
PANELS_OF_ONE = 14  # panels that one coarse panel stands for
ROUNDING = 1.0 + 1e-4  # of lengths, upwards
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
    coarse: NDArray[np.float32]  # (n_coarse, n_features, width), units from all over the map
    coarse_start: NDArray[np.float32]  # (n_coarse * width,), their scores before the first feature
    rests: NDArray[np.float32]  # (PARTS, n_panels * width), lengths of units behind each part
    n_parts: int  # PARTS, or 1 where no tile is left early; then the three are empty


def packed(
    codebook: FloatArray, metric: str, width: int, *, has_missing: bool, is_training: bool = False
) -> Panels:
    """Return the panels of a codebook, ``width`` units each.

    Centring takes the mean of the units, near that of the samples, so every pass of an epoch
    searches the same panels, however the samples are cut.
    """
    n_units, n_features = codebook.shape
    origin = np.zeros(n_features) if metric == "cosine" else (codebook / n_units).sum(axis=0)
    centred = codebook - origin
    _, exponent = math.frexp(float(np.abs(centred).max()))
    scale = 2.0 ** -max(-LARGEST_EXPONENT, min(exponent, LARGEST_EXPONENT))
    centred *= scale
    if metric == "cosine":
        lengths = np.sqrt(_squares(centred.T))
        centred /= np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]
    n_panels = -(-n_units // width)
    padded = np.zeros((n_panels * width, n_features), dtype=np.float32)
    np.negative(centred, out=padded[:n_units], casting="same_kind")
    panels = aligned((n_panels, n_features, width))
    panels[...] = padded.reshape(n_panels, width, n_features).transpose(0, 2, 1)
    squares = _squares(panels.transpose(1, 0, 2)).ravel()
    is_plain = metric == "euclidean" and not has_missing
    start = np.float32(0.5) * squares if is_plain else np.zeros_like(squares)
    start[n_units:] = np.inf  # units that are none never win
    if metric == "cosine" and has_missing:
        start[:] = np.inf  # lengths over the observed features: every sample goes to float64
    n_parts = PARTS if is_plain and n_features >= MIN_FEATURES and n_panels >= MIN_PANELS else 1
    chosen = _evenly_apart(n_units, width * max(1, n_panels // PANELS_OF_ONE))
    coarse = aligned((len(chosen) // width, n_features, width))
    coarse[...] = padded[chosen].reshape(-1, width, n_features).transpose(0, 2, 1)
    return Panels(
        codebook=read_only(codebook),
        features=np.empty((0, 0)) if is_training else np.ascontiguousarray(codebook.T),
        panels=panels,
        start=start,
        origin=origin,
        scale=scale,
        formula=(0,) * (BY_PARTS if n_parts > 1 else FORMULAS[metric] + N_FORMULAS * has_missing),
        metric=METRICS.index(metric),
        group=max(1, GROUP_BYTES // (4 * n_features * width)),
        slack=4.0 * (n_features + 4) * 2.0**-24,
        longest=float(np.sqrt(squares.max())),
        coarse=coarse,
        coarse_start=start[chosen],
        rests=_rests(panels) if n_parts > 1 else np.empty((0, 0), np.float32),
        n_parts=n_parts,
    )


def _evenly_apart(n: int, n_chosen: int) -> IntArray:
    """Return ``n_chosen`` numbers below ``n``."""
    return (2 * np.arange(n_chosen) + 1) * n // (2 * n_chosen)


def _rests(panels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of each unit behind each part of the features, rounded up."""
    n_features = panels.shape[1]
    length = -(-n_features // PARTS)
    rests = np.zeros((PARTS, panels.shape[0] * panels.shape[2]), np.float32)
    for part in range(PARTS - 1, 0, -1):
        features = panels[:, part * length : (part + 1) * length]
        squares = np.einsum("pfw,pfw->pw", features, features).ravel()
        rests[part - 1] = rests[part] + squares
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
