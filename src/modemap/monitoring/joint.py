"""The detectors that look at several columns together: correlations, the map, the mixture."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from modemap.monitoring.cells import Cells
from modemap.monitoring.columns import MIN_ROWS, compare_values
from modemap.monitoring.correlation import Change, correlate, largest_change
from modemap.monitoring.models import Region, compare_hits
from modemap.monitoring.profile import ModelsKept, Observed, Reference
from modemap.monitoring.stability import is_drift
from modemap.sketch import ColumnSketch

__all__ = ["JointResult", "compare_jointly"]

MODEL_TESTS = {
    "map_hits": "rows of the map's units",
    "map_distance": "distance to the map",
    "log_likelihood": "log-likelihood of the mixture",
}


@dataclass(frozen=True)
class JointResult:
    """The answer of a detector that looks at several columns together."""

    name: str  # correlation, map_hits, map_distance or log_likelihood
    drift: bool | None
    effect: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    n: int = 0
    n_reference: int = 0
    said: list[str] = field(default_factory=list)
    change: Change | None = None
    regions: list[Region] = field(default_factory=list)
    why: str = ""

    @property
    def by_chance(self) -> float | None:
        """The effect that chance explains up to, going the same way."""
        return self.change.by_chance if self.change else self.threshold


def compare_jointly(
    reference: Reference, seen: Observed, names: Sequence[str], rate: float, min_effect: float
) -> list[JointResult]:
    """Return what each detector finds, all of them together at ``rate``.

    Correlations are those of the numbers among ``names`` that both sides have.
    """
    known = [
        name
        for name in names
        if reference.numbers.get(name) and name in seen.numbers and name not in seen.broken
    ]
    is_pair = len(known) > 1
    level = rate / max(is_pair + len(MODEL_TESTS) * (reference.models is not None), 1)
    results = [_correlation(reference, seen, known, level, min_effect)] if is_pair else []
    return results + _models(reference.models, seen, level, min_effect)


def _correlation(
    reference: Reference, seen: Observed, names: Sequence[str], level: float, min_effect: float
) -> JointResult:
    cells = [found for name in names if (found := reference.numbers[name])]
    places = [list(seen.sampled).index(name) for name in names]
    current = correlate(seen.sample[:, places], names, cells)
    change = largest_change(reference.correlations.only(names), current, level, min_effect)
    if change is None or min(change.n, change.n_reference) < MIN_ROWS:
        few = 0 if change is None else min(change.n, change.n_reference)
        why = f"{few} rows with both values, at least {MIN_ROWS} are needed"
        return JointResult("correlation", None, why=why)
    is_significant = abs(change.after - change.before) >= change.threshold
    drift = is_significant and change.effect >= min_effect
    said = (
        f"the rank correlation of {' and '.join(change.columns)} "
        f"went from {change.before:.2f} to {change.after:.2f}"
    )
    return JointResult(
        "correlation",
        drift,
        change.effect,
        change.threshold,
        change.p_value,
        change.n,
        change.n_reference,
        said=[said] if drift else [],
        change=change,
    )


def _models(
    kept: ModelsKept | None, seen: Observed, level: float, min_effect: float
) -> list[JointResult]:
    if kept is None:
        return []
    few = min(kept.hits.n, seen.models.hits.n if seen.models else 0)
    if seen.models is None or few < MIN_ROWS:
        why = f"{few} whole rows for the models, at least {MIN_ROWS} are needed"
        return [JointResult(name, None, why=why) for name in MODEL_TESTS]
    hits, regions = compare_hits(kept.hits, seen.models.hits)
    sides = (
        (kept.distances, seen.models.distances),
        (kept.log_likelihood, seen.models.log_likelihood),
    )
    found = [hits, *(compare_values(cells, sketch)[0] for cells, sketch in sides)]
    said = [_region(regions[0]), *(_median(*side) for side in sides)]
    return [
        JointResult(
            name,
            drift := is_drift(stability, level, min_effect),
            stability.psi,
            stability.threshold(level) if stability.n_bins > 1 else None,
            stability.p_value,
            stability.n,
            stability.n_reference,
            said=[f"{MODEL_TESTS[name]}: {sentence}"] if drift else [],
            regions=regions if name == "map_hits" else [],
        )
        for name, stability, sentence in zip(MODEL_TESTS, found, said, strict=True)
    ]


def _median(cells: Cells, sketch: ColumnSketch) -> str:
    before, after = (side.quantiles([0.5])[0] for side in (cells, sketch))
    return f"the median went from {before:.4g} to {after:.4g}"


def _region(region: Region) -> str:
    rows, columns = (f"{first} to {last}" for first, last in (region.rows, region.columns))
    segments = " and ".join(map(str, region.segments))
    return (
        f"units in rows {rows} and columns {columns} of the map, segment {segments}, "
        f"went from {region.before:.1%} to {region.after:.1%} of the rows"
    )
