"""Tests of modemap.data.matrix."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.matrix import prepared_batches, prepared_tables
from modemap.errors import DataError
from modemap.estimators import blocks
from modemap.estimators.batches import Batches


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Return a folder with 1,000 training rows in three uneven files; blocks hold 256 of them."""
    monkeypatch.setattr(blocks, "GRAIN", 256)
    monkeypatch.setattr(blocks, "MAX_ROWS", 256)
    rng = np.random.default_rng(0)
    names = {"id": [f"row {i}" for i in range(1000)], "x": rng.normal(size=1000)}
    table = pa.table(names | {"y": rng.integers(0, 9, 1000)})
    (tmp_path / "train").mkdir()
    for i, (start, size) in enumerate(((0, 700), (700, 0), (700, 300))):
        path = tmp_path / "train" / f"{i}.parquet"
        pq.write_table(table.slice(start, size), path, row_group_size=170)
    return tmp_path


def test_rows_come_in_blocks_of_one_size_again_and_again(prepared):
    """Wherever files end, blocks are C-ordered float64 arrays of a fixed number of rows."""
    rows = prepared_batches(prepared, "train", ["y", "x"])

    assert isinstance(rows, Batches)
    assert rows.n_rows == 1000
    for _ in range(2):
        found = list(rows.batches())
        assert [len(block) for block in found] == [256, 256, 256, 232]
        assert all(block.flags.c_contiguous and block.dtype == np.float64 for block in found)
        table = pq.read_table(prepared / "train")
        expected = np.column_stack([table["y"].to_numpy(), table["x"].to_numpy()])
        assert np.array_equal(np.concatenate(found), expected)


def test_tables_hold_the_keys_of_the_same_rows(prepared):
    """What is not asked by name comes too, in the order of the rows."""
    tables = list(prepared_tables(prepared, "train"))

    assert [len(table) for table in tables] == [256, 256, 256, 232]
    assert pa.concat_tables(tables).equals(pq.read_table(prepared / "train"))


@pytest.mark.parametrize(
    ("split", "columns", "found"),
    [("test", ["x"], "no such folder"), ("train", ["z"], "no column z")],
)
def test_what_is_not_there_is_refused_at_once(prepared, split, columns, found):
    """A missing file or column is said before a row is read."""
    with pytest.raises(DataError, match=found):
        prepared_batches(prepared, split, columns)


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1000), (0, 1), (170, 340), (650, 780), (999, 1000)]
)
def test_rows_from_one_number_to_another_are_those_of_the_whole(prepared, start, stop):
    """Also in another process, which finds the files by absolute paths."""
    rows = prepared_batches(prepared, "train", ["y", "x"])
    whole = np.concatenate(list(rows.batches()))

    travelled = pickle.loads(pickle.dumps(rows.read))  # noqa: S301  (our own)

    for read in (rows.read, travelled):
        assert np.array_equal(np.concatenate(list(read(start, stop))), whole[start:stop])


def test_a_relative_path_travels_as_an_absolute_one(prepared, monkeypatch, tmp_path):
    """A worker runs in another folder."""
    monkeypatch.chdir(prepared)
    sent = pickle.dumps(prepared_batches(Path(), "train", ["x"]).read)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    read = pickle.loads(sent)  # noqa: S301  (our own)

    assert sum(len(part) for part in read(0, 1000)) == 1000
