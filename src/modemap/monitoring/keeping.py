"""A reference as a file of a release: plain arrays, nothing pickled."""

from pathlib import Path
from typing import Any

import numpy as np

from modemap.estimators.saving import require
from modemap.estimators.state import Arrays, load_state, reading, save_state
from modemap.monitoring.cells import Cells
from modemap.monitoring.correlation import Correlations
from modemap.monitoring.levels import Levels
from modemap.monitoring.models import Hits
from modemap.monitoring.profile import ModelsKept, Reference

__all__ = ["load_reference", "save_reference"]

KIND = "reference"
OF_CELLS = ("cuts", "counts", "means", "ends")
OF_PAIRS = ("values", "pairs", "kurtosis", "bound")


def save_reference(path: Path, reference: Reference) -> None:
    """Write ``reference`` to ``path``: equal ones, equal bytes."""
    arrays: Arrays = {}
    for j, cells in enumerate(reference.numbers.values()):
        arrays |= {} if cells is None else _cells_arrays(f"column_{j}", cells)
    correlations = reference.correlations
    arrays |= {f"correlation_{name}": getattr(correlations, name) for name in OF_PAIRS}
    if reference.models is not None:
        arrays |= {"hits": reference.models.hits.counts, "units": reference.models.hits.segments}
        arrays |= _cells_arrays("distance", reference.models.distances)
        arrays |= _cells_arrays("likelihood", reference.models.log_likelihood)
    params = {
        "n_rows": reference.n_rows,
        "numbers": list(reference.numbers),
        "levels": {name: vars(levels) for name, levels in reference.levels.items()},
        "n_missing": dict(reference.n_missing),
        "correlated": list(correlations.columns),
    }
    save_state(path, KIND, params, arrays)


def load_reference(path: Path) -> Reference:
    """Return the reference in ``path``.

    Raises
    ------
    ReleaseError
        If the file is missing or is not such a reference, whole and consistent.
    """
    params, arrays = load_state(path, KIND)
    with reading(path, KIND):
        require(isinstance(params["n_rows"], int) and params["n_rows"] >= 0, "n_rows")
        numbers = {
            str(name): _cells(f"column_{j}", arrays) if f"column_{j}_counts" in arrays else None
            for j, name in enumerate(params["numbers"])
        }
        levels = {str(name): Levels(**found) for name, found in dict(params["levels"]).items()}
        return Reference(
            n_rows=params["n_rows"],
            numbers=numbers,
            levels=levels,
            n_missing={str(name): int(n) for name, n in dict(params["n_missing"]).items()},
            correlations=_correlations([str(n) for n in params["correlated"]], arrays),
            models=_models(arrays) if "hits" in arrays else None,
        )


def _cells_arrays(name: str, cells: Cells) -> Arrays:
    found = (cells.cuts, cells.counts, cells.means, np.array([cells.low, cells.high]))
    return {f"{name}_{part}": array for part, array in zip(OF_CELLS, found, strict=True)}


def _cells(name: str, arrays: Arrays) -> Cells:
    cuts, counts, means, ends = (arrays[f"{name}_{part}"] for part in OF_CELLS)
    shapes = (cuts.shape, counts.shape, means.shape, ends.shape)
    n_cells = len(counts)
    require(n_cells > 0 and shapes == ((n_cells - 1,), (n_cells,), (n_cells,), (2,)), name)
    require(bool((counts > 0).all() and (np.diff(cuts) > 0).all()), name)
    return Cells(cuts, counts, means, float(ends[0]), float(ends[1]))


def _correlations(columns: list[str], arrays: Arrays) -> Correlations:
    found: list[Any] = [arrays[f"correlation_{name}"] for name in OF_PAIRS]
    n = len(columns)
    require([part.shape for part in found] == [(n, n), (n, n), (n,), (n,)], "correlation")
    return Correlations(columns, *found)


def _models(arrays: Arrays) -> ModelsKept:
    hits = Hits(arrays["hits"], arrays["units"])
    require(hits.counts.ndim == 2 and hits.counts.shape == hits.segments.shape, "hits")  # noqa: PLR2004
    return ModelsKept(hits, _cells("distance", arrays), _cells("likelihood", arrays))
