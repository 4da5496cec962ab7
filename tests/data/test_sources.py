"""What a source's name stands for."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.flights import packaged_months
from modemap.data.sources import source_pieces
from modemap.errors import DataError


def _write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_a_glob_names_files_by_their_place_in_it_and_in_their_order(tmp_path):
    """Names are relative to the folder the pattern starts in; hidden files are left out."""
    for name in ("b/1.parquet", "a/2.parquet", "a/1.parquet", "a/.1.parquet"):
        _write(tmp_path / name, name=[name])

    parts = list(source_pieces(f"{tmp_path}/*/*.parquet"))

    assert [name for name, _ in parts] == ["a/1.parquet", "a/2.parquet", "b/1.parquet"]
    assert [table["name"].to_pylist() for _, table in parts] == [[name] for name, _ in parts]


def test_a_path_is_read_as_it_stands(tmp_path):
    """A file's own name may hold what elsewhere is a pattern."""
    _write(tmp_path / "rows[1].parquet", n=[1])

    [(name, table)] = source_pieces(str(tmp_path / "rows[1].parquet"))

    assert name == "rows[1].parquet"
    assert table["n"].to_pylist() == [1]


def test_a_relative_pattern_starts_in_the_current_folder(tmp_path, monkeypatch):
    """The project's folder is where every command runs."""
    _write(tmp_path / "in" / "x.parquet", n=[1])
    monkeypatch.chdir(tmp_path)

    assert [name for name, _ in source_pieces("**/*.parquet")] == ["in/x.parquet"]


def test_flights_in_a_file_are_typed_and_completed(tmp_path):
    """A CSV or Parquet file with the columns of flights gives what the package gives."""
    [(_, january)] = packaged_months([1])
    raw = january.select(january.column_names[:19]).slice(0, 900)
    frame = raw.to_pandas()
    frame["time_hour"] = frame["time_hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.to_csv(tmp_path / "jan.csv", index=False, float_format="%.0f")
    raw.to_pandas().to_parquet(tmp_path / "jan.parquet")

    for name in ("jan.csv", "jan.parquet"):
        [(_, table)] = source_pieces(str(tmp_path / name))
        assert table.equals(january.slice(0, 900)), name


def test_flights_of_another_type_are_refused(tmp_path):
    """The message names the file and the value that is no number."""
    [(_, january)] = packaged_months([1])
    table = january.slice(0, 3).set_column(5, "dep_delay", pa.array(["2", "late", "3"]))
    pq.write_table(table, tmp_path / "jan.parquet")

    with pytest.raises(DataError, match=r"jan\.parquet") as caught:
        list(source_pieces(str(tmp_path / "jan.parquet")))

    assert "late" in caught.value.found


def test_a_pattern_that_matches_nothing_is_refused(tmp_path):
    """The message repeats the pattern."""
    with pytest.raises(DataError, match="must match at least one file") as caught:
        list(source_pieces(f"{tmp_path}/*.parquet"))

    assert caught.value.place.endswith("*.parquet")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("columns", "difference"),
    [
        ({"n": [1]}, "no x"),
        ({"n": [1], "x": [1.0], "y": [1]}, "y besides"),
        ({"n": [1.5], "x": [1.0]}, "n is double, not int64"),
        ({"x": [1.0], "n": [1]}, "another order: x, n"),
    ],
)
def test_files_that_differ_in_their_columns_are_refused(tmp_path, columns, difference):
    """The message names the file that differs, the one it differs from, and how."""
    _write(tmp_path / "1.parquet", n=[1], x=[1.0])
    _write(tmp_path / "2.parquet", **columns)

    with pytest.raises(DataError, match=r"1\.parquet") as caught:
        list(source_pieces(f"{tmp_path}/*.parquet"))

    assert caught.value.place == str(tmp_path / "2.parquet")
    assert caught.value.found == difference
