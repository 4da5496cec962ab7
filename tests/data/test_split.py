"""Laws of the split: a row's side depends on the row alone."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from modemap.data.split import SPLITS, assign_splits, row_hashes
from modemap.errors import DataError

KEY = ["at", "code", "n"]
PROMISED = [5836306151339961683, 11210617001693896660, 8061618708882542323]


@pytest.fixture
def table():
    """Return rows whose key is a time, a code and a number, some of them missing."""
    rng = np.random.default_rng(0)
    hours = rng.integers(0, 10**6, 1000)
    codes = rng.choice(["UA", "AA", "Größe", ""], 1000)
    missing = rng.random(1000) < 0.1
    return pa.table(
        {
            "at": pa.array(hours, pa.timestamp("us", tz="UTC")),
            "code": pa.array(codes, mask=missing),
            "n": pa.array(rng.integers(0, 50, 1000), mask=rng.random(1000) < 0.1),
            "x": rng.normal(size=1000),
        }
    )


def test_rows_keep_their_hash_in_any_order_and_company(table):
    """Shuffled, alone, in batches, or beside more rows and columns, a row hashes alike."""
    hashes = row_hashes(table, KEY)
    order = np.random.default_rng(1).permutation(1000)

    np.testing.assert_array_equal(row_hashes(table.take(order), KEY), hashes[order])
    np.testing.assert_array_equal(row_hashes(table, KEY[::-1]), hashes)
    np.testing.assert_array_equal(row_hashes(table.select(KEY), KEY), hashes)
    np.testing.assert_array_equal(row_hashes(table.slice(7, 1), KEY), hashes[7:8])
    parts = [row_hashes(table.slice(start, 130), KEY) for start in range(0, 1000, 130)]
    np.testing.assert_array_equal(np.concatenate(parts), hashes)
    chunked = pa.concat_tables([table.slice(0, 300), table.slice(300)])
    np.testing.assert_array_equal(row_hashes(chunked, KEY), hashes)


def test_the_hash_stays_the_same_across_versions():
    """These numbers are a promise: another hash would move every row to another side."""
    table = pa.table(
        {
            "n": pa.array([1, -1, None]),
            "x": [0.5, 1e300, 3.0],
            "code": ["UA", "", None],
            "at": pa.array([0, 1, 2], pa.timestamp("us", tz="UTC")),
        }
    )

    assert row_hashes(table, ["n", "x", "code", "at"]).tolist() == PROMISED


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pa.array([1, 2, None], pa.int32()), pa.array([1.0, 2.0, None], pa.float64())),
        (pa.array([1, 2, None], pa.uint64()), pa.array([1, 2, None], pa.int8())),
        (pa.array([1, 0, None], pa.int8()), pa.array([True, False, None])),
        (pa.array([0.5, float("nan")]), pa.array([0.5, None], pa.float32())),
        (pa.array([0.0, -0.0]), pa.array([0, 0])),
        (pa.array([1, 60], pa.timestamp("s")), pa.array([1000, 60000], pa.timestamp("ms"))),
        (pa.array([1], pa.date32()), pa.array([dt.datetime(1970, 1, 2)], pa.timestamp("us"))),
        (pa.array([decimal.Decimal("1.50")]), pa.array([1.5])),
        (pa.array([None, None]), pa.array([None, None], pa.string())),
    ],
)
def test_the_width_of_a_type_does_not_matter(left, right):
    """Equal values hash alike in every type that can hold them; missing ones too."""
    np.testing.assert_array_equal(
        row_hashes(pa.table({"k": left}), ["k"]), row_hashes(pa.table({"k": right}), ["k"])
    )


def test_different_values_and_columns_hash_differently():
    """Values do not cancel between columns, and a value's column counts."""
    table = pa.table({"a": [1, 2, 1, None, 0], "b": [2, 1, 1, 0, None]})
    swapped = table.rename_columns(["b", "a"])

    assert len(set(row_hashes(table, ["a", "b"]).tolist())) == 5
    assert row_hashes(table, ["a"])[0] != row_hashes(swapped, ["b"])[0]


def test_keys_of_lists_are_refused():
    """A list has no canonical form here, and the message names the column."""
    with pytest.raises(DataError, match=r"prepare\.key") as caught:
        row_hashes(pa.table({"k": [[1]]}), ["k"])

    assert caught.value.place == "k"


def test_the_parts_have_the_shares_asked_for():
    """Of consecutive numbers, each part gets its share within three standard errors."""
    hashes = row_hashes(pa.table({"n": range(100_000)}), ["n"])

    counts = np.bincount(assign_splits(hashes, 0.15, 0.1), minlength=3)

    shares = dict(zip(SPLITS, counts / 100_000, strict=True))
    assert shares == pytest.approx({"train": 0.75, "validation": 0.15, "test": 0.1}, abs=0.0041)


def test_another_validation_share_moves_no_test_row():
    """Test rows of one run are never trained on by the next."""
    hashes = row_hashes(pa.table({"n": range(1000)}), ["n"])
    is_test = assign_splits(hashes, 0.1, 0.2) == SPLITS.index("test")

    again = assign_splits(hashes, 0.4, 0.2) == SPLITS.index("test")

    np.testing.assert_array_equal(is_test, again)


def test_the_lowest_and_highest_hash_have_a_side():
    """The ends of the range belong to test and train."""
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)

    assert [SPLITS[side] for side in assign_splits(ends, 0.5, 0.4)] == ["test", "train"]
