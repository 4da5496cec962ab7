"""Stages on a table several times as large as the memory they may take for it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.memory import Memory, memory_of
from modemap.errors import DataError
from modemap.estimators.alongside import N_THREADS

ROOM_MIB = 256  # beyond what stands in memory after a run on few rows
N_ROWS, N_COLUMNS = 4_000_000, 24  # 760 MiB as float64

SCRIPT = """
import resource, sys
from pathlib import Path
import pandas
from modemap.data.memory import Memory
from modemap.params import IngestParams, PrepareParams, ValidateParams
from modemap.stages.ingest import ingest
from modemap.stages.prepare import prepare
from modemap.stages.validate import validate

stage, folder, room = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
names = [f"x{{j}}" for j in range({n_columns})]
def run(part):
    raw, report = folder / part / "raw", folder / part / "report.json"
    if stage == "ingest":
        ingest(raw, report, IngestParams(source=f"{{folder}}/{{part}}.parquet"))
    elif stage == "validate":
        validate(raw, report, folder / "q", ValidateParams(suite=f"{{folder}}/suite.yaml"),
                 memory=Memory(1 << 28))
    else:
        prepare(raw, folder / part / "prepared", report, PrepareParams(
            key=["id"], columns=dict.fromkeys(names, "error"), validation_share=.2, test_share=.2),
            memory=Memory(1 << 28))
run("few")
data = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
limit = data * 1024 + room * 1024 * 1024
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
run("many")
"""
SUITE = """\
key: [id]
expectations:
  - {type: expect_column_values_to_be_unique, kwargs: {column: id}, over: all}
  - {type: expect_column_values_to_be_between, kwargs: {column: x0, min_value: 0, max_value: 99}}
  - {type: expect_column_values_to_not_be_null, kwargs: {column: x1}}
"""


def _write(path, n_rows):
    rng = np.random.default_rng(0)
    block = {f"x{j}": rng.integers(0, 99, 100_000) / 1.0 for j in range(N_COLUMNS)}
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in block)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n_rows, 100_000):
            writer.write_table(pa.table({"id": np.arange(start, start + 100_000), **block}))


@pytest.mark.slow
def test_stages_take_no_more_memory_for_more_rows(tmp_path):
    """What stands in memory after few rows, and a third of the table: RLIMIT_DATA allows that."""
    _write(tmp_path / "few.parquet", 200_000)
    _write(tmp_path / "many.parquet", N_ROWS)
    (tmp_path / "suite.yaml").write_text(SUITE)
    script = SCRIPT.format(n_columns=N_COLUMNS)

    for stage in ("ingest", "validate", "prepare"):
        command = [sys.executable, "-c", script, stage, str(tmp_path), str(ROOM_MIB)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{stage}: {done.stderr[-2000:]}"


@pytest.mark.slow
def test_a_table_that_is_read_whole_does_not_fit(tmp_path):
    """The limit above would stop a stage that holds the table."""
    _write(tmp_path / "many.parquet", N_ROWS)
    script = (
        "import resource, sys, pyarrow.parquet as pq\n"
        "data = int(open('/proc/self/status').read().split('VmData:')[1].split()[0])\n"
        f"limit = (data + {ROOM_MIB} * 1024) * 1024\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        "pq.read_table(sys.argv[1])\n"
    )
    path = str(tmp_path / "many.parquet")

    done = subprocess.run([sys.executable, "-c", script, path], check=False, capture_output=True)

    assert done.returncode != 0


def test_pieces_shrink_with_the_limit():
    """Few rows of many columns, and never so few that each costs more than its rows."""
    assert Memory(1 << 34).piece_rows(8) == 131_072
    assert Memory(1 << 28).piece_rows(100) == (1 << 28) // (16 * 8 * 100)
    assert Memory(1 << 28).piece_rows(100_000) == 1024
    assert Memory(1 << 28).hashes == 1 << 23


def test_little_memory_is_for_one_thread():
    """Its buffers would take what the pieces leave."""
    few, many = Memory(1 << 28), Memory(1 << 40)

    assert (few.n_threads, few.shared()) == (1, few)
    assert many.n_threads == N_THREADS
    assert many.shared().bytes == many.bytes // N_THREADS


def test_half_of_the_machine_is_the_default(monkeypatch, tmp_path):
    """Or half of what a control group has, if that is less."""
    whole = memory_of()
    (tmp_path / "memory.max").write_text("1000000\n")
    monkeypatch.setattr("modemap.data.memory.CGROUPS", (str(tmp_path / "memory.max"),))

    assert memory_of(123).bytes == 123
    assert memory_of().bytes == 500_000 < whole.bytes
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_of().bytes >= whole.bytes


def test_rows_that_do_not_fit_under_judgement_are_refused():
    """The message says how much they need and what to do."""
    with pytest.raises(DataError, match="must fit into memory_limit, 256 MiB") as caught:
        Memory(1 << 28).check_frame("suite.yaml:3", 100_000_000, 2)

    assert caught.value.found == "100,000,000 rows of 2 columns, about 6,103 MiB"
    assert "over: all" in caught.value.hint
