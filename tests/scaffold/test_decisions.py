"""What becomes of each column, and why."""

import re

import numpy as np
import pyarrow as pa
import pytest

from modemap.data.profile import profile
from modemap.errors import DataError, ParamsError
from modemap.scaffold.decisions import decide

N = 400
NUMBERS = np.random.default_rng(0).normal(size=N).round(3)
START = np.datetime64("2023-01-01T00:00:00")


def decided(columns, key=(), time=None, label=None):
    """Decide on a table of ``columns`` beside one of plain numbers."""
    table = pa.table({"x": NUMBERS, **columns})
    return decide("rows.csv", profile([("rows.csv", table)]), key, time, label)


def hours(step):
    """Return times that many hours apart."""
    return START + (np.arange(N) * step).astype("timedelta64[h]")


@pytest.mark.parametrize(
    ("values", "kind", "use", "why"),
    [
        (np.arange(N) % 50 * 1.5, "continuous", "map and mixture", "50 values from 0 to 73.5"),
        (np.arange(N) % 50, "integer", "map and mixture", "50 values"),
        (np.arange(N) % 2, "boolean", "map", "two values"),
        (np.arange(N) % 2 == 0, "boolean", "map", "yes or no"),
        (np.array(["a", "b", "c"])[np.arange(N) % 3], "category", "map", "3 levels"),
        (np.arange(N), "identifier", "key", "no value is missing or occurs twice"),
        ([f"n{i}" for i in range(N)], "identifier", "key", "no value is missing"),
        ([f"n{i // 1.5}" for i in range(N)], "identifier", "left out", "hardly a value"),
        ([f"how it went on day {i}" for i in range(N)], "free text", "left out", "sentences"),
        ([f"w{i % 150}" for i in range(N)], "category", "left out", "150 levels"),
        (np.full(N, 3.0), "constant", "left out", "always 3"),
        (np.where(np.arange(N) == 5, 1, 0), "nearly constant", "left out", "99.8%"),
        (np.where(np.arange(N) < 300, np.nan, NUMBERS), "number", "left out", "75%"),
        (
            np.where(np.arange(N) == 3, np.inf, NUMBERS),
            "continuous",
            "left out",
            "holds 1 value that is infinite or beyond what models take, in row 3, counted from 0",
        ),
        (
            np.where(np.arange(N) % 9 == 5, -np.inf, NUMBERS),
            "continuous",
            "left out",
            "holds 44 values that are infinite or beyond what models take, the first in row 5",
        ),
        ([f"{i},{i % 7}" for i in range(N)], "text", "left out", "numbers with a decimal comma"),
        ([f"1.{i:03},5" if i % 3 else "7" for i in range(N)], "text", "left out", "decimal comma"),
        (
            [f"{i % 28 + 1:02}.{i % 12 + 1}.20{i % 90 + 10}" for i in range(N)],
            "text",
            "left out",
            "looks like dates",
        ),
        (
            [f"{i % 12 + 1}/{i % 28 + 1}/24 10:{i % 60:02}" for i in range(N)],
            "text",
            "left out",
            "looks like dates",
        ),
        (pa.nulls(N), "empty", "left out", "no value"),
        (hours(10), "time", "map", "hour, weekday go round"),
        (hours(30), "time", "map", "hour, weekday, season go round"),
        (pa.array([[1]] * N), "other", "left out", "list<"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_a_column_is_taken_for_what_it_holds(values, kind, use, why):
    """Kind, use and reason follow from the values."""
    values = pa.array(values, from_pandas=True)

    decision = decided({"c": values}).all[1]

    assert (decision.kind, decision.use) == (kind, use)
    assert why in decision.why


def test_rare_levels_are_pooled_and_the_common_ones_listed_first():
    """A level below one row in a hundred is not listed."""
    values = ["often"] * 300 + ["seldom"] * 97 + ["once", "twice", "twice"]

    decisions = decided({"c": values})

    assert decisions.categories == {"c": ("often", "seldom")}
    assert "2 rare ones pooled" in decisions.all[1].why


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (pa.array(np.arange(N) % 2 == 0), ("true",)),
        (pa.array(np.arange(N) % 2), ("1",)),
        (pa.array(np.arange(N) % 2 == 0, mask=np.arange(N) < 40), ("false", "true")),
        (pa.array(np.arange(N) % 2, mask=np.arange(N) < 40), ("0", "1")),
    ],
)
def test_a_missing_boolean_is_not_taken_for_false(values, levels):
    """Where some are missing, true and false are told apart from them."""
    assert decided({"c": values}).categories == {"c": levels}


def test_a_rare_level_beside_true_and_false_is_listed():
    """Texts are no booleans then, and `prepare` refuses none of them."""
    values = ["true"] * 250 + ["false"] * 148 + ["unknown", "False"]

    assert decided({"c": values}).categories == {"c": ("true", "false", "unknown")}


def test_an_integer_named_like_an_identifier_is_left_out():
    """Customers' numbers repeat, and measure nothing."""
    assert decided({"customer_id": np.arange(N) % 90}).all[1].use == "left out"
    assert decided({"width": np.arange(N) % 90}).all[1].use == "map and mixture"


@pytest.mark.parametrize(("n_missing", "policy"), [(4, "drop"), (100, "median")])
def test_rows_are_left_out_only_while_few_lack_something(n_missing, policy):
    """Beyond a twentieth of the rows, medians stand in."""
    numbers = decided({"y": pa.array(NUMBERS, mask=np.arange(N) < n_missing)}).numbers

    assert numbers == {"x": "error", "y": policy}


def test_label_and_key_are_used_as_asked():
    """Neither is a column of the models."""
    columns = {"a": np.arange(N) // 2, "b": np.arange(N) % 2, "kind": ["u", "v"] * (N // 2)}

    decisions = decided(columns, key=("a", "b"), label="kind")

    assert [(d.name, d.use) for d in decisions.all] == [
        ("x", "map and mixture"), ("a", "key"), ("b", "key"), ("kind", "evaluation"),
    ]  # fmt: skip
    assert decisions.key == ("a", "b")
    assert decisions.label == "kind"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": ("z",)}, "--key: must be a column of rows.csv\n  found: z\n  hint: choose among"),
        ({"label": "z"}, "--label: must be a column"),
        ({"time": "c"}, "--time c: must hold times"),
        ({"key": ("c",)}, "--key c: must name each row once"),
        ({"key": ("x",), "label": "x"}, "--label: must be no other option's column"),
    ],
)
def test_an_option_that_fits_no_column_is_refused(options, message):
    """The message says which columns there are or what is wrong with this one."""
    with pytest.raises(ParamsError, match=re.escape(message)):
        decided({"c": np.arange(N) % 7}, **options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1.0] * 60}, "must have a column of numbers that vary"),
        ({"x": ["a", "b"] * 30}, "must have a column of numbers that vary"),
        ({"x": [1.5]}, "must hold at least 50 rows"),
        ({"x": ["1", "2", "3.5", "x"] + ["7"] * 60}, "63 numbers and 1 others, first 'x'"),
    ],
    ids=["constant", "no number", "one row", "mixed"],
)
def test_a_table_of_no_use_is_refused(columns, message):
    """The message says what was found."""
    found = profile([("rows.csv", pa.table(columns))])

    with pytest.raises(DataError, match=message):
        decide("rows.csv", found, (), None, None)
