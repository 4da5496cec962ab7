"""Modes of columns in files: fitted, encoded and decoded in bounded memory, by the shell."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from modemap.cli import app
from modemap.data import streams
from modemap.errors import DataError, ParamsError, ReleaseError
from modemap.estimators.normalizer import ModeNormalizer

N = 5000


@pytest.fixture(name="x")
def column():
    """Return cents of two modes and a tail, with some far away."""
    rng = np.random.default_rng(0)
    x = np.where(rng.uniform(size=N) < 0.5, rng.normal(500, 50, N), rng.lognormal(3, 1, N))
    x[::500] = 1e6
    return x.round(2)


@pytest.fixture(autouse=True)
def small_tables(monkeypatch, tmp_path):
    """Let a file be many tables, and work in a folder of its own."""
    monkeypatch.setattr(streams, "ROWS", 700)
    monkeypatch.chdir(tmp_path)


def modes(*arguments):
    """Run `modemap modes`."""
    result = CliRunner().invoke(app, ["modes", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def there_and_back(data, again, *options):
    """Fit, encode and decode a file."""
    modes("fit", data, "m.npz", *options)
    modes("transform", "m.npz", data, "encoded.parquet")
    modes("inverse", "m.npz", "encoded.parquet", again)


@pytest.mark.parametrize("option", ["--threads=2", "--sampled"])
def test_raw_values_come_back_in_every_byte(x, tmp_path, option):
    """Also those that are far from every mode, and however modes are chosen."""
    x.astype("<f8").tofile("x.f64")

    there_and_back("x.f64", "again.f64", option)

    assert (tmp_path / "again.f64").read_bytes() == (tmp_path / "x.f64").read_bytes()


def test_threads_change_no_byte(x, tmp_path):
    """Neither of the model nor of the encoding, by one, by two or by one for each core."""
    x.astype("<f8").tofile("x.f64")
    found = set()
    for options in (["--threads=1"], ["--threads=2"], []):
        modes("fit", "x.f64", "m.npz", "--sampled", *options)
        modes("transform", "m.npz", "x.f64", "encoded.parquet", *options)
        found.add(tuple((tmp_path / name).read_bytes() for name in ("m.npz", "encoded.parquet")))

    assert len(found) == 1


def test_arrays_come_back(x):
    """Of one column as of several, in their type."""
    for array in (x, np.column_stack((x, x[::-1])).astype(np.float32)):
        np.save("x.npy", array)

        there_and_back("x.npy", "again.npy")

        again = np.load("again.npy")
        np.testing.assert_array_equal(again, array)
        assert again.dtype == array.dtype


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_tables_come_back_with_types_and_missing_values(x, suffix):
    """The columns of numbers; text is left out."""
    numbers = pa.array(np.arange(N) % 37, mask=np.arange(N) % 7 == 0)
    cents = pa.array(x, mask=np.arange(N) % 11 == 0)
    table = pa.table({"name": ["a"] * N, "number": numbers, "cents": cents})
    if suffix == ".csv":
        pc.write_csv(table, "t.csv")
    else:
        pq.write_table(table, "t.parquet")

    there_and_back(f"t{suffix}", "again.parquet")

    assert pq.read_table("again.parquet").equals(table.drop(["name"]))
    modes("inverse", "m.npz", "encoded.parquet", "again.csv")
    assert pc.read_csv("again.csv").equals(table.drop(["name"]))


def test_rows_in_tables_are_encoded_as_the_rows_at_once(x, monkeypatch):
    """A draw depends on the number of the row in the file."""
    np.save("x.npy", x)
    modes("fit", "x.npy", "m.npz", "--sampled")
    modes("transform", "m.npz", "x.npy", "parts.parquet")
    monkeypatch.setattr(streams, "ROWS", N)

    modes("transform", "m.npz", "x.npy", "whole.parquet")

    assert pq.read_table("parts.parquet").equals(pq.read_table("whole.parquet"))
    assert pq.read_table("whole.parquet").column_names == ["x0_value", "x0_mode", "x0_kept"]


def test_values_without_decimals_come_back_to_a_share_of_their_size():
    """As the help says; an outlier's mode is told with its width, which reaches the others."""
    x = np.random.default_rng(0).normal(size=N)
    x[0] = 1e18
    np.save("x.npy", x)

    told = modes("fit", "x.npy", "m.npz")
    modes("transform", "m.npz", "x.npy", "encoded.parquet")
    modes("inverse", "m.npz", "encoded.parquet", "again.npy")

    np.testing.assert_allclose(np.load("again.npy"), x, rtol=1e-12, atol=0)
    mean, std = re.search(r": 1 mode at (\S+) ± (\S+)\n", told).groups()
    assert abs(float(mean)) < float(std)


def test_chosen_columns_are_told(x):
    """Each with its modes, and the model with its digest."""
    pq.write_table(pa.table({"a": x, "b": x}), "t.parquet")

    told = modes("fit", "t.parquet", "m.npz", "--column", "b", "--components", 3)

    assert told.startswith("b: ")
    assert "m.npz: digest " in told
    modes("transform", "m.npz", "t.parquet", "encoded.parquet")
    assert pq.read_schema("encoded.parquet").names == ["b_value", "b_mode", "b_kept"]


def broken(name):
    """Write a file that is none of its kind."""
    if name in {"odd.f64", "cut.parquet"}:
        Path(name).write_bytes(b"PAR1.")
    elif name == "text.csv":
        pc.write_csv(pa.table({"a": ["x", "y"]}), "text.csv")
    elif name == "infinite.npy":
        np.save("infinite.npy", np.array([1.0, np.inf]))
    elif name == "empty.f64":
        np.empty(0).tofile("empty.f64")
    return name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.parquet", r"none.parquet: must exist\n  found: no such file\n  hint: "),
        ("odd.f64", r"odd.f64: must be a whole .f64 file\n  found: 5 bytes, no multiple of 8"),
        ("cut.parquet", r"cut.parquet: must be a whole .parquet file\n  found: .*\n  hint: "),
        ("text.csv", r"text.csv: must have the columns, of numbers\n  found: columns a"),
        ("infinite.npy", r"infinite.npy: must have modes\n  found: .*inf.*\n  hint: "),
        ("empty.f64", r"empty.f64: must have modes\n  found: .*\n  hint: "),
        ("rows.txt", r"rows.txt: must end in one of .*\n  found: .txt\n  hint: "),
    ],
)
def test_a_file_that_cannot_be_fitted_is_told(name, message, tmp_path):
    """Place, rule, value and next step; no model is written."""
    with pytest.raises(DataError, match=message):
        modes("fit", broken(name), "m.npz")

    assert not (tmp_path / "m.npz").exists()


def test_what_was_there_stays_where_rows_cannot_be_encoded(x, tmp_path):
    """An output is written whole or not at all."""
    np.save("x.npy", x)
    there_and_back("x.npy", "again.npy")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    np.save("y.npy", np.append(x, np.inf))

    with pytest.raises(DataError, match=r"y.npy: must hold rows that m.npz encodes"):
        modes("transform", "m.npz", "y.npy", "encoded.parquet")

    (tmp_path / "y.npy").unlink()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_models_encoding_is_refused(x, tmp_path):
    """Its modes would stand for other values."""
    np.save("x.npy", x)
    there_and_back("x.npy", "again.npy")
    modes("fit", "x.npy", "other.npz", "--components", 2)

    with pytest.raises(DataError, match=r"encoded.parquet: must be columns that other.npz encoded"):
        modes("inverse", "other.npz", "encoded.parquet", "new.npy")

    assert not (tmp_path / "new.npy").exists()
    pq.write_table(pa.table({"x": x}), "plain.parquet")
    with pytest.raises(DataError, match="no columns encoded by `modemap modes transform`"):
        modes("inverse", "m.npz", "plain.parquet", "new.npy")


def test_outputs_of_another_kind_are_refused(x):
    """One column in .f64, encoded columns in Parquet, a model that is one."""
    np.save("x.npy", np.column_stack((x, x)))
    there_and_back("x.npy", "again.npy")

    with pytest.raises(DataError, match=r"again.f64: holds one column\n  found: x0, x1"):
        modes("inverse", "m.npz", "encoded.parquet", "again.f64")
    with pytest.raises(DataError, match=r"encoded.csv: must end in .parquet"):
        modes("transform", "m.npz", "x.npy", "encoded.csv")
    with pytest.raises(ReleaseError, match=r"x.npy: must be a mode_normalizer file"):
        modes("transform", "x.npy", "x.npy", "encoded.parquet")


KILLED = """
import os, signal, sys
from modemap.cli import app
from modemap.data import streams
from modemap.estimators.normalizer import ModeNormalizer

streams.ROWS = 700

def dying(method, calls=[]):
    def call(*arguments, **options):
        calls.append(method)
        if len(calls) > 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **options)
    return call

ModeNormalizer.encode = dying(ModeNormalizer.encode)
ModeNormalizer.inverse_transform = dying(ModeNormalizer.inverse_transform)
app(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("command", "method"),
    [
        (["transform", "m.npz", "x.npy", "encoded.parquet"], "encode"),
        (["inverse", "m.npz", "encoded.parquet", "again.npy"], "inverse_transform"),
    ],
)
def test_a_killed_run_is_gone_on_with(x, tmp_path, monkeypatch, command, method):
    """Four of eight tables are not worked on again; the bytes are the same, and nothing is left."""
    np.save("x.npy", x)
    there_and_back("x.npy", "again.npy", "--sampled")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    Path(command[-1]).unlink()
    calls, work = [], getattr(ModeNormalizer, method)
    monkeypatch.setattr(
        ModeNormalizer, method, lambda *given, **options: calls.append(1) or work(*given, **options)
    )

    killed = subprocess.run([sys.executable, "-c", KILLED, "modes", *command], check=False)
    modes(*command)

    assert killed.returncode == -signal.SIGKILL
    assert len(calls) == 4
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_parts_of_another_source_are_not_taken(x, tmp_path):
    """A file that was written anew since the run was killed is encoded from its beginning."""
    np.save("x.npy", x)
    there_and_back("x.npy", "again.npy")
    command = ["transform", "m.npz", "x.npy", "encoded.parquet"]
    subprocess.run([sys.executable, "-c", KILLED, "modes", *command], check=False)
    np.save("x.npy", x[::-1])

    modes(*command)
    modes("inverse", "m.npz", "encoded.parquet", "again.npy")

    np.testing.assert_array_equal(np.load("again.npy"), x[::-1])
    assert not list(tmp_path.glob(".*"))


def test_no_input_is_written_over(x, tmp_path):
    """Neither the data nor the model nor the encoded columns."""
    pq.write_table(pa.table({"x": x}), "x.parquet")
    modes("fit", "x.parquet", "m.npz")
    modes("transform", "m.npz", "x.parquet", "encoded.parquet")
    Path("link.parquet").symlink_to(tmp_path / "x.parquet")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    for command in (
        ["fit", "x.parquet", "x.parquet"],
        ["transform", "m.npz", "x.parquet", "./x.parquet"],
        ["transform", "m.npz", "link.parquet", "x.parquet"],
        ["inverse", "m.npz", "encoded.parquet", "encoded.parquet"],
    ):
        with pytest.raises(ParamsError, match="must not take the place"):
            modes(*command)

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
