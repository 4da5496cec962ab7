"""The suite's file: what it says, and what it must not."""

from pathlib import Path

import pytest

from modemap.data.suite import Rule, read_suite
from modemap.errors import ParamsError

FLIGHTS = Path(__file__).parents[2] / "expectations" / "flights.yaml"


def test_a_suite_is_read_as_it_is_written(write_suite):
    """Each rule knows its line, its own kwargs as plain values, and what it is excused from."""
    suite = write_suite(
        "key: [id]",
        "expectations:",
        "  - type: expect_column_values_to_be_between",
        "    kwargs: {column: x, min_value: 0.5, max_value: 3}",
        "    why: because",
        "  - {type: expect_table_row_count_to_be_between, over: all, may_be_empty: true}",
    )

    place = f"{suite.path}:3"
    kwargs = {"column": "x", "min_value": 0.5, "max_value": 3}
    assert suite.key == ("id",)
    assert suite.rules[0] == Rule(
        place, "expect_column_values_to_be_between", kwargs, why="because"
    )
    assert [type(value) for value in suite.rules[0].kwargs.values()] == [str, float, int]
    assert (suite.rules[1].over, suite.rules[1].may_be_empty) == ("all", True)


def test_a_rule_knows_the_columns_it_needs():
    """Those it speaks of, and those that decide about which rows."""
    condition = {
        "type": "and",
        "conditions": [
            {"type": "nullity", "column": {"name": "a"}, "is_null": False},
            {"type": "comparison", "column": {"name": "b"}, "operator": ">", "parameter": 0},
        ],
    }
    rule = Rule("", "t", {"column_A": "x", "column_B": "y", "row_condition": condition})

    assert rule.columns == ["x", "y"]
    assert rule.condition_columns == ["a", "b"]
    assert Rule("", "t", {"column_list": ["p", "q"]}).columns == ["p", "q"]


TYPE = "expect_column_to_exist"

BAD_SUITES = {
    "empty file": ([""], "", "an empty file"),
    "a list": (["- a"], "", "CommentedSeq"),
    "no expectations": (["key: [id]"], "", "none under"),
    "empty expectations": (["expectations: []"], "", "none under"),
    "not YAML": (["expectations: ["], ":1", ""),
    "same key twice": (["key: []", "key: []"], ":2", ""),
    "unknown top key": (["expectation: []"], ":1: expectation", "expectation"),
    "key is no list": (["key: id", "expectations:", "  - type: t"], ":1: key", "'id'"),
    "unknown key": (["expectations:", f"  - type: {TYPE}", "    kwarg: {}"], ":3: kwarg", "kwarg"),
    "no type": (["expectations:", "  - kwargs: {}"], ":2: type", "None"),
    "a word": (["expectations:", f"  - {TYPE}"], ":2", TYPE),
    "kwargs a list": (["expectations:", "  - type: t", "    kwargs: []"], ":3: kwargs", "[]"),
    "why a number": (["expectations:", "  - type: t", "    why: 3"], ":3: why", "3"),
    "empty a word": (
        ["expectations:", "  - type: t", "    may_be_empty: 'yes'"], ":3: may_be_empty", "'yes'",
    ),
    "over none": (["expectations:", "  - type: t", "    over: some"], ":3: over", "'some'"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "place", "found"), BAD_SUITES.values(), ids=BAD_SUITES)
def test_a_suite_that_says_something_else_is_refused(write_suite, lines, place, found):
    """The message names file, line, rule, value and what to do; the exit code is 2."""
    with pytest.raises(ParamsError, match=r"suite\.yaml") as caught:
        write_suite(*lines)

    assert caught.value.exit_code == 2
    assert caught.value.place.endswith(f"suite.yaml{place}")
    assert found in caught.value.found
    assert caught.value.hint


def test_the_nearest_valid_key_is_offered(write_suite):
    """A misspelt key is answered with the key that was meant."""
    with pytest.raises(ParamsError, match="did you mean `may_be_empty`"):
        write_suite("expectations:", "  - type: t", "    maybe_empty: true")


def test_a_missing_file_and_other_bytes_are_refused(tmp_path):
    """The message names the file and, where it is missing, the setting that names it."""
    with pytest.raises(ParamsError, match=r"validate\.suite"):
        read_suite(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParamsError, match="UTF-8"):
        read_suite(tmp_path / "bytes.yaml")


def test_every_rule_of_the_flights_says_why():
    """Who meets a broken rule learns what it is for."""
    suite = read_suite(FLIGHTS)

    assert suite.key == ("time_hour", "carrier", "flight")
    assert all(len(rule.why) > 9 for rule in suite.rules)
