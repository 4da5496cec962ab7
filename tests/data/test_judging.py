"""Aggregates give the answers that Great Expectations gives over the rows themselves."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from modemap.data import aggregates, judging, repeated
from modemap.data.contract import check_contract
from modemap.data.expectations import Contract
from modemap.data.judging import data_frame
from modemap.data.kept import Kept
from modemap.data.memory import Memory
from modemap.errors import DataError

pytestmark = pytest.mark.workflow

N_ROWS = 400
WHERE_X_IS = "row_condition: {type: nullity, column: {name: x}, is_null: "
EITHER = "ignore_row_if: either_value_is_missing"
A_GREATER = "column_pair_values_a_to_be_greater_than_b, kwargs: {column_A:"
RULES = [
    "table_row_count_to_be_between, kwargs: {min_value: 100, max_value: 500}",
    "table_row_count_to_be_between, kwargs: {min_value: 500}",
    "table_row_count_to_equal, kwargs: {value: 400}",
    "table_columns_to_match_set, kwargs: {column_set: [i, x, s, at, b, g], exact_match: true}",
    "table_columns_to_match_set, kwargs: {column_set: [i, x], exact_match: true}",
    "table_column_count_to_equal, kwargs: {value: 6}",
    "column_to_exist, kwargs: {column: x}",
    "column_to_exist, kwargs: {column: z}",
    "column_values_to_not_be_null, kwargs: {column: z}",
    "column_values_to_not_be_null, kwargs: {column: x}",
    "column_values_to_not_be_null, kwargs: {column: x, mostly: 0.5}",
    "column_values_to_not_be_null, kwargs: {column: x, mostly: 0.999}",
    f"column_values_to_not_be_null, kwargs: {{column: s, {WHERE_X_IS} false}}}}",
    f"column_values_to_be_null, kwargs: {{column: x, {WHERE_X_IS} true}}}}",
    f"column_values_to_be_null, kwargs: {{column: s, {WHERE_X_IS} true}}}}",
    f"column_values_to_be_null, kwargs: {{column: i, {WHERE_X_IS} true}}}}",
    "column_values_to_be_null, kwargs: {column: g}",
    "column_values_to_be_between, kwargs: {column: i, min_value: 0, max_value: 400}",
    "column_values_to_be_between, kwargs: {column: i, min_value: 0.5, max_value: 398.5}",
    "column_values_to_be_between, kwargs: {column: i, min_value: 0, strict_min: true}",
    "column_values_to_be_between, kwargs: {column: x, max_value: 9}",
    "column_values_to_be_between, kwargs: {column: x, min_value: -1, max_value: 1}",
    "column_values_to_be_between, kwargs: {column: x, min_value: -1, max_value: 1, mostly: 0.5}",
    "column_values_to_be_between, kwargs: {column: s, min_value: 0}",
    "column_values_to_be_between, kwargs: {column: g, min_value: 0}",
    "column_values_to_be_between, kwargs: {column: at, min_value: '2020-01-01T00:00:00+00:00'}",
    "column_values_to_be_between, kwargs: {column: at, min_value: '2020-01-05T00:00:00+00:00'}",
    "column_values_to_be_of_type, kwargs: {column: i, type_: int64}",
    "column_values_to_be_of_type, kwargs: {column: i, type_: float64}",
    "column_values_to_be_of_type, kwargs: {column: s, type_: str}",
    "column_values_to_be_of_type, kwargs: {column: at, type_: Timestamp}",
    "column_values_to_be_in_set, kwargs: {column: s, value_set: [alpha, beta, gamma]}",
    "column_values_to_be_in_set, kwargs: {column: s, value_set: [alpha]}",
    "column_values_to_be_in_set, kwargs: {column: s, value_set: [alpha, beta], mostly: 0.1}",
    "column_values_to_be_in_set, kwargs: {column: b, value_set: [true, false]}",
    "column_values_to_not_be_in_set, kwargs: {column: i, value_set: [7, 9999]}",
    "column_values_to_match_regex, kwargs: {column: s, regex: '^[a-z]+$'}",
    "column_values_to_match_regex, kwargs: {column: s, regex: '^a'}",
    "column_value_lengths_to_be_between, kwargs: {column: s, min_value: 1, max_value: 9}",
    "column_values_to_be_unique, kwargs: {column: i}",
    "column_values_to_be_unique, kwargs: {column: x}",
    "column_values_to_be_unique, kwargs: {column: s, mostly: 0.01}",
    "compound_columns_to_be_unique, kwargs: {column_list: [i, s]}",
    "compound_columns_to_be_unique, kwargs: {column_list: [s, b]}",
    "compound_columns_to_be_unique, kwargs: {column_list: [s, x], ignore_row_if: never}",
    f"{A_GREATER} x, column_B: i}}",
    f"{A_GREATER} i, column_B: x, {EITHER}}}",
    f"{A_GREATER} x, column_B: i, mostly: 0.001, {EITHER}}}",
    "column_median_to_be_between, kwargs: {column: x, min_value: -1, max_value: 1}",
    "column_mean_to_be_between, kwargs: {column: i, min_value: 1000}",
]


def rows(seed, first=0):
    """Return rows of six columns, with missing values and repeated ones."""
    rng = np.random.default_rng(seed)
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    x = rng.normal(size=N_ROWS).round(2)
    x[rng.random(N_ROWS) < 0.1] = np.nan
    return pa.table(
        {
            "i": pa.array(np.arange(first, first + N_ROWS)),
            "x": pa.array(x, mask=np.isnan(x)),
            "s": pa.array(rng.choice(["alpha", "beta", "gamma"], N_ROWS), mask=np.isnan(x)),
            "at": pa.array(
                [start + dt.timedelta(hours=int(h)) for h in rng.integers(0, 200, N_ROWS)]
            ),
            "b": pa.array(rng.random(N_ROWS) < 0.5),
            "g": pa.nulls(N_ROWS, pa.float64()),
        }
    )


def told(outcomes):
    """Return all that is known of outcomes, as plain values."""
    return [(o.document(), o.rows) for o in outcomes]


def suite_lines(over):
    """Return the suite's file: rules about whole tables only of batches."""
    listed = [
        r for r in RULES if over == "batch" or not r.startswith(("table_column", "column_to"))
    ]
    return ["expectations:", *(f"  - {{type: expect_{rule}, over: {over}}}" for rule in listed)]


def test_each_batch_is_judged_as_its_rows_are(write_raw, write_suite, tmp_path):
    """Counts, shown values, observed ones and positions are those of a check of all rows."""
    tables = [rows(0), rows(2, first=5).slice(0, 90), rows(3).slice(0, 0)]
    raw, suite = write_raw(*tables), write_suite(*suite_lines("batch"))
    contract = Contract(suite.rules)

    found = list(check_contract(raw, suite, Kept(tmp_path / "kept")))
    again = list(check_contract(raw, suite, Kept(tmp_path / "kept")))

    for judgement, repeated_one, table in zip(found, again, tables, strict=True):
        expected = told(contract.check(data_frame(table)))
        assert told(judgement.outcomes) == expected
        assert told(repeated_one.outcomes) == expected


def test_a_batch_that_was_judged_and_then_damaged_is_refused(write_raw, write_suite, tmp_path):
    """What is kept of it holds for its bytes alone."""
    raw, suite = (
        write_raw(rows(0)),
        write_suite("expectations:", f"  - {{type: expect_{RULES[0]}}}"),
    )
    kept = Kept(tmp_path / "kept")
    list(check_contract(raw, suite, kept))
    [path] = raw.glob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(DataError, match="must have the content"):
        list(check_contract(raw, suite, kept))


def test_all_batches_are_judged_as_all_their_rows_are(write_raw, write_suite, monkeypatch):
    """So are rules over all batches; keys are compared in parts that fit into memory."""
    monkeypatch.setattr(Memory, "hashes", 100)
    tables = [rows(0), rows(1, first=200).slice(0, 300)]
    raw, suite = write_raw(*tables), write_suite(*suite_lines("all"))

    [judgement] = check_contract(raw, suite)

    expected = Contract(suite.rules).check(data_frame(pa.concat_tables(tables)))
    assert told(judgement.outcomes) == told(expected)


def test_only_doubtful_columns_are_read_again(write_raw, write_suite, monkeypatch):
    """A good batch is settled by its aggregates; a broken one shows the columns of broken rules."""
    read = []
    known = judging.read_batch

    def watched(directory, batch, columns=None):
        read.append((batch.source, columns))
        return known(directory, batch, columns)

    monkeypatch.setattr(judging, "read_batch", watched)
    raw = write_raw(rows(0), rows(1).set_column(0, "i", [[-1] * N_ROWS]))
    suite = write_suite(
        "expectations:",
        "  - {type: expect_column_values_to_be_between, kwargs: {column: i, min_value: 0}}",
        "  - {type: expect_column_values_to_be_between, kwargs: {column: x, min_value: -99}}",
        "  - {type: expect_column_values_to_match_regex, kwargs: {column: s, regex: a}}",
    )

    good, broken = check_contract(raw, suite)

    assert read == [("part-1", ["i"])]
    assert not good.broken
    assert [outcome.unexpected for outcome in broken.broken] == [N_ROWS]


def test_too_many_different_values_are_judged_by_the_rows(write_raw, write_suite, monkeypatch):
    """Aggregates stay small; the answer is the same."""
    monkeypatch.setattr(aggregates, "MAX_DISTINCT", 2)
    table = rows(0)
    raw = write_raw(table)
    suite = write_suite(
        "expectations:",
        "  - {type: expect_column_values_to_match_regex, kwargs: {column: s, regex: '^[a-z]+$'}}",
    )

    [judgement] = check_contract(raw, suite)

    assert told(judgement.outcomes) == told(Contract(suite.rules).check(data_frame(table)))


def test_a_repeated_hash_is_no_repeated_key(write_raw, write_suite, monkeypatch):
    """Rows are compared by their values before anybody calls them repeated."""
    monkeypatch.setattr(repeated, "row_hashes", lambda table, _: np.zeros(len(table), np.uint64))
    raw = write_raw({"i": [1, 2, 3]}, {"i": [4, 5, 1]})
    suite = write_suite(
        "expectations:",
        "  - {type: expect_column_values_to_be_unique, kwargs: {column: i}, over: all}",
    )

    [judgement] = check_contract(raw, suite)

    [outcome] = judgement.broken
    assert (outcome.evaluated, outcome.unexpected, outcome.rows) == (6, 2, [0, 5])
