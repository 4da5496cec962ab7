"""Rules over what the stages left on paper, and over where the release comes from."""

from modemap.lifecycle.rules.evidence import Comparison, Evidence
from modemap.lifecycle.rules.result import (
    FAILED,
    NOT_CHECKABLE,
    PASSED,
    Result,
    at_least,
    is_finite,
)

__all__ = [
    "REQUIRED_METRICS",
    "clean_tree",
    "contract",
    "evaluated",
    "held_out_rows",
    "loads",
    "metrics",
    "not_withdrawn",
]

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
    bad = [name for name in REQUIRED_METRICS if not is_finite(evidence.evaluation.get(name))]
    value = f"{len(REQUIRED_METRICS) - len(bad)} finite metrics"
    if bad:
        return Result(FAILED, value, bound, f"missing or not finite: {', '.join(bad)}")
    return Result(PASSED, value, bound, "all there")


def held_out_rows(evidence: Evidence) -> Result:
    """Stop unless the release was judged on enough rows that no model has seen."""
    bound = evidence.params.n_rows_min
    if evidence.evaluation is None:
        return Result(NOT_CHECKABLE, None, bound, "the evaluation is missing")
    counted = {"rows of the evaluation": evidence.evaluation["n_rows"]}
    if isinstance(evidence.comparison, Comparison):
        counted["rows of the comparison"] = evidence.comparison.n_rows
    results = [at_least(n_rows, bound, what) for what, n_rows in counted.items()]
    return next((result for result in results if not result.passed), results[0])


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
        return Result(FAILED, "it does not load or answer", bound, evidence.load_failure)
    return Result(PASSED, bound, bound, "golden rows answered as promised")


def not_withdrawn(evidence: Evidence) -> Result:
    """Stop a release that somebody rolled back from: the next training must not bring it back."""
    bound = "never taken back"
    if evidence.withdrawn is None:
        return Result(PASSED, bound, bound, "no rollback left it")
    why = f"{evidence.withdrawn}; `modemap rollback --to` brings it back"
    return Result(FAILED, "it was taken back", bound, why)


def clean_tree(evidence: Evidence) -> Result:
    """Stop a release of changed or unknown sources where params ask for a clean tree."""
    value = {"true": "changed files", "false": "clean"}.get(evidence.dirty, "unknown")
    if evidence.dirty == "false":
        return Result(PASSED, value, "clean", "code and params are those of the commit")
    if evidence.params.clean_tree == "warn":
        why = "warning: this release cannot be made again from a commit"
        return Result(PASSED, value, "clean", why)
    outcome = FAILED if evidence.dirty == "true" else NOT_CHECKABLE
    return Result(outcome, value, "clean", "commit what belongs to the release, then run again")
