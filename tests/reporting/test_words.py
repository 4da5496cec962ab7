"""Tests of numbers and findings in words."""

import pytest

from modemap.reporting.rules import extent, sentence
from modemap.reporting.story import Contrast, Judged, Reason, RuleStory, StrangeRow
from modemap.reporting.words import (
    blame,
    change,
    count,
    distinction,
    held,
    is_joint,
    number,
    percent,
    place_of,
    short,
    strength,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (NAN, "–"),
        (float("-inf"), "−∞"),
        (-0.0, "0"),
        (0.0379, "0.0379"),
        (-29.43106, "−29.43"),
        (26398, "26,398"),
        (1151.37, "1,151"),
        (2.5e12 + 0.5, "2.500e+12"),
        (1e300, "1.000e+300"),
        (-1e300, "−1.000e+300"),
        ("loads", "loads"),
    ],
)
def test_a_number_has_the_digits_that_count(value, text):
    """Four of them, a minus as wide as a digit, and a dash for what is not there."""
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(999.7, "1,000"), (867.74, "868"), (0.05303, "0.053")])
def test_a_scale_has_fewer_digits(value, text):
    """And no power of ten where a number rounds up to a thousand."""
    assert number(value, 3) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (7.41e-5, "0.0074 %"), (0.653, "65.3 %"), (0.99995, "> 99.9 %"), (1, "100 %"),
     (NAN, "–")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all(share, text):
    """Nearly all is not all, and little is not nothing."""
    assert percent(share).replace("\u00a0", " ") == text


def test_counts_agree_with_their_nouns():
    """One row, two rows, batches."""
    said = count(1, "row"), count(2000, "row"), count(0, "batch", "batches")
    assert said == ("1 row", "2,000 rows", "0 batches")


@pytest.mark.parametrize(
    ("effect", "word"),
    [(0.9, "much higher"), (-0.4, "lower"), (0.2, "slightly higher"), (0.1, ""), (NAN, "")],
)
def test_an_effect_is_named_by_its_size(effect, word):
    """By Romano's bounds; small ones, and none at all, are not named."""
    assert strength(Contrast("x", effect, 0.0, 0.0)) == word


@pytest.mark.parametrize(
    ("below", "above", "text"),
    [
        (0.99995, 0.0, "above all training rows"),
        (0.995, 0.0042, "among the highest 0.5 %"),
        (0.0, 0.9, "below all training rows"),
        (0.0002, 0.9, "among the lowest 0.1 %"),
        (0.4, 0.6, "not unusual by itself"),
    ],
)
def test_a_value_is_placed_among_the_training_rows(below, above, text):
    """At an end, near one, or among the others."""
    assert place_of(Reason("x", 1.0, 1.0, below, above)).replace("\u00a0", " ") == text


@pytest.mark.parametrize(("above", "together"), [(0.3, True), (0.0, False)])
def test_a_row_may_be_strange_by_the_company_of_its_values(above, together):
    """Where the columns that weigh most are usual by themselves."""
    reasons = [Reason("x", 1.0, 9.0, 0.5, above), Reason("y", 1.0, 5.0, 0.5, 0.5)]

    assert is_joint(StrangeRow({}, "test", 0, 0, -9.0, reasons)) == together


@pytest.mark.parametrize(
    ("value", "other", "better", "expected"),
    [
        (0.75, 0.5, "lower", ("+0.25", "worse")),
        (-28.0, -29.5, "higher", ("+1.5", "better")),
        (192, 256, "", ("−64", "")),
        (1.0, 1.0, "lower", ("same", "")),
        (None, 1.0, "lower", ("–", "")),
        (NAN, 1.0, "lower", ("–", "")),
    ],
)
def test_a_change_says_which_way_is_better(value, other, better, expected):
    """Difference and judgement, neither where there is nothing to compare."""
    assert change(value, other, better) == expected


MISSING = {"type": "nullity", "column": {"name": "a"}, "is_null": True}
POSITIVE = {"type": "comparison", "column": {"name": "a"}, "operator": ">", "parameter": 0}


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        ("expect_column_values_to_not_be_null", {}, "to not be null"),
        ("expect_column_values_to_be_of_type", {"type_": "int64"}, "to be of type int64"),
        ("expect_column_median_to_be_between", {"max_value": 9}, "median to be between 9 and less"),
        ("expect_column_values_to_be_in_set", {"value_set": ["A", 3]}, "to be in set A, 3"),
        ("expect_x", {"row_condition": MISSING}, "x, where a is missing"),
        ("expect_x", {"row_condition": POSITIVE}, "x, where a > 0"),
        ("expect_x", {"row_condition": {"type": "and"}}, "x, where type and"),
        ("expect_x", {"one": 1, "two": [2]}, "x (one 1, two 2)"),
    ],
)
def test_a_rule_is_a_sentence(kind, arguments, text):
    """Made of its type, its bounds, and the rows it speaks of."""
    rule = RuleStory(kind, ["x"], arguments, "", may_be_empty=False, results=[])

    assert sentence(rule) == text


@pytest.mark.parametrize(
    ("failure", "unexpected", "evaluated", "text"),
    [
        ("broken", 2, 200, "2 of 200 values (1 %)"),
        ("broken", None, 200, "observed 7"),
        ("broken", 0, 0, "0 of 0 values (0 %)"),
        ("evaluated no rows", 0, 0, "evaluated no rows"),
    ],
)
def test_how_a_rule_was_broken(failure, unexpected, evaluated, text):
    """By how many values, by what was observed, or by looking at none."""
    result = Judged("a", "", evaluated, unexpected, failure, 7, [], [])

    assert extent(result).replace("\u00a0", " ") == text


def test_a_long_text_is_cut():
    """So that one value does not fill the page."""
    assert short("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [
        ({"a": 0.9}, "Its rows have much higher a than the others."),
        (
            {"a": 0.9, "b": 0.8, "c": -0.4, "d": 0.2, "e": 0.15},
            "Its rows have much higher a and b, lower c, and slightly higher d than the others.",
        ),
        (
            {"a": 0.9, "b": NAN, "c": -0.6},
            "Its rows have much higher a, and much lower c than the others.",
        ),
        ({"a": 0.1, "b": -0.1}, "Like all other rows in every single column."),
        ({"a": NAN, "b": NAN}, "There are no rows to compare."),
    ],
)
def test_what_sets_rows_apart_is_one_sentence(effects, sentence):
    """Columns of like effect stand together, four of them at most, and small effects are none."""
    contrasts = [Contrast(name, effect, 0.0, 0.0) for name, effect in effects.items()]

    assert distinction(contrasts) == sentence


@pytest.mark.parametrize(
    ("jaccard", "words"),
    [
        (1.0, "highly stable"),
        (0.75, "stable"),
        (0.6, "a pattern, but which rows belong to it is doubtful"),
        (0.59, "not to be relied on"),
        (NAN, "not known: no row lies in it"),
    ],
)
def test_stability_is_told_by_hennig_s_bounds(jaccard, words):
    """Each bound belongs to the better side."""
    assert held(jaccard) == words


@pytest.mark.parametrize(
    ("nats", "below", "sentence"),
    [
        ([0.9, -3.0], 0.0, "No column makes it unusual."),
        ([NAN, NAN], 0.0, "No column makes it unusual."),
        ([9.0, 0.5], 0.0, "a makes it unusual."),
        ([9.0, 1.0], 0.0, "a and b make it unusual."),
        (
            [9.0, 1.0],
            0.5,
            "a and b make it unusual: each value is usual by itself, together they are not.",
        ),
    ],
)
def test_columns_are_blamed_from_a_nat_on(nats, below, sentence):
    """That is, where a value makes the row e times less likely than a usual one."""
    reasons = [Reason(name, 1.0, n, below, 0.5) for name, n in zip("ab", nats, strict=True)]

    assert blame(reasons) == sentence
