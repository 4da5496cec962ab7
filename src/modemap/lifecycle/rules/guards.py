"""Rules that bound what a release is like, whatever the champion is."""

from collections.abc import Callable

from modemap.lifecycle.rules.evidence import Evidence, Group
from modemap.lifecycle.rules.result import FAILED, NOT_CHECKABLE, PASSED, Result, at_least, at_most

__all__ = [
    "calibration",
    "dead_units",
    "duplicated_rows",
    "group_anomalies",
    "group_errors",
    "rescaled_units",
    "round_trip",
    "row_order",
    "stability",
    "topographic_error",
]


def topographic_error(evidence: Evidence) -> Result:
    """Stop a map on which alike rows lie apart."""
    bound = evidence.params.topographic_error_max
    return at_most(_metric(evidence, "topographic_error"), bound, "rows whose two units are apart")


def dead_units(evidence: Evidence) -> Result:
    """Stop a map of which too much stays empty."""
    bound = evidence.params.dead_unit_share_max
    return at_most(_metric(evidence, "dead_unit_share"), bound, "units that no test row reaches")


def calibration(evidence: Evidence) -> Result:
    """Stop a release with a column whose modes do not describe its values."""
    bound = evidence.params.calibration_max
    by_column = _metric(evidence, "calibration_by_column")
    if not isinstance(by_column, dict) or not by_column:
        return Result(NOT_CHECKABLE, None, bound, "no calibration by column")
    if unknown := set(by_column) ^ set(evidence.trial["columns"]):
        why = f"release and calibration differ by columns {', '.join(sorted(unknown))}"
        return Result(NOT_CHECKABLE, None, bound, why)
    results = [at_most(value, bound, f"column {name}") for name, value in by_column.items()]
    refusals = [result for result in results if not result.passed]
    return next(iter(refusals), max(results, key=lambda result: float(result.value or 0)))


def round_trip(evidence: Evidence) -> Result:
    """Stop a normaliser that does not give back what it encoded."""
    bound = evidence.params.round_trip_error_max
    return at_most(_metric(evidence, "round_trip_error"), bound, "largest error after decoding")


def stability(evidence: Evidence) -> Result:
    """Stop segments that another seed would not have found."""
    bound = evidence.params.stability_min
    why = "lowest agreement (adjusted Rand index) of segments between seeds"
    return at_least(_metric(evidence, "stability"), bound, why)


def row_order(evidence: Evidence) -> Result:
    """Stop a release whose answer to a row depends on the rows around it."""
    return _behaves(evidence, "row_order", "equal answers in another order")


def duplicated_rows(evidence: Evidence) -> Result:
    """Stop a release that answers a repeated row otherwise than the row."""
    return _behaves(evidence, "duplicated_rows", "equal answers to repeated rows")


def rescaled_units(evidence: Evidence) -> Result:
    """Stop a release whose answers depend on the unit that a column is measured in."""
    return _behaves(evidence, "rescaled_units", "equal answers in other units")


def group_anomalies(evidence: Evidence) -> Result:
    """Stop a release that calls too much of one group of people or things anomalous."""
    bound = evidence.params.group_anomaly_share_max
    return _worst_group(evidence, bound, "anomalous", lambda group: group.anomaly_share)


def group_errors(evidence: Evidence) -> Result:
    """Stop a map that lies much farther from one group than from the rows as a whole."""
    bound = evidence.params.group_error_ratio_max
    what = "times the mean distance"
    return _worst_group(evidence, bound, what, lambda group: group.error_ratio)


def _metric(evidence: Evidence, name: str) -> object:
    return None if evidence.evaluation is None else evidence.evaluation.get(name)


def _behaves(evidence: Evidence, name: str, bound: str) -> Result:
    failure = evidence.trial["behaviour"][name]
    if failure is None:
        return Result(PASSED, bound, bound, "tried in the clean process")
    return Result(FAILED, "other answers", bound, str(failure))


def _worst_group(
    evidence: Evidence, bound: float, what: str, value: Callable[[Group], float]
) -> Result:
    if not evidence.params.sensitive_columns:
        return Result(PASSED, None, bound, "params.gate.sensitive_columns names none")
    if isinstance(evidence.groups, str) or not evidence.groups:
        return Result(NOT_CHECKABLE, None, bound, str(evidence.groups or "no group of rows"))
    results = [
        at_most(value(group), bound, f"{group.column} {group.value}, {group.n_rows} rows, {what}")
        for group in evidence.groups
    ]
    refusals = [result for result in results if not result.passed]
    return next(iter(refusals), max(results, key=lambda result: float(result.value or 0)))
