"""Reading one file: what comes out, and what is refused."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.tables import plain_table, read_tables
from modemap.errors import DataError


def read_table(path, types):
    """Return all pieces of a file."""
    return pa.concat_tables(read_tables(path, types))


def test_csv_columns_are_typed_and_missing_cells_are_null(tmp_path):
    """Numbers, times and text are told apart; NA and nothing are missing, quoted they are text."""
    path = tmp_path / "rows.csv"
    path.write_text('n,x,name,at\n1,NA,a,2013-01-01T10:00:00Z\n,2.5,"NA",\n')

    table = read_table(path, {})

    assert [str(field.type) for field in table.schema][:3] == ["int64", "double", "string"]
    assert pa.types.is_timestamp(table.schema.field("at").type)
    assert table.select(["n", "x", "name"]).to_pylist() == [
        {"n": 1, "x": None, "name": "a"},
        {"n": None, "x": 2.5, "name": "NA"},
    ]


def test_known_csv_types_apply_where_all_their_columns_are_there(tmp_path):
    """Types of a known table are not forced on a file that only shares a name with it."""
    path = tmp_path / "rows.csv"
    path.write_text("code,n\n1,2\n")
    known = {"code": pa.string(), "n": pa.int64()}

    whole, partial = read_table(path, known), read_table(path, {**known, "other": pa.int64()})

    assert whole["code"].to_pylist() == ["1"]
    assert partial["code"].to_pylist() == [1]


def test_compressed_csv_is_read(tmp_path):
    """A .csv.gz holds the same rows as its .csv."""
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"n\n1\n2\n"))

    assert read_table(path, {})["n"].to_pylist() == [1, 2]


def test_equal_content_has_one_form_whichever_program_wrote_it():
    """Dictionaries, large text, NaN and metadata leave no trace."""
    fancy = pa.table(
        {
            "text": pa.array(["a", "b", None]).dictionary_encode(),
            "large": pa.array(["a", "b", None], pa.large_string()),
            "x": pa.array([1.0, float("nan"), None]),
        }
    ).replace_schema_metadata({"pandas": "{}"})
    text = pa.array(["a", "b", None])

    table = plain_table(fancy)

    assert table.equals(pa.table({"text": text, "large": text, "x": [1.0, None, None]}))
    assert table.schema.metadata is None


def _parquet(path):
    pq.write_table(pa.table({"n": range(1000)}), path)
    return path.read_bytes()


BAD_FILES = {
    "missing": (None, "rows.parquet", "no such file"),
    "empty": (b"", "rows.parquet", "an empty file"),
    "text named parquet": (b"n\n1\n", "rows.parquet", "Parquet"),
    "other type": (b"PK", "rows.xlsx", "ends in `.xlsx`"),
    "header only": (b"a,b\n", "rows.csv", "no rows under 2 columns"),
    "ragged": (b"a,b\n1,2\n3\n", "rows.csv", "Expected 2 columns, got 1"),
    "repeated column": (b"a,b,a\n1,2,3\n", "rows.csv", "'a' more than once"),
    "binary named csv": (b"a,b\n\xff\xfe,\xff\n", "rows.csv", "not UTF-8 text"),
    "broken gzip": (gzip.compress(b"n\n" + b"1\n" * 9999)[:40], "rows.csv.gz", ""),
}


@pytest.mark.parametrize(("content", "name", "found"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_read_is_named_with_its_reason(tmp_path, content, name, found):
    """The error says which file, which rule, what was found and what to do."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=name) as caught:
        read_table(path, {})

    assert caught.value.exit_code == 3
    assert caught.value.place == str(path)
    assert found in caught.value.found
    assert caught.value.rule
    assert caught.value.hint


def test_truncated_parquet_is_refused(tmp_path):
    """A file cut short, at its footer or in its pages, is refused and not read in part."""
    path = tmp_path / "rows.parquet"
    whole = _parquet(path)

    path.write_bytes(whole[:-50])
    with pytest.raises(DataError, match="must be readable"):
        read_table(path, {})
    path.write_bytes(whole[:100] + whole[600:])
    with pytest.raises(DataError, match="must be readable"):
        read_table(path, {})


def test_parquet_without_rows_or_with_repeated_columns_is_refused(tmp_path):
    """What Parquet allows and a table of rows does not is refused too."""
    path = tmp_path / "rows.parquet"

    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), path)
    with pytest.raises(DataError, match="must hold rows"):
        read_table(path, {})
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"]), path)
    with pytest.raises(DataError, match="'n' more than once"):
        read_table(path, {})


def test_a_directory_is_refused_with_the_pattern_to_use(tmp_path):
    """The hint names the glob that would read the directory's files."""
    with pytest.raises(DataError, match=r"\*\.parquet") as caught:
        read_table(tmp_path, {})

    assert caught.value.found == "a directory"
