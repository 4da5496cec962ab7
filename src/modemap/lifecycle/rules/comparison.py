"""Rules over candidate and champion on the same rows."""

import math

from modemap.lifecycle.rules.evidence import Comparison, Evidence, Interval, Measured
from modemap.lifecycle.rules.result import FAILED, NOT_CHECKABLE, PASSED, Result, no_champion

__all__ = ["comparable", "log_likelihood", "quantization_error"]


def comparable(evidence: Evidence) -> Result:
    """Stop unless the two can be compared, or somebody accepts in words that they cannot."""
    comparison = evidence.comparison
    if comparison is None:
        return no_champion()
    if isinstance(comparison, str):
        return Result(NOT_CHECKABLE, None, None, comparison)
    value, bound = _shape(comparison.candidate), _shape(comparison.champion)
    if value == bound:
        return Result(PASSED, value, bound, "equal columns and unit count")
    if evidence.accept_change:
        return Result(PASSED, value, bound, f"not comparable, accepted: {evidence.accept_change}")
    why = f"not comparable with {bound}; --accept-change REASON lets it through"
    return Result(FAILED, value, bound, why)


def quantization_error(evidence: Evidence) -> Result:
    """Stop a map that is worse than the champion's, unless surely by less than the tolerance."""
    comparison = evidence.comparison
    if not isinstance(comparison, Comparison):
        return _uncompared(comparison)
    candidate, champion = comparison.candidate, comparison.champion
    if _shape(candidate) != _shape(champion):
        return _left_to_comparable()
    value, other = candidate.quantization_error, champion.quantization_error
    tolerance = evidence.params.quantization_error_tolerance * other
    interval = comparison.quantization_error
    is_kept = interval.mean <= 0 or interval.high <= tolerance
    return _compared(value, other, other + tolerance, interval, comparison.n_rows, is_kept=is_kept)


def log_likelihood(evidence: Evidence) -> Result:
    """Stop a density that is worse than the champion's, unless surely by less than tolerated."""
    comparison = evidence.comparison
    if not isinstance(comparison, Comparison):
        return _uncompared(comparison)
    candidate, champion = comparison.candidate, comparison.champion
    if candidate.columns != champion.columns:
        return _left_to_comparable()
    value, other = candidate.log_likelihood, champion.log_likelihood
    tolerance = evidence.params.log_likelihood_tolerance
    interval = comparison.log_likelihood
    is_kept = interval.mean >= 0 or interval.low >= -tolerance
    return _compared(value, other, other - tolerance, interval, comparison.n_rows, is_kept=is_kept)


def _shape(measured: Measured) -> str:
    return f"{measured.n_units} units, {', '.join(measured.columns)}"


def _uncompared(comparison: str | None) -> Result:
    return no_champion() if comparison is None else _left_to_comparable()


def _left_to_comparable() -> Result:
    return Result(PASSED, None, None, "not compared: rule `comparable` decides")


def _compared(
    value: float, other: float, bound: float, interval: Interval, n_rows: int, *, is_kept: bool
) -> Result:
    numbers = (value, bound, interval.mean, interval.low, interval.high)
    if not all(map(math.isfinite, numbers)):
        return Result(NOT_CHECKABLE, value, bound, "not a finite number")
    why = f"the champion has {other:.6g}; difference {interval} over {n_rows:,} rows"
    return Result(PASSED if is_kept else FAILED, value, bound, why)
