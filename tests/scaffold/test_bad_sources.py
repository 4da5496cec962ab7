"""`modemap init` answers every bad source with code and message, and leaves the project alone."""

import gzip
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

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


def _pipe(folder):
    os.mkfifo(folder / "rows.csv")


def _mixed(folder):
    """Write numbers with a word among the last of them."""
    lines = [f"{i / 7:.3f},{'late' if i == N - 5 else i % 13}" for i in range(N)]
    (folder / "rows.csv").write_text("\n".join(["a,b", *lines, ""]))


def _bomb(folder):
    """Write a hundred kilobytes that unpack to a line of a hundred megabytes."""
    (folder / "rows.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1" * 10**8, compresslevel=1))
    assert (folder / "rows.csv.gz").stat().st_size < 10**6


def _query(folder):
    sqlite3.connect(folder / "rows.db").close()
    (folder / "rows.sql").write_text("SELECT delay FROM nowhere ORDER BY delay")


WIDE = b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n1\n"
CASES = {  # source, what makes it, place, rule, what is found, next step
    "missing": ("gone.csv", None, "gone.csv", "must exist", "no such file", "check the path"),
    "unreadable": ("rows.csv", _loop, "rows.csv", "must exist", "no such file", "check"),
    "pipe": ("rows.csv", _pipe, "rows.csv", "must be a file", "a pipe", "write it to a file"),
    "mixed types": ("rows.csv", _mixed, "column 'b'", "of one type", "first 'late'", "mend"),
    "zip bomb": ("rows.csv.gz", _bomb, "rows.csv.gz", "readable", "a line of more", "export"),
    "wrong SQL": ("rows.sql", _query, "rows.sql", "must answer", "nowhere", "mend the query"),
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
    "decimal commas": (
        "rows.parquet", _table(a=[f"{i},5" for i in range(N)]),
        "rows.parquet", "a column of numbers that vary", "decimal comma", "with a point, 12.34",
    ),
    "an infinite value": (
        "rows.parquet", _table(a=[*map(float, range(N - 1)), float("inf")]),
        "rows.parquet", "that vary", "1 value that is infinite or beyond what models take,",
        "mend the values that are infinite",
    ),
    "semicolons": (
        "rows.csv", _text("rows.csv", b"a;b\n1,5;2\n"),
        "rows.csv", "separated by commas", "separated by ';'", "as Parquet",
    ),
    "tabs": (
        "rows.csv", _text("rows.csv", b"a\tb\n1\t2\n"),
        "rows.csv", "separated by commas", "separated by tabs", "as Parquet",
    ),
    "a name of tabs": (
        "rows.tsv", _text("rows.tsv", b"a\tb\n1\t2\n"),
        "rows.tsv", "CSV or Arrow file", "`.tsv`", "write it with commas as .csv",
    ),
    "UTF-16": (
        "rows.csv", _text("rows.csv", "a,b\n1,2\n".encode("utf-16")),
        "rows.csv", "must be UTF-8", "like UTF-16", "write it as UTF-8",
    ),
    "UTF-16 without a mark": (
        "rows.csv", _text("rows.csv", "a,b\n1,2\n".encode("utf-16-le")),
        "rows.csv", "must be UTF-8", "like UTF-16", "write it as UTF-8",
    ),
    "cp1252": (
        "rows.csv", _text("rows.csv", "größe,b\n1,2\n".encode("cp1252")),
        "rows.csv", "must be UTF-8", "like Latin-1", "write it as UTF-8",
    ),
    "cp1252 late in the file": (
        "rows.csv", _text("rows.csv", b"a,b\n" + b"x,2\n" * 300_000 + b"gr\xf6\xdfe,2\n"),
        "rows.csv", "must be readable", "UTF", "write it as UTF-8",
    ),
    "no text": (
        "rows.csv", _text("rows.csv", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        "rows.csv", "must be readable", "", "",
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


def refused(monkeypatch, capsys, source, project):
    """Run `modemap init`, which must refuse; return exit code, first line, finding and hint."""
    monkeypatch.setattr(sys, "argv", ["modemap", "init", str(source), "--into", str(project)])

    with pytest.raises(SystemExit) as caught:
        cli.main()

    first, found, hint = capsys.readouterr().err.removeprefix("error: ").splitlines()
    assert found.startswith("  found: ")
    assert hint.startswith("  hint: ")
    return caught.value.code, first, found, hint


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
    monkeypatch.setenv("MODEMAP_SQL_URL", f"sqlite:///{tmp_path}/in/rows.db")

    code, first, found, hint = refused(monkeypatch, capsys, tmp_path / "in" / source, project)

    assert code == 3
    place, rule, finding, step = parts
    assert place in first
    assert rule in first
    assert finding in found
    assert step in hint
    assert [path.name for path in project.rglob("*")] == ["kept.txt"]
    assert (project / "kept.txt").read_text() == "mine"


@pytest.fixture
def nobodys():
    """Return a folder that everybody may enter; the test itself runs as a user without rights."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    pq.write_table(TABLE, folder / "rows.parquet")
    (folder / "rows.parquet").chmod(0)
    if is_root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_a_source_of_somebody_else_is_told(nobodys, monkeypatch, capsys):
    """Nothing is wrong with the file: the next step is not to export it again."""
    code, first, found, hint = refused(
        monkeypatch, capsys, nobodys / "rows.parquet", nobodys / "project"
    )

    assert code == 3
    assert first.endswith("rows.parquet: must be readable")
    assert "Permission denied" in found
    assert "let this user read it" in hint
    assert [path.name for path in nobodys.iterdir()] == ["rows.parquet"]


def test_a_name_that_no_file_can_have_is_told(tmp_path, monkeypatch, capsys):
    """The system refuses it before anything can be looked for."""
    code, first, found, hint = refused(monkeypatch, capsys, f"{'a' * 300}.csv", tmp_path / "new")

    assert code == 9
    assert "aaa.csv: the system must let modemap read" in first
    assert "File name too long" in found
    assert "choose a shorter name" in hint
    assert not (tmp_path / "new").exists()


def test_a_disk_too_full_for_the_project_is_told(tmp_path, monkeypatch, capsys):
    """With the folder, the bytes that are free and those that are needed; nothing is written."""
    pq.write_table(TABLE, tmp_path / "rows.parquet")
    project = tmp_path / "project"
    project.mkdir()
    (project / "kept.txt").write_text("mine")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))

    code, first, found, hint = refused(monkeypatch, capsys, tmp_path / "rows.parquet", project)

    assert code == 9
    assert first == f"{project}: the disk must have room for the project"
    assert "4,096 bytes are free, 1," in found
    assert "make room on the disk, or choose another folder" in hint
    assert [path.name for path in project.iterdir()] == ["kept.txt"]
