"""Great Expectations judges, and what it did not look at has failed."""

import json

import pyarrow as pa
import pytest

from modemap.data.contract import check_contract
from modemap.errors import ParamsError

pytestmark = pytest.mark.workflow

X_POSITIVE = "type: expect_column_values_to_be_between, kwargs: {column: x, min_value: 0}"
WHERE_Y_IS_LARGE = (
    "row_condition: {type: comparison, column: {name: y}, operator: '>', parameter: 99}"
)


@pytest.fixture
def judge(write_raw, write_suite):
    """Return a function that judges one table by one rule."""

    def judge_one(table, rule):
        raw = write_raw(table)
        suite = write_suite("expectations:", f"  - {{{rule}}}")
        [judgement] = check_contract(raw, suite)
        [outcome] = judgement.outcomes
        json.dumps(outcome.document(), allow_nan=False)
        return outcome

    return judge_one


def _integers(*values):
    return pa.array(values, pa.int64())


def test_a_rule_that_holds_says_how_much_it_looked_at(judge):
    """Missing values are not counted as evaluated."""
    outcome = judge({"x": _integers(1, None, 3)}, X_POSITIVE)

    assert outcome.failure is None
    assert (outcome.evaluated, outcome.unexpected, outcome.rows) == (2, 0, [])


def test_a_broken_rule_says_which_rows_broke_it(judge):
    """All positions are known, the first values are shown, the share is of what was evaluated."""
    outcome = judge({"x": _integers(1, -1, None, *range(-9, 0))}, X_POSITIVE)

    assert outcome.failure == "broken"
    assert (outcome.evaluated, outcome.unexpected) == (11, 10)
    assert outcome.first == [-1, -9, -8, -7, -6]
    assert outcome.rows == [1, *range(3, 12)]
    assert outcome.document()["unexpected_share"] == pytest.approx(10 / 11)


EMPTY = {"x": pa.array([None, None], pa.int64()), "y": [1, 2]}
NO_ROWS = {"x": _integers()}
ROWS = {"x": [1, 2], "y": [1, 2]}


def _rule(kind, *kwargs):
    return f"type: expect_{kind}, kwargs: {{{', '.join(kwargs)}}}"


VACUOUS = {
    "all-null column": (EMPTY, X_POSITIVE),
    "all-null unique": (EMPTY, _rule("column_values_to_be_unique", "column: x")),
    "all-null type": (EMPTY, _rule("column_values_to_be_of_type", "column: x", "type_: int64")),
    "all-null mean": (EMPTY, _rule("column_mean_to_be_between", "column: x", "min_value: 0")),
    "all-null distinct values": (
        EMPTY,
        _rule("column_distinct_values_to_be_in_set", "column: x", "value_set: [1]"),
    ),
    "all-null pair": (
        EMPTY,
        _rule(
            "column_pair_values_a_to_be_greater_than_b",
            "column_A: x",
            "column_B: y",
            "ignore_row_if: either_value_is_missing",
        ),
    ),
    "all-null compound": (
        {"x": EMPTY["x"], "y": EMPTY["x"]},
        _rule("compound_columns_to_be_unique", "column_list: [x, y]"),
    ),
    "zero rows": (NO_ROWS, X_POSITIVE),
    "zero rows not null": (NO_ROWS, _rule("column_values_to_not_be_null", "column: x")),
    "zero rows columns": (NO_ROWS, _rule("table_columns_to_match_set", "column_set: [x]")),
    "zero rows counted": (NO_ROWS, _rule("table_row_count_to_be_between", "min_value: 0")),
    "condition": (ROWS, _rule("column_values_to_not_be_null", "column: x", WHERE_Y_IS_LARGE)),
    "condition on a mean": (
        ROWS,
        _rule("column_mean_to_be_between", "column: x", "min_value: 0", WHERE_Y_IS_LARGE),
    ),
    "condition on a count": (
        ROWS,
        _rule("table_row_count_to_be_between", "min_value: 0", WHERE_Y_IS_LARGE),
    ),
}


@pytest.mark.parametrize(("table", "rule"), VACUOUS.values(), ids=VACUOUS)
def test_what_evaluated_nothing_has_failed_unless_it_may_be_empty(judge, table, rule):
    """Great Expectations calls most of these a success; here only `may_be_empty` does."""
    strict, lenient = judge(table, rule), judge(table, f"{rule}, may_be_empty: true")

    assert (strict.failure, strict.evaluated) == ("evaluated no rows", 0)
    assert (lenient.failure, lenient.evaluated) == (None, 0)


MAY_BE_EMPTY_AND_STILL_BROKEN = {
    "values": ({"x": [-1]}, X_POSITIVE),
    "a share of nothing": (
        EMPTY,
        _rule("column_proportion_of_non_null_values_to_be_between", "column: x", "min_value: 1"),
    ),
    "rows": (NO_ROWS, _rule("table_row_count_to_be_between", "min_value: 1")),
    "a column": (NO_ROWS, _rule("column_to_exist", "column: z")),
}


@pytest.mark.parametrize(
    ("table", "rule"),
    MAY_BE_EMPTY_AND_STILL_BROKEN.values(),
    ids=MAY_BE_EMPTY_AND_STILL_BROKEN,
)
def test_may_be_empty_excuses_nothing_else(judge, table, rule):
    """What was observed and is wrong stays wrong."""
    assert judge(table, f"{rule}, may_be_empty: true").failure == "broken"


RAISING = {
    "missing column": "type: expect_column_mean_to_be_between, kwargs: {column: z, min_value: 0}",
    "missing column in rows": "type: expect_column_values_to_be_unique, kwargs: {column: z}",
    "missing column in a condition": (
        "type: expect_column_values_to_not_be_null, kwargs: {column: x, row_condition: "
        "{type: nullity, column: {name: z}, is_null: false}}"
    ),
    "text against numbers": (
        "type: expect_column_values_to_be_between, kwargs: {column: name, min_value: 0}"
    ),
    "SQL without SQL": (
        "type: unexpected_rows_expectation, kwargs: {unexpected_rows_query: 'SELECT 1 {batch}'}"
    ),
}


@pytest.mark.parametrize("rule", RAISING.values(), ids=RAISING)
def test_a_rule_that_raises_has_failed(judge, rule):
    """Also where it may be empty; the exception's message is kept and the others are judged."""
    outcome = judge({"x": [1, 2], "name": ["a", "b"]}, f"{rule}, may_be_empty: true")

    assert outcome.failure is not None
    assert outcome.failure.startswith("raised: ")
    assert len(outcome.failure) > len("raised: ")
    assert outcome.evaluated in (0, 2)


def test_one_rule_that_raises_keeps_no_other_from_being_judged(write_raw, write_suite):
    """Outcomes come in the suite's order, whatever order Great Expectations answers in."""
    raw = write_raw({"x": [1, -2]})
    suite = write_suite(
        "expectations:",
        f"  - {{{X_POSITIVE}}}",
        f"  - {{{RAISING['missing column']}}}",
        "  - {type: expect_column_to_exist, kwargs: {column: x}}",
        f"  - {{{X_POSITIVE}}}",
    )

    [judgement] = check_contract(raw, suite)

    assert [outcome.rule for outcome in judgement.outcomes] == list(suite.rules)
    failures = [outcome.failure for outcome in judgement.outcomes]
    assert failures[0] == failures[3] == "broken"
    assert str(failures[1]).startswith("raised")
    assert failures[2] is None


def test_a_missing_column_that_must_exist_is_broken(judge):
    """It is no exception but the very thing the rule asks."""
    assert (
        judge({"x": [1]}, "type: expect_column_to_exist, kwargs: {column: z}").failure == "broken"
    )


def test_an_observed_nan_has_failed(judge):
    """The deviation of one value is no number, and no number is within bounds."""
    outcome = judge(
        {"x": [1.5]}, "type: expect_column_stdev_to_be_between, kwargs: {column: x, min_value: 0}"
    )

    assert outcome.failure == "broken"
    assert outcome.observed is None


@pytest.mark.parametrize("observed", [float("nan"), {"values": [0.0, float("nan")]}])
def test_a_nan_fails_even_where_great_expectations_lets_it_pass(judge, monkeypatch, observed):
    """Comparisons with NaN go wrong quietly, so an observed one is looked for by itself."""
    import great_expectations.expectations as gxe  # takes seconds

    answer = {"success": True, "result": {"observed_value": observed}}
    monkeypatch.setattr(gxe.ExpectColumnMeanToBeBetween, "_validate", lambda *_, **__: answer)

    outcome = judge({"x": [1.5]}, _rule("column_mean_to_be_between", "column: x", "min_value: 0"))

    assert outcome.failure == "broken"


def test_infinite_values_break_bounds_and_stay_out_of_the_report(judge):
    """JSON knows no infinity, so it is shown as null."""
    outcome = judge(
        {"x": [1.0, float("inf")]},
        "type: expect_column_values_to_be_between, kwargs: {column: x, max_value: 9}",
    )

    assert (outcome.failure, outcome.rows, outcome.first) == ("broken", [1], [None])


def test_whole_numbers_have_one_type_beside_missing_values(judge):
    """A column of integers is int64 whether or not some are missing."""
    rule = "type: expect_column_values_to_be_of_type, kwargs: {column: x, type_: int64}"

    assert judge({"x": _integers(1, None)}, rule).failure is None
    assert judge({"x": _integers(1, 2)}, rule).failure is None
    assert judge({"x": [1.0, 2.0]}, rule).failure == "broken"


MISSPELT = {
    "type": (
        "type: expect_column_values_to_be_betwen, kwargs: {column: x}",
        "did you mean `expect_column_values_to_be_between`",
    ),
    "argument": (
        "type: expect_column_values_to_be_between, kwargs: {column: x, min_valu: 0}",
        "did you mean `min_value`",
    ),
    "argument left out": (
        "type: expect_column_values_to_be_between, kwargs: {min_value: 0}",
        "it takes column,",
    ),
    "argument of another type": (
        "type: expect_column_values_to_be_between, kwargs: {column: x, min_value: 0, mostly: 2}",
        "it takes column,",
    ),
    "condition as text": (
        "type: expect_column_values_to_be_unique, kwargs: {column: x, row_condition: 'y > 3'}",
        "type: nullity",
    ),
    "condition of another form": (
        "type: expect_column_values_to_be_unique, kwargs: {column: x, row_condition: {y: 3}}",
        "it takes column,",
    ),
    "all batches for a rule about columns": (
        "type: expect_table_column_count_to_equal, kwargs: {value: 1}, over: all",
        "take `over` out",
    ),
}


@pytest.mark.parametrize(("rule", "hint"), MISSPELT.values(), ids=MISSPELT)
def test_what_great_expectations_does_not_know_is_refused_before_the_data(judge, rule, hint):
    """The error is the suite's, with its line and the nearest valid name."""
    with pytest.raises(ParamsError, match=r"suite\.yaml:2") as caught:
        judge({"x": [1]}, rule)

    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
