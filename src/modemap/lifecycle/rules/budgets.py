"""Rules over what a release costs, by itself and beside the champion."""

from modemap.lifecycle.rules.evidence import Evidence
from modemap.lifecycle.rules.result import NOT_CHECKABLE, Result, at_most, is_finite, no_champion

__all__ = ["COSTS", "growth", "latency", "memory", "size"]

COSTS = {  # measured alike of candidate and champion
    "latency_ms": "milliseconds for a thousand rows",
    "answer_memory_mib": "MiB taken to load and answer a thousand rows",
    "size_mib": "MiB of files",
}


def latency(evidence: Evidence) -> Result:
    """Stop a release that answers too slowly."""
    why = COSTS["latency_ms"]
    return at_most(evidence.trial.get("latency_ms"), evidence.params.latency_ms_max, why)


def memory(evidence: Evidence) -> Result:
    """Stop a release whose process needs too much memory."""
    why = "MiB at the peak of the clean process"
    return at_most(evidence.trial.get("peak_memory_mib"), evidence.params.memory_mib_max, why)


def size(evidence: Evidence) -> Result:
    """Stop a release whose files are too large."""
    return at_most(evidence.trial.get("size_mib"), evidence.params.size_mib_max, COSTS["size_mib"])


def growth(evidence: Evidence) -> Result:
    """Stop a release that costs a multiple of the champion."""
    if evidence.comparison is None:
        return no_champion()
    bound, champion = evidence.params.growth_max, evidence.trial.get("champion") or {}
    if why := champion.get("failure"):
        return Result(NOT_CHECKABLE, None, bound, f"the champion could not be measured: {why}")
    results = []
    for name, what in COSTS.items():
        ours, theirs = evidence.trial.get(name), champion.get(name)
        is_known = is_finite(ours) and is_finite(theirs) and float(theirs or 0) > 0
        ratio = float(ours or 0) / float(theirs or 1) if is_known else None
        results.append(at_most(ratio, bound, f"times the champion's {what}"))
    refusals = [result for result in results if not result.passed]
    return next(iter(refusals), max(results, key=lambda result: float(result.value or 0)))
