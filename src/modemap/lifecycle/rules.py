"""The gate's rules in one table: each a pure function from the evidence to a result.

What cannot be checked has failed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modemap.params import GateParams

__all__ = ["REQUIRED_METRICS", "RULES", "Comparison", "Evidence", "Measured", "Result", "Rule"]

PASSED, FAILED, NOT_CHECKABLE = "passed", "failed", "not checkable"

REQUIRED_METRICS = (
    "quantization_error",
    "topographic_error",
    "dead_unit_share",
    "stability",
    "log_likelihood",
    "calibration",
    "round_trip_error",
    "n_units",
    "n_rows",
)


@dataclass(frozen=True)
class Measured:
    """What was measured of one release on the test rows."""

    columns: Sequence[str]
    n_units: int
    quantization_error: float  # in the robust units of the test rows
    log_likelihood: float  # nats a row, as a density of raw units


@dataclass(frozen=True)
class Comparison:
    """Candidate and champion, measured on the same rows."""

    champion_version: int
    candidate: Measured
    champion: Measured


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict rests on; None stands for what could not be read."""

    digest: str  # of the candidate
    evaluation: Mapping[str, Any] | None  # evaluate's metrics
    validation: Mapping[str, Any] | None  # validate's result
    batches: Sequence[str] | None  # digests of the batches that were ingested
    load_failure: str | None  # why it did not load and answer in a clean process
    comparison: Comparison | str | None  # None: no champion yet; str: why there is none
    accept_change: str | None  # reason given for a change that forbids comparing
    params: GateParams


@dataclass(frozen=True)
class Result:
    """What one rule says."""

    outcome: str
    value: float | str | None
    bound: float | str | None
    why: str
    rule: str = ""

    @property
    def passed(self) -> bool:
        """Whether the rule lets the release through."""
        return self.outcome == PASSED


@dataclass(frozen=True)
class Rule:
    """A name and the function that judges by it."""

    name: str
    judge: Callable[[Evidence], Result]


def contract(evidence: Evidence) -> Result:
    """Stop unless every batch that was ingested has kept the data contract."""
    bound = "every rule on every batch"
    if evidence.validation is None or evidence.batches is None:
        why = "the contract's result or the list of batches is missing"
        return Result(NOT_CHECKABLE, None, bound, why)
    judgements = evidence.validation.get("judgements")
    if not isinstance(judgements, list) or not judgements:
        return Result(NOT_CHECKABLE, None, bound, "the contract's result judges no batch")
    results = [result for judgement in judgements for result in judgement["results"]]
    broken = [result["type"] for result in results if result["success"] is not True]
    judged = {judgement["digest"] for judgement in judgements if judgement["digest"]}
    value = f"{len(results)} results, batches: {len(judged)}"
    if broken or not results:
        return Result(FAILED, value, bound, f"broken: {', '.join(broken) or 'no rule at all'}")
    if judged != set(evidence.batches):
        other = sorted(judged ^ set(evidence.batches))
        return Result(
            FAILED, value, bound, f"judged and ingested batches differ by {other[0][:16]}"
        )
    return Result(PASSED, value, bound, "the data kept its contract")


def metrics(evidence: Evidence) -> Result:
    """Stop unless every metric that a release is judged by is there and finite."""
    bound = f"{len(REQUIRED_METRICS)} finite metrics"
    if evidence.evaluation is None:
        return Result(NOT_CHECKABLE, None, bound, "the evaluation is missing")
    bad = [name for name in REQUIRED_METRICS if not _is_finite(evidence.evaluation.get(name))]
    value = f"{len(REQUIRED_METRICS) - len(bad)} finite metrics"
    if bad:
        return Result(FAILED, value, bound, f"missing or not finite: {', '.join(bad)}")
    if evidence.evaluation["n_rows"] < 1:
        return Result(FAILED, value, bound, "evaluated on no rows")
    return Result(PASSED, value, bound, "all there")


def evaluated(evidence: Evidence) -> Result:
    """Stop unless the evaluation speaks of this release."""
    if evidence.evaluation is None:
        return Result(NOT_CHECKABLE, None, evidence.digest, "the evaluation is missing")
    found = evidence.evaluation.get("release_digest")
    if found != evidence.digest:
        why = "another release was evaluated"
        return Result(FAILED, str(found), evidence.digest, why)
    return Result(PASSED, found, evidence.digest, "this release was evaluated")


def loads(evidence: Evidence) -> Result:
    """Stop unless the release loads in a clean process and answers its golden rows."""
    bound = "loads and answers"
    if evidence.load_failure is not None:
        return Result(FAILED, "it does not", bound, evidence.load_failure)
    return Result(PASSED, bound, bound, "golden rows answered as promised")


def comparable(evidence: Evidence) -> Result:
    """Stop unless the two can be compared, or somebody accepts in words that they cannot."""
    comparison = evidence.comparison
    if comparison is None:
        return _no_champion()
    if isinstance(comparison, str):
        return Result(NOT_CHECKABLE, None, None, comparison)
    value, bound = _shape(comparison.candidate), _shape(comparison.champion)
    if value == bound:
        return Result(PASSED, value, bound, "equal columns and unit count")
    if evidence.accept_change:
        return Result(PASSED, value, bound, f"not comparable, accepted: {evidence.accept_change}")
    return Result(FAILED, value, bound, "not comparable; --accept-change REASON lets it through")


def quantization_error(evidence: Evidence) -> Result:
    """Stop a map that is worse than the champion's beyond the tolerance."""
    comparison = evidence.comparison
    if not isinstance(comparison, Comparison):
        return _uncompared(comparison)
    candidate, champion = comparison.candidate, comparison.champion
    if _shape(candidate) != _shape(champion):
        return Result(PASSED, None, None, "not compared: rule `comparable` decides")
    tolerance = evidence.params.quantization_error_tolerance
    value, bound = candidate.quantization_error, champion.quantization_error * (1 + tolerance)
    return _bounded(value, bound, is_kept=value <= bound, other=champion.quantization_error)


def log_likelihood(evidence: Evidence) -> Result:
    """Stop a density that is worse than the champion's beyond the tolerance."""
    comparison = evidence.comparison
    if not isinstance(comparison, Comparison):
        return _uncompared(comparison)
    candidate, champion = comparison.candidate, comparison.champion
    if candidate.columns != champion.columns:
        return Result(PASSED, None, None, "not compared: rule `comparable` decides")
    tolerance = evidence.params.log_likelihood_tolerance
    value, bound = candidate.log_likelihood, champion.log_likelihood - tolerance
    return _bounded(value, bound, is_kept=value >= bound, other=champion.log_likelihood)


RULES = (
    Rule("contract", contract),
    Rule("metrics", metrics),
    Rule("evaluated", evaluated),
    Rule("loads", loads),
    Rule("comparable", comparable),
    Rule("quantization_error", quantization_error),
    Rule("log_likelihood", log_likelihood),
)


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(float(str(value)))


def _shape(measured: Measured) -> str:
    return f"{measured.n_units} units, {', '.join(measured.columns)}"


def _no_champion() -> Result:
    return Result(PASSED, None, None, "no champion yet")


def _uncompared(comparison: str | None) -> Result:
    if comparison is None:
        return _no_champion()
    return Result(PASSED, None, None, "not compared: rule `comparable` decides")


def _bounded(value: float, bound: float, *, is_kept: bool, other: float) -> Result:
    if not (math.isfinite(value) and math.isfinite(bound)):
        return Result(NOT_CHECKABLE, value, bound, "not a finite number")
    why = f"the champion has {other:.6g} on the same rows"
    return Result(PASSED if is_kept else FAILED, value, bound, why)
