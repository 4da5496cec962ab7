"""A check as JSON says it."""

from typing import Any

from modemap.monitoring.check import ANSWERS, Check, ColumnResult
from modemap.monitoring.joint import JointResult

__all__ = ["as_plain"]


def as_plain(result: Check) -> dict[str, Any]:
    """Return the check as JSON says it; the shape is that of docs/drift.md."""
    return {
        "drift": result.drift,
        "answer": result.answer,
        "rate": result.rate,
        "min_effect": result.min_effect,
        "n": result.n,
        "n_reference": result.n_reference,
        "columns": [_plain_column(column, result.min_effect) for column in result.columns],
        "joint": [_plain_joint(joint, result.min_effect) for joint in result.joint],
        "schema": result.schema,
        "not_checkable": result.why,
    }


def _plain_column(result: ColumnResult, min_effect: float) -> dict[str, Any]:
    found, values, missing = result.found, result.found.values, result.found.missing
    return {
        "name": found.name,
        "kind": found.kind,
        "verdict": ANSWERS[result.drift],
        "psi": values and values.psi,
        "threshold": (values and values.n_bins > 1 and values.threshold(result.level)) or None,
        "min_effect": min_effect,
        "p_value": values and values.p_value,
        "n": found.n,
        "n_reference": found.n_reference,
        "n_bins": values and values.n_bins,
        "jensen_shannon": values and values.jensen_shannon,
        "wasserstein": found.wasserstein if found.wasserstein != float("inf") else None,
        "missing": missing
        and {
            "before": found.missing_shares[0],
            "after": found.missing_shares[1],
            "psi": missing.psi,
            "p_value": missing.p_value,
            "verdict": ANSWERS[result.is_missing_drift],
        },
        "quartiles": found.quartiles
        and {"before": found.quartiles[0], "after": found.quartiles[1]},
        "bins": found.bins and vars(found.bins),
        "unseen": found.unseen,
        "said": result.said,
        "why": found.why,
    }


def _plain_joint(result: JointResult, min_effect: float) -> dict[str, Any]:
    change = result.change
    return {
        "name": result.name,
        "verdict": ANSWERS[result.drift],
        "effect": result.effect,
        "threshold": result.threshold,
        "min_effect": min_effect,
        "p_value": result.p_value,
        "n": result.n,
        "n_reference": result.n_reference,
        "pair": change and {
            "columns": list(change.columns), "before": change.before, "after": change.after,
        },
        "regions": [vars(region) for region in result.regions],
        "said": result.said,
        "why": result.why,
    }  # fmt: skip
