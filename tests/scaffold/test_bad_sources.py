"""`modemap init` answers every bad source with code and message, and leaves the project alone."""

import gzip
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap import cli

pytestmark = pytest.mark.workflow

N = 300
RNG = np.random.default_rng(0)
TABLE = pa.table({"a": RNG.normal(size=N), "b": RNG.normal(size=N)})


def _text(name, text):
    return lambda folder: (folder / name).write_bytes(text)


def _table(**columns):
    return lambda folder: pq.write_table(pa.table(columns), folder / "rows.parquet")


def _cut(*kept):
    """Write a Parquet file of which only slices are there."""

    def write(folder):
        pq.write_table(TABLE, folder / "rows.parquet", compression="none", use_dictionary=False)
        data = (folder / "rows.parquet").read_bytes()
        (folder / "rows.parquet").write_bytes(b"".join(data[part] for part in kept))

    return write


def _half_a_set(folder):
    """Write two files of a set, the second half way."""
    pq.write_table(TABLE, folder / "1.parquet")
    (folder / "2.parquet").write_bytes((folder / "1.parquet").read_bytes()[:900])


def _unlike_set(folder):
    pq.write_table(TABLE, folder / "1.parquet")
    pq.write_table(TABLE.drop_columns("b"), folder / "2.parquet")


def _loop(folder):
    (folder / "rows.csv").symlink_to("rows.csv")


WIDE = b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n1\n"
CASES = {  # source, what makes it, place, rule, what is found, next step
    "missing": ("gone.csv", None, "gone.csv", "must exist", "no such file", "check the path"),
    "unreadable": ("rows.csv", _loop, "rows.csv", "must exist", "no such file", "check"),
    "empty": ("rows.csv", _text("rows.csv", b""), "rows.csv", "must hold rows", "empty", "again"),
    "truncated footer": (
        "rows.parquet", _cut(slice(0, -40)), "rows.parquet", "readable", "Parquet", "truncated",
    ),
    "damaged page": (
        "rows.parquet", _cut(slice(0, 4), slice(60, 900), slice(900, None)),
        "rows.parquet", "readable", "", "export",
    ),
    "half-written set": ("*.parquet", _half_a_set, "2.parquet", "readable", "Parquet", "export"),
    "unlike set": ("*.parquet", _unlike_set, "2.parquet", "columns and types", "no b", "alike"),
    "million columns": (
        "rows.csv", _text("rows.csv", WIDE), "rows.csv", "at most 10,000", "or more", "export",
    ),
    "packed million columns": (
        "rows.csv.gz", _text("rows.csv.gz", gzip.compress(WIDE)),
        "rows.csv.gz", "at most 10,000", "or more", "export",
    ),
    "repeated names": (
        "rows.csv", _text("rows.csv", b"a,a\n1,2\n"),
        "rows.csv", "name of its own", "'a'", "rename",
    ),
    "no numbers": (
        "rows.parquet", _table(a=[f"text {i}" for i in range(N)]),
        "rows.parquet", "a column of numbers that vary", "identifier", "measured column",
    ),
    "one row": (
        "rows.parquet", _table(a=[1.0], b=[2.0]),
        "rows.parquet", "at least 50 rows", "1", "larger table",
    ),
    "all constant": (
        "rows.parquet", _table(a=[1.0] * N, b=[2] * N),
        "rows.parquet", "a column of numbers that vary", "constant", "measured column",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_source_is_answered_and_nothing_changes(tmp_path, monkeypatch, capsys, case):
    """Exit code 3; place, rule, finding and next step; files that were there are as they were."""
    source, make, *parts = CASES[case]
    project = tmp_path / "project"
    project.mkdir()
    (project / "kept.txt").write_text("mine")
    (tmp_path / "in").mkdir()
    if make is not None:
        make(tmp_path / "in")
    monkeypatch.setattr(
        sys, "argv", ["modemap", "init", str(tmp_path / "in" / source), "--into", str(project)]
    )

    with pytest.raises(SystemExit) as caught:
        cli.main()

    first, found, hint = capsys.readouterr().err.removeprefix("error: ").splitlines()
    assert caught.value.code == 3
    place, rule, finding, step = parts
    assert place in first
    assert rule in first
    assert found.startswith("  found: ")
    assert finding in found
    assert hint.startswith("  hint: ")
    assert step in hint
    assert [path.name for path in project.rglob("*")] == ["kept.txt"]
    assert (project / "kept.txt").read_text() == "mine"
