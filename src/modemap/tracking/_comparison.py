"""Which runs may be compared, and in words how good one is among them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modemap.files import canonical_json
from modemap.tracking.store import Store

__all__ = ["COMPARABLE", "Best", "best_run", "comparable_key", "note"]

COMPARABLE = "modemap.comparable"


@dataclass(frozen=True)
class _Primary:
    """The metric that decides between two runs of a stage."""

    metric: str
    order: str  # ASC where lower is better, DESC where higher is
    unit: str
    caution: str

    def is_better(self, value: float, other: float) -> bool:
        return value < other if self.order == "ASC" else value > other


PRIMARY = {
    "train_som": _Primary(
        "quantization_error",
        "ASC",
        "robust units a row",
        "The error falls with the number of units alone, so compare at equal unit count only.",
    ),
    "train_mixture": _Primary(
        "log_likelihood",
        "DESC",
        "nats a row",
        "The density depends on the columns, so compare over equal columns only.",
    ),
}


@dataclass(frozen=True)
class Best:
    """The best earlier run among the comparable ones."""

    name: str
    value: float


def comparable_key(
    stage: str,
    metrics: Mapping[str, Any],
    params: Mapping[str, Any],
    columns: Sequence[str],
    data: str,
) -> str:
    """Return a short key that runs share whose primary metric means the same."""
    facts = {"stage": stage, "columns": list(columns), "data": data}
    if stage == "train_som":
        facts["n_units"] = _n_units(metrics, params)
    return hashlib.sha256(canonical_json(facts)).hexdigest()[:12]


def best_run(store: Store, stage: str, key: str) -> Best | None:
    """Return the best finished run with this comparable key."""
    if stage not in PRIMARY:
        return None
    metric = f"{stage}.{PRIMARY[stage].metric}"
    where = f"tags.`{COMPARABLE}` = '{key}' AND attributes.status = 'FINISHED'"
    order = [f"metrics.`{metric}` {PRIMARY[stage].order}"]
    runs = store.client.search_runs([store.experiment_id], where, max_results=1, order_by=order)
    if not runs or metric not in runs[0].data.metrics:
        return None
    return Best(runs[0].info.run_name, runs[0].data.metrics[metric])


def note(stage: str, metrics: Mapping[str, Any], best: Best | None) -> str:
    """Return Markdown of a few lines: how good the run is, against which other, and why."""
    primary = PRIMARY.get(stage)
    value = metrics.get(primary.metric) if primary else None
    if primary is None or not isinstance(value, int | float):
        return f"`{stage}` reported no number by which runs are compared."
    direction = "lower" if primary.order == "ASC" else "higher"
    name = primary.metric.replace("_", " ").capitalize()
    units = f" with **{metrics['n_units']} units**" if "n_units" in metrics else ""
    return "\n\n".join(
        [
            f"{name} **{value:.6g}** {primary.unit}{units}; {direction} is better.",
            _standing(primary, float(value), best),
            f"{primary.caution} Runs with the same tag `{COMPARABLE}` may be compared.",
        ]
    )


def _standing(primary: _Primary, value: float, best: Best | None) -> str:
    if best is None:
        return "The first run of its kind: nothing to compare it with yet."
    if value == best.value:
        return f"Equal to the best comparable run before it, `{best.name}`."
    word = "Better" if primary.is_better(value, best.value) else "Worse"
    return (
        f"**{word}** than the best comparable run before it, `{best.name}` at {best.value:.6g},"
        f" by {abs(value - best.value):.3g}."
    )


def _n_units(metrics: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    if "n_units" in metrics:
        return metrics["n_units"]
    return params.get("n_rows", 0) * params.get("n_columns", 0)
