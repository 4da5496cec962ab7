"""Each rule of the gate stops the release that only it can stop, and the table holds them all."""

from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from modemap.errors import GateRefusedError
from modemap.files import canonical_json
from modemap.lifecycle.gate import judge
from modemap.lifecycle.rules import (
    REQUIRED_METRICS,
    RULES,
    Comparison,
    Evidence,
    Group,
    Interval,
    Measured,
)
from modemap.lifecycle.verdict import Verdict
from modemap.params import GateParams, load_params

DIGEST, BATCH = "d" * 64, "b" * 64
MEASURED = Measured(("delay", "distance"), 9, 0.5, -9.0)
NONE = Interval(0.0, 0.0, 0.0)
RESULT = {"type": "expect_column_to_exist", "success": True}
JUDGEMENT = {"digest": BATCH, "results": [RESULT]}
COSTS = {"latency_ms": 5.0, "answer_memory_mib": 4.0, "size_mib": 1.0}
GROUP = Group("carrier", "AA", 100, 0.02, 1.1)
GOOD = Evidence(
    digest=DIGEST,
    evaluation={
        "quantization_error": 0.5,
        "topographic_error": 0.05,
        "dead_unit_share": 0.0,
        "stability": 0.6,
        "log_likelihood": -9.0,
        "calibration": 0.02,
        "calibration_by_column": {"delay": 0.01, "distance": 0.02},
        "round_trip_error": 0.0,
        "n_units": 9,
        "n_rows": 1000,
        "release_digest": DIGEST,
    },
    validation={"judgements": [JUDGEMENT, {"digest": None, "results": [RESULT]}]},
    batches=[BATCH],
    withdrawn=None,
    dirty="false",
    load_failure=None,
    trial={
        "columns": ["delay", "distance"],
        "behaviour": dict.fromkeys(("row_order", "duplicated_rows", "rescaled_units")),
        "peak_memory_mib": 200.0,
        "champion": COSTS,
        **COSTS,
    },
    comparison=Comparison(MEASURED, MEASURED, 1000, NONE, NONE),
    accept_change=None,
    params=GateParams(
        quantization_error_tolerance=0.01,
        log_likelihood_tolerance=0.01,
        clean_tree="stop",
        sensitive_columns=["carrier"],
    ),
    groups=[GROUP],
)


def _validation(**changes):
    return {"judgements": [JUDGEMENT | changes]}


def _evaluation(**changes):
    return {"evaluation": dict(GOOD.evaluation) | changes}


def _without(name):
    return {"evaluation": {k: v for k, v in GOOD.evaluation.items() if k != name}}


def _candidate(qe=0.0, ll=0.0, width=0.0, n_rows=1000, champion=MEASURED, **changes):
    """Return a comparison in which the candidate's metrics differ from the champion's."""
    ours = replace(
        MEASURED,
        quantization_error=champion.quantization_error + qe,
        log_likelihood=champion.log_likelihood + ll,
    )
    intervals = (Interval(mean, mean - width, mean + width) for mean in (qe, ll))
    return {"comparison": Comparison(replace(ours, **changes), champion, n_rows, *intervals)}


def _trial(**changes):
    return {"trial": dict(GOOD.trial) | changes}


def _without_cost(name):
    return {"trial": {key: value for key, value in GOOD.trial.items() if key != name}}


def _behaviour(**changes):
    return _trial(behaviour=dict(GOOD.trial["behaviour"]) | changes)


def _untried(name):
    return _trial(behaviour={k: v for k, v in GOOD.trial["behaviour"].items() if k != name})


def _champion(**changes):
    return _trial(champion=COSTS | changes)


def _group(**changes):
    return {"groups": [GROUP, replace(GROUP, value="UA", **changes)]}


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
        "a null": _evaluation(quantization_error=None),
        "a NaN": _evaluation(log_likelihood=nan),
        "an infinity": _evaluation(calibration=inf),
        "a text": _evaluation(n_units="9"),
        "a claim": _evaluation(n_units=True),
        "a missing metric": _without("quantization_error"),
    },
    "held_out_rows": {
        "too few": _evaluation(n_rows=99),
        "none": _evaluation(n_rows=0),
        "too few to compare on": _candidate(n_rows=99),
    },
    "evaluated": {
        "another release": _evaluation(release_digest="e" * 64),
        "no digest": _evaluation(release_digest=None),
    },
    "not_withdrawn": {"a rollback left it": {"withdrawn": "entry 3: complaints"}},
    "clean_tree": {
        "changed files": {"dirty": "true"},
        "unknown": {"dirty": "unknown"},
        "nothing": {"dirty": ""},
    },
    "loads": {"it crashes": {"load_failure": "segmentation fault"}},
    "comparable": {
        "other size": _candidate(n_units=16),
        "other size, far better": _candidate(n_units=16, qe=-0.4),
        "other columns": _candidate(columns=("delay", "speed")),
        "columns in another order": _candidate(columns=("distance", "delay")),
        "not measured": {"comparison": "test.parquet is missing"},
        "an empty reason": _candidate(n_units=16) | {"accept_change": ""},
    },
    "quantization_error": {
        "worse": _candidate(qe=0.006),
        "worse by less than tolerated, not surely": _candidate(qe=0.001, width=0.0041),
        "a NaN": _candidate(qe=nan),
        "a NaN champion": _candidate(champion=replace(MEASURED, quantization_error=nan)),
        "accepted change": _candidate(qe=0.006) | {"accept_change": "equal size: no excuse"},
    },
    "log_likelihood": {
        "worse": _candidate(ll=-0.011),
        "worse by less than tolerated, not surely": _candidate(ll=-0.005, width=0.0051),
        "a NaN": _candidate(ll=nan),
        "minus infinity": _candidate(ll=-inf),
        "of a larger map": _candidate(ll=-0.1, n_units=16)
        | {"accept_change": "a larger map, which is no excuse for the density"},
    },
    "topographic_error": {"folded": _evaluation(topographic_error=0.26)},
    "dead_units": {"mostly empty": _evaluation(dead_unit_share=0.51)},
    "calibration": {
        "one bad column": _evaluation(calibration_by_column={"delay": 0.11, "distance": 0.0}),
        "a NaN": _evaluation(calibration_by_column={"delay": nan, "distance": 0.0}),
        "a column without": _evaluation(calibration_by_column={"delay": 0.01}),
        "no columns": _evaluation(calibration_by_column={}),
        "missing": _without("calibration_by_column"),
    },
    "round_trip": {"lossy": _evaluation(round_trip_error=1e-3)},
    "stability": {"another map each time": _evaluation(stability=0.09)},
    "row_order": {
        "other answers": _behaviour(row_order="units of row 1 were 3, then 4"),
        "not tried": _untried("row_order"),
    },
    "duplicated_rows": {
        "other answers": _behaviour(duplicated_rows="units of row 1 were 3, then 4"),
        "not tried": _untried("duplicated_rows"),
    },
    "rescaled_units": {
        "other answers": _behaviour(rescaled_units="units of row 1 were 3, then 4"),
        "not tried": _untried("rescaled_units"),
    },
    "group_anomalies": {
        "one group": _group(anomaly_share=0.11),
        "a NaN": _group(anomaly_share=nan),
    },
    "group_errors": {
        "one group": _group(error_ratio=2.1),
        "a NaN": _group(error_ratio=nan),
    },
    "latency": {
        "slow": _trial(latency_ms=201.0, champion=COSTS | {"latency_ms": 150.0}),
    },
    "memory": {
        "much": _trial(peak_memory_mib=2049.0),
        "a NaN": _trial(peak_memory_mib=nan),
        "not measured": _without_cost("peak_memory_mib"),
    },
    "size": {"large": _trial(size_mib=257.0, champion=COSTS | {"size_mib": 200.0})},
    "growth": {
        "slower": _champion(latency_ms=1.0),
        "hungrier": _champion(answer_memory_mib=1.0),
        "larger": _champion(size_mib=0.3),
        "a champion without size": _champion(size_mib=0),
        "a champion that does not load": _trial(champion={"failure": "damaged"}),
        "a champion that was not measured": _without_cost("champion"),
        "memory not measured": _without_cost("answer_memory_mib"),
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


def test_the_docs_list_every_rule_in_its_order():
    """Each with why it is there and the test that attacks it."""
    lines = (Path(__file__).parents[2] / "docs" / "registry.md").read_text().splitlines()
    table = lines[lines.index("| rule | why | its test feeds it |") + 2 :]

    listed = [line.split("`")[1] for line in table if line.startswith("| `")][: len(RULES)]
    assert listed == [rule.name for rule in RULES]


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
    """No evaluation is no pass, many times over."""
    results = {result.rule: result for result in judge(replace(GOOD, evaluation=evaluation))}

    outcomes = {result.rule: result.outcome for result in results.values() if not result.passed}
    assert set(outcomes) == {
        "metrics", "held_out_rows", "evaluated", "topographic_error", "dead_units",
        "calibration", "round_trip", "stability",
    }  # fmt: skip
    assert outcomes["stability"] == "not checkable"


GUARDS = {
    "topographic_error": "topographic_error",
    "dead_unit_share": "dead_units",
    "round_trip_error": "round_trip",
    "stability": "stability",
    "n_rows": "held_out_rows",
}


@pytest.mark.parametrize("value", [None, nan, inf, -inf, "0", True], ids=str)
@pytest.mark.parametrize("metric", GUARDS)
def test_a_metric_that_is_no_number_is_not_checkable(metric, value):
    """The rule that bounds it and the rule over all metrics both refuse."""
    results = judge(replace(GOOD, **_evaluation(**{metric: value})))

    refusals = {result.rule: result.outcome for result in results if not result.passed}
    assert refusals == {"metrics": "failed", GUARDS[metric]: "not checkable"}


@pytest.mark.parametrize("metric", REQUIRED_METRICS)
def test_a_missing_metric_stops_a_release(metric):
    """Whichever is not there."""
    assert "metrics" in _refused(replace(GOOD, **_without(metric)))


@pytest.mark.parametrize("cost", ["latency_ms", "size_mib"])
def test_a_cost_that_was_not_measured_stops_a_release(cost):
    """Neither its budget nor its growth could be checked."""
    budget = cost.rpartition("_")[0]

    assert _refused(replace(GOOD, **_without_cost(cost))) == [budget, "growth"]
    assert _refused(replace(GOOD, **_trial(**{cost: nan}))) == [budget, "growth"]


def test_a_trial_that_never_was_stops_a_release():
    """What only the clean process can tell is not checkable without it."""
    refused = _refused(replace(GOOD, trial={}, load_failure="it crashed"))

    assert refused == [
        "loads", "calibration", "row_order", "duplicated_rows", "rescaled_units",
        "latency", "memory", "size", "growth",
    ]  # fmt: skip


@pytest.mark.parametrize("groups", ["no column carrier", []])
def test_groups_that_were_not_measured_stop_a_release(groups):
    """A sensitive column that nobody could look at is no pass."""
    assert _refused(replace(GOOD, groups=groups)) == ["group_anomalies", "group_errors"]


def test_without_sensitive_columns_groups_are_not_asked_for():
    """Who declares none is judged by the other rules."""
    params = GOOD.params.model_copy(update={"sensitive_columns": ()})

    assert _refused(replace(GOOD, groups=(), params=params)) == []


@pytest.mark.parametrize("dirty", ["true", "unknown"])
def test_a_tree_that_is_not_clean_is_a_warning_where_params_say_so(dirty):
    """In development a release of changed files passes, and the verdict says what it is."""
    params = GOOD.params.model_copy(update={"clean_tree": "warn"})
    results = judge(replace(GOOD, dirty=dirty, params=params))

    (tree,) = [result for result in results if result.rule == "clean_tree"]
    assert all(result.passed for result in results)
    assert tree.why.startswith("warning: ")


def _refused(evidence):
    return [result.rule for result in judge(evidence) if not result.passed]


@pytest.mark.parametrize(
    "changes",
    [
        _candidate(qe=0.005, ll=-0.01),
        _candidate(qe=0.004, ll=-0.009, width=0.001),
        _candidate(qe=-0.001, ll=0.001, width=1.0),
        _candidate(qe=-0.4, ll=8.0),
    ],
    ids=["at the bound", "surely within", "better", "much better"],
)
def test_a_release_within_the_tolerance_or_better_passes(changes):
    """The bound itself is still let through."""
    assert _refused(replace(GOOD, **changes)) == []


def test_the_interval_is_shown():
    """Who reads the verdict sees how far the difference could be chance."""
    results = judge(replace(GOOD, **_candidate(qe=0.001, ll=0.5, width=0.002)))

    why = {result.rule: result.why for result in results}
    assert "difference +0.001 [-0.001, +0.003] over 1,000 rows" in why["quantization_error"]
    assert "difference +0.5 [+0.498, +0.502]" in why["log_likelihood"]


def test_the_first_release_is_judged_by_absolute_bounds_only_and_says_so():
    """Without a champion there is nothing to be worse than."""
    results = judge(replace(GOOD, comparison=None, trial=_without_cost("champion")["trial"]))

    assert all(result.passed for result in results)
    alone = [r.rule for r in results if r.why == "no champion yet: absolute bounds only"]
    assert alone == ["comparable", "quantization_error", "log_likelihood", "growth"]


def test_the_shipped_params_name_every_bound():
    """A person finds every number of the gate in params.yaml, and none is hidden."""
    text = (Path(__file__).parents[2] / "params.yaml").read_text()

    assert all(f"  {name}: " in text for name in GateParams.model_fields)
    assert load_params(Path(__file__).parents[2] / "params.yaml").gate.clean_tree == "warn"


def test_an_accepted_change_passes_with_its_reason():
    """The reason is kept with the result that it lets through."""
    evidence = replace(GOOD, **_candidate(n_units=4, qe=1.5), accept_change="a sketch")

    results = {result.rule: result for result in judge(evidence)}

    assert all(result.passed for result in results.values())
    assert results["comparable"].why == "not comparable, accepted: a sketch"


def test_a_verdict_without_rules_is_a_refusal():
    """A gate that asked nothing lets nothing through."""
    verdict = Verdict(1, DIGEST, None, None, judge(GOOD, rules=[]))

    assert not verdict.passed
    with pytest.raises(GateRefusedError, match="no rule was asked"):
        verdict.require()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"load_failure": "exit -11"}, "loads failed (it does not load or answer; exit -11)"),
        (
            {"withdrawn": "entry 3: complaints"},
            "not_withdrawn failed (it was taken back; entry 3: complaints; `modemap rollback --to`",
        ),
        (
            {"evaluation": GOOD.evaluation | {"stability": 0.09}},
            "stability failed (0.09 against 0.1: lowest agreement",
        ),
    ],
)
def test_what_stopped_a_release_is_a_sentence(changes, sentence):
    """A number stands against its bound; of what is no number the reason is told."""
    verdict = Verdict(1, DIGEST, 1, None, judge(replace(GOOD, **changes)))

    with pytest.raises(GateRefusedError) as caught:
        verdict.require()

    assert sentence in caught.value.found
    assert caught.value.hint.endswith("; the champion stays as it is")


@pytest.mark.parametrize(
    ("metric", "value", "tried"),
    [
        ("stability", 0.09, "for stability try fewer segments (train_som.n_segments)"),
        ("topographic_error", 0.26, "gate.topographic_error_max"),
        ("dead_unit_share", 0.6, "for dead_units try a smaller map"),
    ],
)
def test_who_is_refused_is_told_what_to_try(metric, value, tried):
    """Where there is no champion, none stays; a number that is missing is not to be tried at."""
    results = judge(replace(GOOD, evaluation=GOOD.evaluation | {metric: value}))
    missing = judge(replace(GOOD, evaluation=GOOD.evaluation | {metric: None}))

    with pytest.raises(GateRefusedError) as caught:
        Verdict(1, DIGEST, None, None, results).require()
    with pytest.raises(GateRefusedError) as unknown:
        Verdict(1, DIGEST, None, None, missing).require()

    assert tried in caught.value.hint
    assert caught.value.hint.endswith("; nothing is promoted")
    assert " try " not in unknown.value.hint


def test_a_refusal_names_every_rule_that_stopped_the_release():
    """Rule, finding and reason stand in one message; NaN can be kept in the record."""
    evidence = replace(GOOD, load_failure="it crashed", **_candidate(ll=nan))
    verdict = Verdict(1, DIGEST, 1, None, judge(evidence))

    with pytest.raises(GateRefusedError) as caught:
        verdict.require()

    assert "loads failed" in caught.value.found
    assert "it crashed" in caught.value.found
    assert "log_likelihood not checkable" in caught.value.found
    assert b'"value": "nan"' in canonical_json(verdict.record())
