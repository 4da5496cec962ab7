"""The contract over batches: each by itself, and all at once."""

from pathlib import Path

import pytest

from modemap.data.batches import write_batches
from modemap.data.contract import check_contract
from modemap.data.flights import packaged_months
from modemap.data.suite import read_suite
from modemap.errors import DataError

pytestmark = pytest.mark.workflow

FLIGHTS = Path(__file__).parents[2] / "expectations" / "flights.yaml"
UNIQUE_ID = "type: expect_compound_columns_to_be_unique, kwargs: {column_list: [id, at]}"


def test_rules_over_all_batches_see_what_no_batch_shows(write_raw, write_suite):
    """A key that is unique in each batch and not over all is found, with positions over all."""
    raw = write_raw({"id": [1, 2], "at": [0, 0]}, {"id": [3, 2], "at": [0, 0]})
    suite = write_suite("expectations:", f"  - {{{UNIQUE_ID}}}", f"  - {{{UNIQUE_ID}, over: all}}")

    first, second, together = check_contract(raw, suite)

    assert not first.broken
    assert not second.broken
    assert [outcome.rows for outcome in together.broken] == [[1, 3]]
    assert (together.name, together.document()["digest"]) == ("all", None)


def test_rows_are_counted_over_all_batches(write_raw, write_suite):
    """A rule that names no column counts the rows of all batches."""
    raw = write_raw({"id": [1, 2]}, {"id": [3]})
    rule = "type: expect_table_row_count_to_equal, kwargs: {value: 3}, over: all"

    [together] = check_contract(raw, write_suite("expectations:", f"  - {{{rule}}}"))

    assert not together.broken
    assert together.outcomes[0].evaluated == 3


def test_judgements_are_equal_for_equal_data(write_raw, write_suite):
    """No time, run or folder enters the document."""
    raw = write_raw({"id": [1, 1], "at": [0, 0]})
    suite = write_suite("expectations:", f"  - {{{UNIQUE_ID}}}")

    documents = [[j.document() for j in check_contract(raw, suite)] for _ in range(2)]

    assert documents[0] == documents[1]


def test_a_damaged_batch_is_not_judged(write_raw, write_suite):
    """Its bytes must be those that the manifest names."""
    raw = write_raw({"id": [1]})
    [path] = raw.glob("*.parquet")
    path.write_bytes(path.read_bytes() + b" ")
    suite = write_suite("expectations:", f"  - {{{UNIQUE_ID}}}")

    with pytest.raises(DataError, match=path.name):
        list(check_contract(raw, suite))


@pytest.mark.slow
def test_every_month_of_the_flights_keeps_the_contract(tmp_path):
    """The bounds are honest: a year of real flights breaks none of them, alone or together."""
    write_batches(tmp_path / "raw", packaged_months(range(1, 13)))

    judgements = list(check_contract(tmp_path / "raw", read_suite(FLIGHTS)))

    assert len(judgements) == 13
    broken = [(j.name, o.rule.place, o.failure) for j in judgements for o in j.broken]
    assert broken == []
