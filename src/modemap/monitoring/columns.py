"""One column beside its reference: values or levels, and missing values."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modemap.monitoring.cells import Cells
from modemap.monitoring.levels import Levels, compare_levels, unseen
from modemap.monitoring.missing import compare_missing
from modemap.monitoring.modes import mode_changes
from modemap.monitoring.profile import Observed, Reference
from modemap.monitoring.stability import Stability, binned, compare, gathered
from modemap.monitoring.transport import wasserstein
from modemap.sketch import ColumnSketch

__all__ = ["MIN_ROWS", "Bins", "ColumnFound", "compare_column", "compare_values"]

MIN_ROWS = 50  # of either side; fewer are a window too small
QUARTILES = (0.25, 0.5, 0.75)
STEPS = tuple(i / 20 for i in range(1, 20))  # shares at which a common step is looked for
ALIKE, LEFT = 0.05, 0.1  # most of the index after that step, and as a share of what it was
N_NAMED = 5  # levels that are told


@dataclass(frozen=True)
class Bins:
    """Shares of the rows between edges; the first and the last bin are open."""

    edges: list[float]
    before: list[float]
    after: list[float]


@dataclass(frozen=True)
class ColumnFound:
    """What was found of a column, before anyone asks whether it is drift.

    ``why`` says why the values cannot be compared, where they cannot.
    """

    name: str
    kind: str  # number or category
    n: int = 0
    n_reference: int = 0
    values: Stability | None = None
    missing: Stability | None = None
    missing_shares: tuple[float, float] = (0.0, 0.0)
    wasserstein: float | None = None
    quartiles: tuple[list[float], list[float]] | None = None
    bins: Bins | None = None
    unseen: dict[str, int] = field(default_factory=dict)
    why: str = ""


def compare_column(name: str, reference: Reference, seen: Observed) -> ColumnFound:
    """Compare column ``name`` of both sides."""
    kind = "number" if name in reference.numbers else "category"
    if name in seen.broken:
        return ColumnFound(name, kind, why=seen.broken[name])
    absent = (reference.n_missing.get(name, 0), seen.n_missing.get(name, 0))
    missing: dict[str, Any] = {}
    if min(reference.n_rows, seen.n_rows) >= MIN_ROWS:
        missing["missing"] = compare_missing(absent[0], reference.n_rows, absent[1], seen.n_rows)
        missing["missing_shares"] = (absent[0] / reference.n_rows, absent[1] / seen.n_rows)
    if kind == "number":
        return _numbers(name, reference.numbers[name], seen.numbers[name], missing)
    return _categories(name, reference.levels[name], seen.levels[name], missing)


def compare_values(cells: Cells, sketch: ColumnSketch) -> tuple[Stability, Bins]:
    """Compare a column's values with the reference's cells in open-ended bins."""
    before, after = cells.beside(sketch)
    bins = binned(before)
    _, bins = np.unique(bins, return_inverse=True)
    sums = [np.bincount(bins, weights=counts).astype(np.int64) for counts in (before, after)]
    groups = gathered(*sums)[bins]
    first, second = (
        np.bincount(groups, weights=counts).astype(np.int64) for counts in (before, after)
    )
    found = compare(first, second)
    edges = cells.edges[np.flatnonzero(np.diff(groups))]
    shares = [(counts / counts.sum()).tolist() for counts in (first, second)]
    return found, Bins(edges.tolist(), *shares)


def _numbers(
    name: str, cells: Cells | None, sketch: ColumnSketch, missing: dict[str, Any]
) -> ColumnFound:
    n_reference, n = cells.n if cells else 0, sketch.n
    if cells is None or min(n_reference, n) < MIN_ROWS:
        return _too_few(name, "number", n_reference, n, missing)
    found, bins = compare_values(cells, sketch)
    current = Cells.of(sketch)
    return ColumnFound(
        name,
        "number",
        n,
        n_reference,
        values=found,
        wasserstein=wasserstein(cells, current),
        quartiles=(cells.quantiles(QUARTILES).tolist(), current.quantiles(QUARTILES).tolist()),
        bins=bins,
        **missing,
    )


def _categories(
    name: str, reference: Levels, current: Levels, missing: dict[str, Any]
) -> ColumnFound:
    if min(reference.n, current.n) < MIN_ROWS:
        return _too_few(name, "category", reference.n, current.n, missing)
    new = unseen(reference, current)
    return ColumnFound(
        name,
        "category",
        current.n,
        reference.n,
        values=compare_levels(reference, current),
        unseen=dict(list(new.items())[:N_NAMED]),
        **missing,
    )


def _too_few(
    name: str, kind: str, n_reference: int, n: int, missing: dict[str, Any]
) -> ColumnFound:
    side, few = ("the reference", n_reference) if n_reference < n else ("the window", n)
    why = f"{few} values in {side}, at least {MIN_ROWS} are needed"
    return ColumnFound(name, kind, n, n_reference, why=why, **missing)


def explain(found: ColumnFound, reference: Reference, seen: Observed) -> list[str]:
    """Return in sentences what became of a column."""
    said = []
    if found.quartiles is not None:
        (_, before, _), (_, after, _) = found.quartiles
        said.append(f"the median went from {before:.4g} to {after:.4g}")
        cells, sketch = reference.numbers[found.name], seen.numbers[found.name]
        if cells is not None:
            said += _moved_together(found, cells, sketch) or [
                change.sentence for change in mode_changes(cells, Cells.of(sketch))
            ]
    said += [
        f"level {level!r} was never seen before and has {count / max(found.n, 1):.1%} of the rows"
        for level, count in found.unseen.items()
    ]
    if found.kind == "category" and found.values is not None:
        said += _shares(reference.levels[found.name], seen.levels[found.name])
    return said


def _moved_together(found: ColumnFound, cells: Cells, sketch: ColumnSketch) -> list[str]:
    """Return the sentence on a step that all values took, if no more than that has changed."""
    steps = Cells.of(sketch).quantiles(STEPS) - cells.quantiles(STEPS)
    step = float(np.median(steps))
    left = compare_values(cells.moved(step), sketch)[0].psi
    before = found.values.psi if found.values is not None else 0.0
    if step == 0 or left > min(ALIKE, LEFT * before):
        return []
    return [f"all values moved by {step:+.4g}; beside that, they are as they were"]


def _shares(reference: Levels, current: Levels) -> list[str]:
    moved = [
        (name, count / reference.n, current.counts.get(name, 0) / current.n)
        for name, count in reference.counts.items()
    ]
    moved.sort(key=lambda level: (-abs(level[2] - level[1]), level[0]))
    return [
        f"level {name!r} went from {before:.1%} to {after:.1%} of the rows"
        for name, before, after in moved[:N_NAMED]
        if before != after
    ]
