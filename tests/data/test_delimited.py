"""CSV in blocks: the same rows and types as at once, with a bound on memory."""

import bz2
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from modemap.data import delimited
from modemap.data.delimited import csv_options, read_delimited
from modemap.data.tables import read_tables
from modemap.errors import DataError

COLUMNS = {  # the first lines have another type than the last
    "whole then not": ["1", "2", "2.5"],
    "nothing then whole": ["", "NA", "7"],
    "whole then text": ["007", "8", "nine"],
    "day then time": ["2020-01-01", "2020-01-02", "2020-01-01 10:00:00"],
    "seconds then parts of them": [
        "2020-01-01 10:00:00", "2020-01-01 11:00:00", "2020-01-01 10:00:00.5",
    ],
    "zone then none": ["2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00"],
    "nothing": ["", "", ""],
}  # fmt: skip


@pytest.fixture
def in_small_blocks(monkeypatch):
    """Let a block hold some lines only."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 512)


def _lines(cells, path):
    lines = [",".join([str(i), *row]) for i, row in enumerate(zip(*cells, strict=True))]
    text = "\n".join([",".join(["row", *COLUMNS]), *lines])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.usefixtures("in_small_blocks")
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_blocks_have_the_types_that_the_whole_file_has(tmp_path, name):
    """A type that only the last lines refute is refuted for all rows; text stays as it stands."""
    cells = [np.repeat(values, 40).tolist() for values in COLUMNS.values()]
    _lines(cells, tmp_path / name)

    pieces = list(read_delimited(tmp_path / name, {}, list.copy))

    table = pacsv.read_csv(tmp_path / name, convert_options=csv_options())
    assert len(pieces) > 5
    assert pa.concat_tables(pieces).equals(table)


@pytest.mark.usefixtures("in_small_blocks")
def test_a_damaged_line_is_found_in_a_later_block(tmp_path):
    """Neither a short line nor bytes that are no text pass because the first lines were good."""
    path = tmp_path / "rows.csv"
    good = b"a,b\n" + b"1,x\n" * 500

    path.write_bytes(good + b"1\n" + b"1,x\n" * 500)
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns"):
        list(read_delimited(path, {}, list.copy))
    path.write_bytes(good + b"1,\xff\xfe\n")
    with pytest.raises(pa.ArrowInvalid, match="not UTF-8 text"):
        list(read_delimited(path, {}, list.copy))


@pytest.mark.usefixtures("in_small_blocks")
def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    """Else a small compressed file could fill the memory."""
    monkeypatch.setattr(delimited, "MAX_LINE_BYTES", 4096)
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1" * 100_000))

    with pytest.raises(pa.ArrowInvalid, match="a line of more than"):
        list(read_delimited(path, {}, list.copy))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_small_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch, pack):
    """Many short lines as well as one long one; a plain file of this size is taken."""
    monkeypatch.setattr(delimited, "MAX_INFLATED_BYTES", 1 << 22)
    suffix = {gzip.compress: "gz", bz2.compress: "bz2"}[pack]
    path, lines = tmp_path / f"rows.csv.{suffix}", b"a,b\n" + b"1,2\n" * (5 << 20)
    path.write_bytes(pack(lines))
    (tmp_path / "rows.csv").write_bytes(lines)

    with pytest.raises(DataError, match="must be readable") as caught:
        list(read_tables(path, {}))

    assert "unpacks to more than" in caught.value.found
    assert sum(map(len, read_tables(tmp_path / "rows.csv", {}))) == 5 << 20
