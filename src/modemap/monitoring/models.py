"""What the models of a release say of rows: which units they hit, how far off, how likely."""

from dataclasses import dataclass

import numpy as np

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.monitoring.stability import LEAST_EXPECTED, Stability, compare
from modemap.release import Release
from modemap.sketch import ColumnSketch

__all__ = ["Hits", "ModelsSeen", "Region", "compare_hits", "see"]

MAX_BLOCKS = 64


@dataclass(frozen=True)
class Hits:
    """Rows of each unit of a map."""

    counts: IntArray  # (n_rows, n_columns) of units
    segments: IntArray  # of the same shape

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class ModelsSeen:
    """The answers of a release to a sample of rows."""

    hits: Hits
    distances: ColumnSketch  # to the nearest unit, in robust units
    log_likelihood: ColumnSketch  # as a density of raw units


@dataclass(frozen=True)
class Region:
    """A block of neighbouring units, and its share of the rows before and after."""

    rows: tuple[int, int]  # first and last
    columns: tuple[int, int]
    segments: list[int]
    before: float
    after: float


def see(release: Release, X: FloatArray) -> ModelsSeen:
    """Return the answers to filled rows, (n_rows, n_columns) in raw units."""
    rows = release.preparation.transform(X)
    units = release.som.predict(rows)
    shape = (release.som.n_rows_, release.som.n_columns_)
    counts = np.bincount(units, minlength=len(release.segments)).reshape(shape)
    distances = np.linalg.norm(rows - release.som.codebook_[units], axis=1)
    return ModelsSeen(
        Hits(counts.astype(np.int64), release.segments.reshape(shape)),
        ColumnSketch().update(distances),
        ColumnSketch().update(release.log_likelihood(rows)),
    )


def compare_hits(reference: Hits, current: Hits) -> tuple[Stability, list[Region]]:
    """Compare the shares of blocks of units; return also all of them, the most changed first.

    Blocks are as small as the smaller sample lets them be; rare ones count as one.
    """
    n_units = reference.counts.size
    smaller = min(reference.n, current.n)
    n_blocks = int(np.clip(smaller // (2 * LEAST_EXPECTED), 2, MAX_BLOCKS))
    side = int(np.ceil(np.sqrt(n_units / n_blocks)))
    before, after = _blocks(reference.counts, side), _blocks(current.counts, side)
    share = smaller / (reference.n + current.n)
    is_rare = (before + after) * share < LEAST_EXPECTED
    counts = []
    for blocks in (before, after):
        rare = int(blocks[is_rare].sum())
        counts.append(np.append(blocks[~is_rare], rare))
    if counts[0][-1] + counts[1][-1] == 0:
        counts = [blocks[:-1] for blocks in counts]
    elif (counts[0][-1] + counts[1][-1]) * share < LEAST_EXPECTED and len(counts[0]) > 1:
        counts = [np.append(blocks[:-2], blocks[-2:].sum()) for blocks in counts]
    return compare(counts[0], counts[1]), _regions(reference, before, after, side)


def _blocks(counts: IntArray, side: int) -> IntArray:
    rows = np.add.reduceat(counts, np.arange(0, counts.shape[0], side), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, counts.shape[1], side), axis=1))


def _regions(reference: Hits, before: IntArray, after: IntArray, side: int) -> list[Region]:
    p, q = before / before.sum(), after / after.sum()
    n_rows, n_columns = reference.counts.shape
    found = []
    for place in np.argsort(-np.abs(q - p), axis=None, kind="stable"):
        i, j = (int(number) for number in np.unravel_index(int(place), p.shape))
        rows = (i * side, min((i + 1) * side, n_rows) - 1)
        columns = (j * side, min((j + 1) * side, n_columns) - 1)
        inside = reference.segments[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
        segments = sorted({int(number) for number in inside.ravel()})
        found.append(Region(rows, columns, segments, float(p[i, j]), float(q[i, j])))
    return found
