"""New, corrected and removed files cost only themselves, and leave what a whole run leaves."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data import selection, sources
from modemap.data.batches import read_manifest
from modemap.data.kept import Kept
from modemap.data.matrix import prepared_files
from modemap.errors import DataError
from modemap.params import IngestParams, PrepareParams
from modemap.stages.ingest import ingest
from modemap.stages.prepare import prepare

N_ROWS = 300
LONG_AGO = 1_600_000_000


class Folder:
    """A source of Parquet files, and the outputs of two stages with what they keep."""

    def __init__(self, root):
        self.root, self.source = root, root / "in"
        self.source.mkdir(parents=True)

    def put(self, name, seed, missing=0.0):
        """Write a file of rows as an export that has been there for long."""
        rng = np.random.default_rng(seed)
        mask = rng.random(N_ROWS) < missing
        rows = {
            "id": pa.array(np.arange(N_ROWS) + 1000 * seed),
            "x": rng.normal(size=N_ROWS).round(3),
            "n": pa.array(rng.integers(0, 99, N_ROWS), mask=mask),
        }
        pq.write_table(pa.table(rows), self.source / name)
        os.utime(self.source / name, (LONG_AGO + seed, LONG_AGO + seed))

    def run(self, *, remembers=True, **settings):
        """Run both stages on the files that are there."""
        keep = {
            stage: Kept(self.root / "kept" / stage) if remembers else None
            for stage in ("ingest", "prepare")
        }
        source = IngestParams(source=f"{self.source}/*.parquet", partition_rows=200, **settings)
        ingest(self.root / "raw", self.root / "ingest.json", source, keep["ingest"])
        params = PrepareParams(
            key=["id"], columns={"x": "error", "n": "median"}, validation_share=0.2, test_share=0.2
        )
        prepared, report = self.root / "prepared", self.root / "prepare.json"
        prepare(self.root / "raw", prepared, report, params, kept=keep["prepare"])

    def outputs(self):
        """Return the bytes of all outputs."""
        tops = [self.root / name for name in ("raw", "prepared", "ingest.json", "prepare.json")]
        files = [path for top in tops for path in (top, *top.rglob("*")) if path.is_file()]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def folder(tmp_path):
    """Return a folder whose three files have gone through both stages."""
    made = Folder(tmp_path / "incremental")
    for seed, missing in ((1, 0.0), (2, 0.2), (3, 0.0)):
        made.put(f"{seed}.parquet", seed, missing)
    made.run()
    return made


def scratch(folder):
    """Return the outputs of a run from scratch on the same files."""
    root = folder.root.parent / "scratch"
    shutil.copytree(folder.source, root / "in")
    other = object.__new__(Folder)
    other.root, other.source = root, root / "in"
    other.run(remembers=False)
    return other.outputs()


CHANGES = {
    "nothing": lambda _: None,
    "added at the end": lambda folder: folder.put("4.parquet", 4),
    "added in between, late": lambda folder: folder.put("11.parquet", 4),
    "added with missing values": lambda folder: folder.put("4.parquet", 4, missing=0.5),
    "corrected": lambda folder: folder.put("1.parquet", 5),
    "corrected, with missing values": lambda folder: folder.put("2.parquet", 6, missing=0.4),
    "removed": lambda folder: (folder.source / "1.parquet").unlink(),
    "renamed": lambda folder: (folder.source / "1.parquet").rename(folder.source / "9.parquet"),
    "repeated": lambda folder: shutil.copy2(
        folder.source / "1.parquet", folder.source / "8.parquet"
    ),
    "outputs gone": lambda folder: shutil.rmtree(folder.root / "raw"),
    "prepared rows gone": lambda folder: shutil.rmtree(folder.root / "prepared"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_any_change_outputs_are_those_of_a_run_from_scratch(folder, change):
    """To the byte, in both stages, whatever was kept of earlier runs."""
    change(folder)

    folder.run()

    assert folder.outputs() == scratch(folder)


def watch(monkeypatch):
    """Return the list to which the names of files go that a stage reads."""
    read = []
    files, pieces = sources.read_tables, selection.read_pieces

    def reading(path, types):
        read.append(path.name)
        return files(path, types)

    def selecting(directory, batch, columns=None, memory=None):
        read.append(batch.source)
        return pieces(directory, batch, columns, memory)

    monkeypatch.setattr(sources, "read_tables", reading)
    monkeypatch.setattr(selection, "read_pieces", selecting)
    return read


def test_only_what_is_new_is_read(folder, monkeypatch):
    """A file and its two batches; what was there keeps its files, as inodes on the disk."""
    (folder.source / "2.parquet").unlink()  # the one with values to fill
    folder.run()
    inodes = {path.name: path.stat().st_ino for path in (folder.root / "raw").glob("*.parquet")}
    read = watch(monkeypatch)
    folder.put("4.parquet", 4)

    folder.run()

    assert sorted(read) == ["4.parquet", "4.parquet[0:200]", "4.parquet[200:300]"]
    after = {path.name: path.stat().st_ino for path in (folder.root / "raw").glob("*.parquet")}
    assert inodes.items() < after.items()


def test_filled_values_are_written_again_where_the_median_moves(folder, monkeypatch):
    """Only batches with missing values are, and only if another median replaces them."""
    read = watch(monkeypatch)
    folder.put("4.parquet", 4, missing=0.5)

    folder.run()

    filled = ["2.parquet[0:200]", "2.parquet[200:300]"]
    assert sorted(read) == [*filled, "4.parquet", "4.parquet[0:200]", "4.parquet[200:300]"]


def test_damaged_outputs_and_memories_are_made_anew(folder):
    """A file is reused only if its bytes are those that were written, a memory if it is whole."""
    before = folder.outputs()
    for path in (
        next((folder.root / "raw").glob("*.parquet")),
        *prepared_files(folder.root / "prepared", "test"),
    ):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    kept = sorted((folder.root / "kept" / "prepare").iterdir())
    for path in kept[::2]:
        path.write_bytes(path.read_bytes()[:-1])

    folder.run()

    assert folder.outputs() == before


def test_what_nobody_asks_for_is_forgotten(folder):
    """The folder of memories grows with the data, not with the number of runs."""
    kept = folder.root / "kept" / "ingest"
    n_entries = len(list(kept.iterdir()))
    (folder.source / "1.parquet").unlink()

    with Kept(kept).pruned() as memory:
        source = IngestParams(source=f"{folder.source}/*.parquet", partition_rows=200)
        ingest(folder.root / "raw", folder.root / "ingest.json", source, memory)

    assert len(list(kept.iterdir())) < n_entries


def test_an_excluded_batch_is_left_out_and_comes_back(folder):
    """Also where its file is reused, and where it has none any more."""
    before = folder.outputs()
    batch = read_manifest(folder.root / "raw").batches[2]

    folder.run(exclude=[batch.digest])
    without = folder.outputs()
    folder.run()

    assert f"raw/{batch.file_name}" not in without
    assert folder.outputs() == before


SCRIPT = """
import os, signal, sys
from pathlib import Path
from modemap.data import {module}
from tests.stages.test_incremental import Folder
known, calls = {module}.{name}, []
def dying(*args, **kwargs):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return known(*args, **kwargs)
{module}.{name} = dying
folder = object.__new__(Folder)
folder.root, folder.source = Path(sys.argv[1]), Path(sys.argv[1]) / "in"
folder.run()
"""


@pytest.mark.parametrize(
    ("module", "name"), [("sources", "read_tables"), ("selection", "read_pieces")]
)
def test_a_killed_run_goes_on_to_the_same_bytes(folder, module, name):
    """What stood before it stays whole until then."""
    before = folder.outputs()
    for seed in (4, 5):
        folder.put(f"{seed}.parquet", seed)
    script = SCRIPT.format(module=module, name=name)
    root = Path(__file__).parents[2]

    killed = subprocess.run([sys.executable, "-c", script, str(folder.root)], cwd=root, check=False)

    assert killed.returncode == -signal.SIGKILL
    stage = {"sources": "raw", "selection": "prepared"}[module]
    for path, content in before.items():
        if path.startswith(stage):
            assert (folder.root / path).read_bytes() == content
    folder.run()
    assert folder.outputs() == scratch(folder)


def test_files_that_share_rows_are_both_taken(folder):
    """Equal files are one batch; of files that overlap the contract finds the keys that repeat."""
    rows = pq.read_table(folder.source / "1.parquet")
    pq.write_table(rows.slice(100), folder.source / "7.parquet")

    folder.run()

    keys = [
        key
        for split in ("train", "validation", "test")
        for path in prepared_files(folder.root / "prepared", split)
        for key in pq.read_table(path)["id"].to_pylist()
    ]
    assert len(keys) == 4 * N_ROWS - 100
    assert len(set(keys)) == 3 * N_ROWS


def test_another_column_in_a_new_file_is_refused_beside_known_ones(folder):
    """A known file is not read, but its columns are compared all the same."""
    before = folder.outputs()
    table = pq.read_table(folder.source / "1.parquet").drop_columns(["n"])
    pq.write_table(table, folder.source / "4.parquet")

    with pytest.raises(DataError, match="must have the columns and types of"):
        folder.run()

    assert folder.outputs() == before
