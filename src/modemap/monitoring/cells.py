"""A column of the reference in a few hundred cells, and any other column counted into them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.sketch import ColumnSketch

__all__ = ["MAX_CELLS", "Cells"]

MAX_CELLS = 512


@dataclass(frozen=True)
class Cells:
    """Rising cells with their counts; both ends are open.

    A cell is a value where a column has few, and holds about as many rows as any other where it
    has more. Cuts lie halfway between values of neighbouring cells, so a column of the same
    distribution falls into them alike.

    Examples
    --------
    >>> cells = Cells.of(ColumnSketch().update([1.0, 1.0, 3.0]))
    >>> cells.cuts.tolist(), cells.counts.tolist()
    ([2.0], [2, 1])
    """

    cuts: FloatArray  # (n_cells - 1,)
    counts: IntArray  # (n_cells,)
    means: FloatArray  # (n_cells,)
    low: float
    high: float

    @classmethod
    def of(cls, sketch: ColumnSketch) -> Self:
        """Return the cells of a sketch.

        Raises
        ------
        ValueError
            If the sketch has no rows.
        """
        values, counts = sketch.values_and_counts()
        if not len(values):
            raise ValueError("cells need at least one value, got none")
        starts = np.arange(len(values))
        if len(values) > MAX_CELLS:
            middles = np.cumsum(counts) - counts / 2
            cell = np.floor(MAX_CELLS * middles / counts.sum())
            starts = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
        totals, shares = np.add.reduceat(counts, starts), counts / counts.sum()
        sums = np.add.reduceat(values * shares, starts) / np.add.reduceat(shares, starts)
        below, above = values[starts[1:] - 1], values[starts[1:]]
        cuts = np.maximum(below / 2 + above / 2, np.nextafter(below, np.inf))
        means = values if len(starts) == len(values) else sums
        return cls(cuts, totals, means, sketch.min, sketch.max)

    @property
    def n(self) -> int:
        """Rows counted."""
        return int(self.counts.sum())

    @property
    def edges(self) -> FloatArray:
        """The cuts; where cells are values, also what parts their extremes from beyond."""
        if len(self.counts) == MAX_CELLS or self.means[0] != self.low:
            return self.cuts
        return np.concatenate(([self.low], self.cuts, [np.nextafter(self.high, np.inf)]))

    def beside(self, sketch: ColumnSketch) -> tuple[IntArray, IntArray]:
        """Return the counts of both, (n_edges + 1,), between :attr:`edges`."""
        edges = self.edges
        beyond = [0] if len(edges) > len(self.cuts) else []
        return np.concatenate((beyond, self.counts, beyond)).astype(np.int64), (
            sketch.histogram(edges)
        )

    def quantiles(self, q: ArrayLike) -> FloatArray:
        """Return the means of the cells in which shares ``q`` of the rows lie."""
        steps = np.cumsum(self.counts)
        ranks = np.clip(np.ceil(np.asarray(q) * steps[-1]), 1, steps[-1])
        return np.asarray(self.means[np.searchsorted(steps, ranks)])

    def sketch(self) -> ColumnSketch:
        """Return a sketch of the cells' means with their counts."""
        return ColumnSketch().update(self.means, self.counts)

    def moved(self, step: float) -> Self:
        """Return the cells of the same rows with ``step`` added to each value."""
        cuts, means = self.cuts + step, self.means + step
        return type(self)(cuts, self.counts, means, self.low + step, self.high + step)

    def ranks(self, values: FloatArray) -> FloatArray:
        """Return where values lie among the cells' rows, between -1 and 1; NaN stays NaN."""
        steps = np.cumsum(self.counts)
        middles = (2 * steps - self.counts) / steps[-1] - 1
        found = middles[np.searchsorted(self.cuts, values, side="right")]
        return np.where(np.isnan(values), np.nan, found)
