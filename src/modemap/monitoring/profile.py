"""Two sides of a comparison: the reference, which can be kept, and rows as they were counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modemap.kernels.arrays import FloatArray
from modemap.monitoring.cells import Cells
from modemap.monitoring.correlation import Correlations, correlate
from modemap.monitoring.levels import Levels
from modemap.monitoring.models import Hits, ModelsSeen
from modemap.sketch import ColumnSketch

__all__ = ["MAX_SAMPLE", "ModelsKept", "Observed", "Reference"]

MAX_SAMPLE = 1 << 15  # rows behind correlations and models
MAX_KEPT = 1000  # levels of a category that are kept by name


@dataclass
class Observed:
    """A window of rows, counted.

    Attributes
    ----------
    n_rows : int
    numbers : dict of str to ColumnSketch
    levels : dict of str to Levels
    n_missing : dict of str to int
        Of all rows.
    broken : dict of str to str
        Why a column cannot be compared.
    extra : dict of str to str
        Why a column that is there was not counted.
    sampled : sequence of str
        The columns of ``sample``.
    sample : ndarray of shape (n_sample, n_columns)
        Some of the rows, NaN where missing.
    models : ModelsSeen or None
        What the reference's release says of the sample.
    """

    n_rows: int = 0
    numbers: dict[str, ColumnSketch] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)
    n_missing: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    sampled: Sequence[str] = ()
    sample: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    models: ModelsSeen | None = None


@dataclass(frozen=True)
class ModelsKept:
    """The answers of a release to rows that no model had seen."""

    hits: Hits
    distances: Cells
    log_likelihood: Cells

    @classmethod
    def of(cls, seen: ModelsSeen) -> "ModelsKept":
        """Return what to keep of the answers."""
        return cls(seen.hits, Cells.of(seen.distances), Cells.of(seen.log_likelihood))


@dataclass(frozen=True)
class Reference:
    """What a window is compared with.

    Attributes
    ----------
    n_rows : int
        All rows, those that were dropped for a missing value too.
    numbers : mapping of str to Cells or None
        None of a column without a value.
    levels : mapping of str to Levels
    n_missing : mapping of str to int
    correlations : Correlations
    models : ModelsKept or None
    """

    n_rows: int
    numbers: Mapping[str, Cells | None]
    levels: Mapping[str, Levels]
    n_missing: Mapping[str, int]
    correlations: Correlations
    models: ModelsKept | None = None

    @property
    def columns(self) -> list[str]:
        """All columns, numbers first."""
        return [*self.numbers, *self.levels]

    @classmethod
    def of(cls, seen: Observed) -> "Reference":
        """Return what to keep of rows."""
        numbers = {
            name: Cells.of(sketch) if sketch.n else None for name, sketch in seen.numbers.items()
        }
        known = {name: cells for name, cells in numbers.items() if cells is not None}
        places = [list(seen.sampled).index(name) for name in known]
        return cls(
            n_rows=seen.n_rows,
            numbers=numbers,
            levels={name: levels.commonest(MAX_KEPT) for name, levels in seen.levels.items()},
            n_missing=dict(seen.n_missing),
            correlations=correlate(seen.sample[:, places], list(known), list(known.values())),
            models=None if seen.models is None else ModelsKept.of(seen.models),
        )
