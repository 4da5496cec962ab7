"""Rows that broke the contract: where they are kept, and what the message says of them."""

import pyarrow.parquet as pq
import pytest

from modemap.data.contract import check_contract
from modemap.data.quarantine import contract_error, quarantine
from modemap.files import read_json

pytestmark = pytest.mark.workflow

POSITIVE = "type: expect_column_values_to_be_between, kwargs: {column: x, min_value: 0}"
NAMED = "type: expect_column_values_to_not_be_null, kwargs: {column: name}"
UNIQUE = "type: expect_column_values_to_be_unique, kwargs: {column: id}, over: all"


@pytest.fixture
def set_aside(tmp_path, write_raw, write_suite):
    """Return a function that judges tables by rules and quarantines what broke them."""

    def judge(tables, *rules):
        raw = write_raw(*tables)
        suite = write_suite("key: [id]", "expectations:", *(f"  - {{{rule}}}" for rule in rules))
        broken = [
            (judgement, quarantine(tmp_path / "rejected", raw, suite, judgement))
            for judgement in check_contract(raw, suite)
            if judgement.broken
        ]
        return broken, contract_error(tmp_path / "rejected", suite, broken)

    return judge


def test_offending_rows_are_copied_whole_with_the_rules_they_broke(tmp_path, set_aside):
    """A row that broke two rules is there once, with its number and both rules."""
    table = {"id": [7, 8, 9], "x": [1, -1, -2], "name": ["a", None, "c"]}

    [(judgement, report)], _ = set_aside([table], POSITIVE, NAMED)

    folder = tmp_path / "rejected" / judgement.name
    digest = judgement.batches[0].digest
    both = "expect_column_values_to_be_between, expect_column_values_to_not_be_null"
    one = "expect_column_values_to_be_between"
    assert judgement.name == digest[:16]
    assert read_json(folder / "report.json") == report
    assert pq.read_table(folder / "rows.parquet").to_pylist() == [
        {"quarantine.batch": digest, "quarantine.row": 1, "quarantine.rules": both,
         "id": 8, "x": -1, "name": None},
        {"quarantine.batch": digest, "quarantine.row": 2, "quarantine.rules": one,
         "id": 9, "x": -2, "name": "c"},
    ]  # fmt: skip


def test_the_report_names_rule_share_values_and_row_keys(set_aside):
    """What a person needs to find the rows in the source."""
    table = {"id": [7, 8, 9, 10], "x": [1, -1, None, -2]}

    [(_, report)], _ = set_aside([table], f"{POSITIVE}, why: no debts")

    [broken] = report["broken"]
    assert (broken["type"], broken["columns"], broken["why"]) == (
        "expect_column_values_to_be_between", ["x"], "no debts",
    )  # fmt: skip
    assert broken["unexpected_share"] == pytest.approx(2 / 3)
    assert broken["first_unexpected"] == [-1, -2]
    assert broken["first_rows"] == [{"row": 1, "id": 8}, {"row": 3, "id": 10}]
    assert (report["source"], report["offending_rows"]) == ("part-0", 2)


def test_rows_that_only_clash_across_batches_name_both_batches(tmp_path, set_aside):
    """The rule is over all batches, and each row says where it stands."""
    tables = [{"id": [1, 2]}, {"id": [2, 3]}, {"id": [4]}]

    [(judgement, report)], error = set_aside(tables, UNIQUE)

    rows = pq.read_table(tmp_path / "rejected" / "all" / "rows.parquet")
    digests = [batch.digest for batch in judgement.batches[:2]]
    assert rows["quarantine.batch"].to_pylist() == digests
    assert rows["quarantine.row"].to_pylist() == [1, 0]
    assert report["offending_batches"] == sorted(digests)
    assert all(digest in error.hint for digest in digests)


def test_a_rule_without_rows_leaves_a_report_alone(tmp_path, set_aside):
    """A missing column has no offending rows, and none are made up."""
    [(judgement, report)], error = set_aside(
        [{"id": [1]}], "type: expect_column_to_exist, kwargs: {column: z}", POSITIVE
    )

    folder = tmp_path / "rejected" / judgement.name
    assert [path.name for path in folder.iterdir()] == ["report.json"]
    assert report["offending_rows"] == 0
    assert "raised: " in error.found


def test_the_message_names_contract_rules_rows_and_the_next_step(tmp_path, set_aside):
    """The first three broken rules with value and row, the folder, and the digest to exclude."""
    table = {"id": [7, 8], "x": [1, -1], "name": [None, None]}
    rules = (POSITIVE, NAMED, POSITIVE.replace("0", "5"), POSITIVE.replace("0", "6"))

    [(judgement, _)], error = set_aside([table], *rules)

    lines = error.found.splitlines()
    assert error.exit_code == 3
    assert error.place == str(tmp_path / "suite.yaml")
    assert lines[0] == "4 broken rules"
    assert lines[1].strip() == (
        f"{tmp_path}/suite.yaml:3: expect_column_values_to_be_between(x) in part-0: "
        "1 of 2 values (50 %), -1 at (row 1, id 8)"
    )
    assert "nothing at (row 0, id 7)" in lines[2]
    assert lines[-1].strip() == "and 1 more"
    assert str(tmp_path / "rejected" / judgement.name) in error.hint
    assert f"ingest.exclude: {judgement.batches[0].digest}" in error.hint


def test_quarantined_rows_can_be_judged_again(tmp_path, set_aside):
    """Rows read back from quarantine bring its columns along and get them anew."""
    table = {"quarantine.row": [5], "id": [1], "x": [-1]}

    [(judgement, _)], _ = set_aside([table], POSITIVE)

    rows = pq.read_table(tmp_path / "rejected" / judgement.name / "rows.parquet")
    assert rows["quarantine.row"].to_pylist() == [0]
