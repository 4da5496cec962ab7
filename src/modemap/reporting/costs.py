"""What trainings cost, measure by measure: the newest beside those before it."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modemap.reporting.charts import trend
from modemap.reporting.story import Cost

__all__ = ["Trend", "trends"]

MEASURES = {
    "fit_seconds": "time of the fit, in s",
    "fit_cpu_seconds": "processor time of the fit, in s",
    "peak_memory_mib": "most memory at once, in MiB",
    "read_mib": "read, in MiB",
    "written_mib": "written, in MiB",
    "latency_ms_per_1000_rows": "answer to a thousand rows, in ms",
}


@dataclass(frozen=True)
class Trend:
    """One measure of a stage, training by training."""

    measure: str
    name: str
    path: str
    newest: float
    before: float | None  # median of the trainings before


def trends(costs: Sequence[Cost]) -> list[tuple[str, int, list[Trend]]]:
    """Return each stage, its number of trainings and their trends."""
    stages = dict.fromkeys(cost.stage for cost in costs)
    by_stage = [(stage, [cost for cost in costs if cost.stage == stage]) for stage in stages]
    return [(stage, len(some), list(_trends(some))) for stage, some in sorted(by_stage)]


def _trends(costs: Sequence[Cost]) -> Iterator[Trend]:
    for measure, name in MEASURES.items():
        values = [cost.usage[measure] for cost in costs if measure in cost.usage]
        if values and measure in costs[-1].usage:
            before = statistics.median(values[:-1]) if len(values) > 1 else None
            yield Trend(measure, name, trend(values), values[-1], before)
