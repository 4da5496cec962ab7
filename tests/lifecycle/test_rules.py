"""Each rule of the gate stops the release that only it can stop, and the table holds them all."""

from dataclasses import replace
from math import nan

import pytest

from modemap.errors import GateRefusedError
from modemap.files import canonical_json
from modemap.lifecycle.gate import Verdict, judge
from modemap.lifecycle.rules import (
    REQUIRED_METRICS,
    RULES,
    Comparison,
    Evidence,
    Measured,
)
from modemap.params import GateParams

DIGEST, BATCH = "d" * 64, "b" * 64
MEASURED = Measured(("delay", "distance"), 9, 0.5, -9.0)
RESULT = {"type": "expect_column_to_exist", "success": True}
JUDGEMENT = {"digest": BATCH, "results": [RESULT]}
GOOD = Evidence(
    digest=DIGEST,
    evaluation=dict.fromkeys(REQUIRED_METRICS, 1.0) | {"release_digest": DIGEST},
    validation={"judgements": [JUDGEMENT, {"digest": None, "results": [RESULT]}]},
    batches=[BATCH],
    load_failure=None,
    comparison=Comparison(1, MEASURED, MEASURED),
    accept_change=None,
    params=GateParams(quantization_error_tolerance=0.01, log_likelihood_tolerance=0.01),
)


def _validation(**changes):
    return {"judgements": [JUDGEMENT | changes]}


def _evaluation(**changes):
    return dict(GOOD.evaluation) | changes


def _candidate(**changes):
    return Comparison(1, replace(MEASURED, **changes), MEASURED)


BAD = {  # rule: evidence that this rule alone must stop
    "contract": {
        "no result": {"validation": None},
        "no list of batches": {"batches": None},
        "no judgement": {"validation": {"judgements": []}},
        "no key for judgements": {"validation": {"success": True}},
        "a broken rule": {"validation": _validation(results=[RESULT | {"success": False}])},
        "a rule without verdict": {"validation": _validation(results=[{"type": "x"}])},
        "no rule": {"validation": _validation(results=[])},
        "another batch": {"batches": ["c" * 64]},
        "a batch nobody judged": {"batches": [BATCH, "c" * 64]},
        "a batch nobody ingested": {"batches": []},
        "another form": {"validation": {"judgements": ["yes"]}},
    },
    "metrics": {
        **{
            f"{name} is null": {"evaluation": _evaluation(**{name: None})}
            for name in REQUIRED_METRICS
        },
        "a NaN": {"evaluation": _evaluation(stability=nan)},
        "an infinity": {"evaluation": _evaluation(calibration=float("inf"))},
        "a text": {"evaluation": _evaluation(stability="0.9")},
        "a claim": {"evaluation": _evaluation(stability=True)},
        "no rows": {"evaluation": _evaluation(n_rows=0)},
        "a missing metric": {
            "evaluation": {k: v for k, v in GOOD.evaluation.items() if k != "round_trip_error"}
        },
    },
    "evaluated": {
        "another release": {"evaluation": _evaluation(release_digest="e" * 64)},
        "no digest": {"evaluation": _evaluation(release_digest=None)},
    },
    "loads": {"it crashes": {"load_failure": "segmentation fault"}},
    "comparable": {
        "other size": {"comparison": _candidate(n_units=16)},
        "other size, far better": {"comparison": _candidate(n_units=16, quantization_error=0.1)},
        "other columns": {"comparison": _candidate(columns=("delay", "speed"))},
        "columns in another order": {"comparison": _candidate(columns=("distance", "delay"))},
        "not measured": {"comparison": "test.parquet is missing"},
        "an empty reason": {"comparison": _candidate(n_units=16), "accept_change": ""},
    },
    "quantization_error": {
        "worse": {"comparison": _candidate(quantization_error=0.506)},
        "a NaN": {"comparison": _candidate(quantization_error=nan)},
        "a NaN champion": {
            "comparison": Comparison(1, MEASURED, replace(MEASURED, quantization_error=nan))
        },
        "accepted change": {
            "comparison": _candidate(quantization_error=0.506),
            "accept_change": "equal size, so no excuse",
        },
    },
    "log_likelihood": {
        "worse": {"comparison": _candidate(log_likelihood=-9.011)},
        "a NaN": {"comparison": _candidate(log_likelihood=nan)},
        "minus infinity": {"comparison": _candidate(log_likelihood=-float("inf"))},
        "of a larger map": {
            "comparison": _candidate(log_likelihood=-9.1, n_units=16),
            "accept_change": "a larger map, which is no excuse for the density",
        },
    },
}
CASES = [
    pytest.param(rule, changes, id=f"{rule}: {name}")
    for rule, cases in BAD.items()
    for name, changes in cases.items()
]


def test_a_good_release_passes_every_rule():
    """Nothing stops a release that is as good as the champion."""
    assert [result.outcome for result in judge(GOOD)] == ["passed"] * len(RULES)


def test_the_table_and_the_bad_releases_name_the_same_rules():
    """A rule without a release that it stops proves nothing."""
    assert [rule.name for rule in RULES] == list(BAD)


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_a_rule_stops_what_only_it_can_stop(name, changes):
    """Exactly this rule refuses, and says why."""
    results = judge(replace(GOOD, **changes))

    (stopping,) = [result for result in results if not result.passed]
    assert stopping.rule == name
    assert stopping.outcome in {"failed", "not checkable"}
    assert stopping.why


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_without_its_rule_the_bad_release_passes(name, changes):
    """Taking the rule out of the table lets through what it stopped: no rule is decoration."""
    rest = [rule for rule in RULES if rule.name != name]

    assert all(result.passed for result in judge(replace(GOOD, **changes), rest))


@pytest.mark.parametrize("evaluation", [None, {}])
def test_a_missing_evaluation_stops_a_release(evaluation):
    """No evaluation is no pass, twice over."""
    results = {result.rule: result for result in judge(replace(GOOD, evaluation=evaluation))}

    assert not results["metrics"].passed
    assert not results["evaluated"].passed


@pytest.mark.parametrize(
    "changes",
    [
        {"quantization_error": 0.505, "log_likelihood": -9.01},
        {"quantization_error": 0.1, "log_likelihood": -1.0},
    ],
)
def test_a_release_within_the_tolerance_or_better_passes(changes):
    """The bound itself is still let through."""
    assert all(result.passed for result in judge(replace(GOOD, comparison=_candidate(**changes))))


def test_the_first_release_passes_the_comparison():
    """Without a champion there is nothing to be worse than."""
    results = judge(replace(GOOD, comparison=None))

    assert all(result.passed for result in results)
    assert [r.rule for r in results if r.why == "no champion yet"] == [
        "comparable",
        "quantization_error",
        "log_likelihood",
    ]


def test_an_accepted_change_passes_with_its_reason():
    """The reason is kept with the result that it lets through."""
    evidence = replace(
        GOOD, comparison=_candidate(n_units=4, quantization_error=2.0), accept_change="a sketch"
    )

    results = {result.rule: result for result in judge(evidence)}

    assert all(result.passed for result in results.values())
    assert results["comparable"].why == "not comparable, accepted: a sketch"


def test_a_verdict_without_rules_is_a_refusal():
    """A gate that asked nothing lets nothing through."""
    verdict = Verdict(1, DIGEST, None, None, judge(GOOD, rules=[]))

    assert not verdict.passed
    with pytest.raises(GateRefusedError, match="no rule was asked"):
        verdict.require()


def test_a_refusal_names_every_rule_that_stopped_the_release():
    """Rule, finding and reason stand in one message; NaN can be kept in the record."""
    evidence = replace(GOOD, load_failure="it crashed", comparison=_candidate(log_likelihood=nan))
    verdict = Verdict(1, DIGEST, 1, None, judge(evidence))

    with pytest.raises(GateRefusedError) as caught:
        verdict.require()

    assert "loads failed" in caught.value.found
    assert "it crashed" in caught.value.found
    assert "log_likelihood not checkable" in caught.value.found
    assert b'"value": "nan"' in canonical_json(verdict.record())
