"""How `ingest`, `validate` and `prepare` grow with their rows, and what one more file costs them.

A table of eight columns is made in chunks from a fixed seed, a hundred files of it, and again with
a tenth of the rows; all of it is removed. Each stage runs in a process of its own. Seconds are
those of the stage, without the start of the process. ``MODEMAP_BENCH_ROWS`` takes other numbers of
rows.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bars import Bar

__all__ = ["COLUMNS", "measure"]

N_ROWS = int(os.environ.get("MODEMAP_BENCH_ROWS", "10_000_000"))
N_FILES = 100
COLUMNS = [f"x{j}" for j in range(7)]  # and the key
CHUNK = 1 << 19
FOLDER = Path(".peers/scale")
DISK = 300  # bytes a row: source, raw, prepared rows, sorted keys, and room
STAGES = ("ingest", "validate", "prepare")
MIN_CELLS = 25e6  # a second, of the contract
MAX_MEMORY = 2048.0  # MiB
MAX_GROWTH = 1.1  # of the seconds a row, at ten times the rows
MAX_MORE_MEMORY = 1.25
MAX_SHARE = 0.03  # of the whole run's seconds, for one file more


def measure() -> list[Bar]:
    """Measure the bars; stop before anything is written if there is no room."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(FOLDER).free, DISK * N_ROWS
    print(f"  {N_ROWS:,} rows need {needed / 1e9:.1f} GB of disk; {free / 1e9:.1f} GB are free")
    if free < needed:
        sys.exit("  not enough room: free the disk, or set MODEMAP_BENCH_ROWS")
    try:
        return _bars()
    finally:
        shutil.rmtree(FOLDER)


def _bars() -> list[Bar]:
    small, large = FOLDER / "small", FOLDER / "large"
    _write(small / "in", N_ROWS // 10, N_FILES)
    _write(large / "in", N_ROWS, N_FILES)
    few, many = _run(small), _run(large)
    _write(large / "in", N_ROWS // N_FILES, 1, first=N_FILES)
    more = _run(large)
    seconds = [sum(each[stage]["seconds"] for stage in STAGES) for each in (few, many, more)]
    peaks = [max(each[stage]["peak_mib"] for stage in STAGES) for each in (few, many)]
    cells = N_ROWS * (len(COLUMNS) + 1) / many["validate"]["seconds"]
    stage_seconds = [many[stage]["seconds"] for stage in STAGES]
    return [
        Bar("contract, cells a second", cells / 1e6, MIN_CELLS / 1e6, "M", (), is_least=True),
        Bar("ingest, validate and prepare: peak memory", peaks[1], MAX_MEMORY, "MiB", peaks),
        Bar(
            "seconds a row at ten times the rows",
            seconds[1] / seconds[0] / 10,
            MAX_GROWTH,
            "x",
            [seconds[0], seconds[1], *stage_seconds],
        ),
        Bar("memory at ten times the rows", peaks[1] / peaks[0], MAX_MORE_MEMORY, "x", peaks),
        Bar(
            "one file of a hundredth more, of the whole run's seconds",
            seconds[2] / seconds[1],
            MAX_SHARE,
            "x",
            [more[stage]["seconds"] for stage in STAGES],
        ),
    ]


def _write(folder: Path, n_rows: int, n_files: int, first: int = 0) -> None:
    """Write the files from number ``first`` on, as exports that have been there for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    size = n_rows // n_files
    for number in range(first, first + n_files):
        path = folder / f"{number:03}.parquet"
        with pq.ParquetWriter(path, _rows(0, 1).schema, compression="zstd") as writer:
            for start in range(0, size, CHUNK):
                writer.write_table(_rows(number * size + start, min(CHUNK, size - start)))
        os.utime(path, (1.6e9, 1.6e9))


def _rows(first: int, n_rows: int) -> pa.Table:
    rng = np.random.default_rng([7, first])
    late = 40.0 * rng.binomial(1, 0.3, n_rows)
    columns = {name: rng.normal(late, 10.0**j) for j, name in enumerate(COLUMNS)}
    return pa.table({"id": np.arange(first, first + n_rows), **columns})


def _run(folder: Path) -> dict[str, dict[str, float]]:
    """Run the stages one after the other; return seconds and peak memory of each."""
    found = {}
    for stage in STAGES:
        worker = [sys.executable, "-m", "benchmarks.scale_worker", stage, str(folder)]
        done = subprocess.run(worker, check=True, stdout=subprocess.PIPE)
        found[stage] = json.loads(done.stdout)
        print(f"  {folder.name} {stage}: {found[stage]}")
    return found
