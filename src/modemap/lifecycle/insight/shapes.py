"""The shape of each column: a histogram of its values beside what its modes expect."""

from collections.abc import Sequence

import numpy as np

from modemap.estimators.normalizer import ModeNormalizer
from modemap.reporting.bins import bin_edges
from modemap.reporting.story import Histogram, Mode
from modemap.sketch import ColumnSketch

__all__ = ["histograms", "modes_of"]


def histograms(
    sketches: Sequence[ColumnSketch], columns: Sequence[str], normalizer: ModeNormalizer
) -> list[Histogram]:
    """Return the histogram of each column with its modes, over all rows that its sketch counted."""
    edges = [bin_edges(s, d) for s, d in zip(sketches, normalizer.decimals_, strict=True)]
    longest = max(map(len, edges))
    padded = np.column_stack([np.pad(e, (0, longest - len(e)), mode="edge") for e in edges])
    shares = normalizer.cdf_columns(padded)
    drawn = []
    for j, (name, modes) in enumerate(zip(columns, modes_of(normalizer), strict=True)):
        sketch, own = sketches[j], edges[j]
        below, *counts, above = sketch.histogram(own).tolist()
        drawn.append(
            Histogram(
                column=name,
                edges=own,
                counts=np.array(counts),
                expected=sketch.n * np.diff(shares[: len(own), j]),
                modes=modes,
                below=below,
                above=above,
                low=sketch.min,
                high=sketch.max,
            )
        )
    return drawn


def modes_of(normalizer: ModeNormalizer) -> list[list[Mode]]:
    """Return the modes of each column, in the order of their means."""
    return [
        sorted(
            (Mode(mode["weight"], mode["mean"], mode["std"]) for mode in modes),
            key=lambda mode: mode.mean,
        )
        for modes in normalizer.modes()
    ]
