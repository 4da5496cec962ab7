"""Folders named after values give columns, wherever the files lie."""

import pyarrow as pa
import pyarrow.parquet as pq

from modemap.data.partitions import partition_types, with_partitions
from modemap.data.sources import source_pieces


def _write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_folders_become_columns_of_one_type(tmp_path):
    """Whole numbers are numbers, other values are texts, and the mark of no value is missing."""
    for folder, n in (("year=2024/at=N%20E", 1), ("year=2025/at=__HIVE_DEFAULT_PARTITION__", 2)):
        _write(tmp_path / folder / "rows.parquet", n=[n])

    table = pa.concat_tables([t for _, t in source_pieces(f"{tmp_path}/**/*.parquet")])

    assert table.schema == pa.schema({"n": pa.int64(), "year": pa.int64(), "at": pa.string()})
    assert table.to_pydict() == {"n": [1, 2], "year": [2024, 2025], "at": ["N E", None]}
    assert pa.concat_tables([t for _, t in source_pieces(f"{tmp_path}/**/*.parquet")]) == table


def test_what_one_folder_writes_as_text_is_text_in_all():
    """A value with a leading zero would lose it as a number; one too long would not fit."""
    for odd in ("07", "north", "-0", "9" * 19, ""):
        assert partition_types([f"k={odd}/a", "k=8/a"]) == {"k": pa.string()}
        assert partition_types(["k=8/a", f"k={odd}/a"]) == {"k": pa.string()}
    assert partition_types(["k=-8/a", "k=__HIVE_DEFAULT_PARTITION__/a"]) == {"k": pa.int64()}


def test_a_column_of_the_file_is_left_as_it_is():
    """The file knows better than its folder; a file's own name holds no column."""
    name, table = "year=1999/n=5.parquet", pa.table({"year": [2024]})

    assert with_partitions(name, table, partition_types([name])) == table
