"""How the stages grow with their rows, what one more file costs them, and how long `init` looks.

A table of eight columns is made in chunks from a fixed seed, a hundred files of it, and again with
a tenth and a hundredth of the rows; all of it is removed. Each is a project of its own, written by
`modemap init`, whose stages run one by one in processes of their own. Seconds are those of a stage
without the start of its process. ``MODEMAP_BENCH_ROWS`` takes other numbers of rows.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bars import Bar

__all__ = ["measure"]

N_ROWS = int(os.environ.get("MODEMAP_BENCH_ROWS", "10_000_000"))
N_FILES = 100
N_COLUMNS = 8  # the key and seven more
CHUNK = 1 << 19
DISK = 450  # bytes a row: source, raw and prepared rows, DVC's copies of both, and room
STAGES = ("ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate")
OF_ROWS = STAGES[:3]
N_PASSES = {"train_som": 3, "train_mixture": 5}  # epochs and iterations: no more are needed here
ITERATIONS = ("_survey_of", "_stepped")
INIT_ROWS, INIT_COLUMNS = 10_000_000, 10

Found = dict[str, dict[str, Any]]


def measure() -> list[Bar]:
    """Measure the bars; stop before anything is written if there is no room."""
    with tempfile.TemporaryDirectory(prefix="modemap-scale-") as name:
        free, needed = shutil.disk_usage(name).free, DISK * N_ROWS
        print(f"  {N_ROWS:,} rows need {needed / 1e9:.1f} GB in {name}; {free / 1e9:.1f} are free")
        if free < needed:
            sys.exit("  not enough room: set TMPDIR to a larger disk, or MODEMAP_BENCH_ROWS")
        return [*_init_bars(Path(name)), *_stage_bars(Path(name))]


def _init_bars(folder: Path) -> list[Bar]:
    source = folder / "init"
    n_rows = min(N_ROWS, INIT_ROWS)
    _write(source, n_rows, N_FILES, n_columns=INIT_COLUMNS)
    seconds, peak = _init(source, folder / "looked")
    shutil.rmtree(source)
    work = f"modemap init on {n_rows:,} rows of {INIT_COLUMNS} columns"
    return [Bar(work, seconds, 15.0, "s"), Bar(f"{work}: peak memory", peak, 1024.0, "MiB")]


def _init(source: Path, project: Path) -> tuple[float, float]:
    """Write a project for the files of ``source``; return seconds and MiB of the whole process."""
    files = f"{source.resolve()}/*.parquet"
    command = [sys.executable, "-m", "modemap.cli", "init", files, "--into", str(project)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"  modemap init failed on {source}")
    return seconds, used.ru_maxrss / 2**10


def _stage_bars(folder: Path) -> list[Bar]:
    sizes = [N_ROWS // 100, N_ROWS // 10, N_ROWS]
    projects = [folder / f"{n_rows}" for n_rows in sizes]
    runs = []
    for project, n_rows in zip(projects, sizes, strict=True):
        _write(project.with_suffix(".in"), n_rows, N_FILES)
        _init(project.with_suffix(".in"), project)
        _shorten(project / "params.yaml")
        runs.append(_run(project, STAGES))
        if n_rows != N_ROWS:
            shutil.rmtree(project)
            shutil.rmtree(project.with_suffix(".in"))
    once = _worker("once", projects[-1])
    dvc = _dvc_seconds(projects[-1])
    print(f"  DVC's hashing and copying of all outputs: {dvc:.1f} s; once: {once}")
    _write(projects[-1].with_suffix(".in"), N_ROWS // N_FILES, 1, first=N_FILES)
    more = _run(projects[-1], OF_ROWS)
    return [*_growth_bars(runs), *_whole_bars(runs[-1], once["seconds"]), _more_bar(runs[-1], more)]


def _growth_bars(runs: list[Found]) -> list[Bar]:
    seconds = [_seconds(run, STAGES) - _iterating(run) for run in runs]
    peaks = [max(run[stage]["peak_mib"] for stage in STAGES) for run in runs]
    return [
        Bar("all stages: peak memory of any process", peaks[-1], 2048.0, "MiB", peaks),
        Bar("seconds a row at ten times the rows", seconds[2] / seconds[1] / 10, 1.1, "x", seconds),
        Bar("memory at ten times the rows", peaks[2] / peaks[1], 1.25, "x", peaks),
    ]


def _whole_bars(run: Found, once: float) -> list[Bar]:
    seconds = _seconds(run, STAGES) - _iterating(run)
    cells = N_ROWS * N_COLUMNS / run["validate"]["seconds"]
    return [
        Bar("contract, cells a second", cells / 1e6, 25.0, "M", (), is_least=True),
        Bar(
            "all stages but iterations and epochs, of reading and writing the data once",
            seconds / once,
            8.0,
            "x",
            [once, *(run[stage]["seconds"] for stage in STAGES), _iterating(run)],
        ),
    ]


def _more_bar(run: Found, more: Found) -> Bar:
    work = "one file of a hundredth more: ingest, validate, prepare, of the whole run's seconds"
    share = _seconds(more, OF_ROWS) / _seconds(run, OF_ROWS)
    return Bar(work, share, 0.03, "x", [more[stage]["seconds"] for stage in OF_ROWS])


def _seconds(run: Found, stages: tuple[str, ...]) -> float:
    return float(sum(run[stage]["seconds"] for stage in stages))


def _iterating(run: Found) -> float:
    """Return the seconds of the passes that are epochs of the map or iterations of the mixture."""
    return float(
        sum(
            seconds
            for stage in N_PASSES
            for name, (_, seconds) in run[stage]["passes"].items()
            if name in ITERATIONS
        )
    )


def _write(folder: Path, n_rows: int, n_files: int, first: int = 0, n_columns: int = 8) -> None:
    """Write the files from number ``first`` on, as exports that have been there for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    size = n_rows // n_files
    for number in range(first, first + n_files):
        path = folder / f"{number:03}.parquet"
        with pq.ParquetWriter(path, _rows(0, 1, n_columns).schema, compression="zstd") as writer:
            for start in range(0, size, CHUNK):
                rows = _rows(number * size + start, min(CHUNK, size - start), n_columns)
                writer.write_table(rows)
        os.utime(path, (1.6e9, 1.6e9))


def _rows(first: int, n_rows: int, n_columns: int) -> pa.Table:
    rng = np.random.default_rng([7, first])
    late = 40.0 * rng.binomial(1, 0.3, n_rows)
    columns = {f"x{j}": rng.normal(late, 10.0 ** (j % 7)) for j in range(n_columns - 1)}
    return pa.table({"id": np.arange(first, first + n_rows), **columns})


def _shorten(path: Path) -> None:
    """Let the trainings of a project make few passes: those of them are told apart."""
    text = path.read_text()
    for section, n_passes in N_PASSES.items():
        shorter = rf"\g<1>{n_passes}"
        text = re.sub(rf"(\n{section}:.*?\n  max_iter: )\d+", shorter, text, count=1, flags=re.S)
    path.write_text(text)


def _run(project: Path, stages: tuple[str, ...]) -> Found:
    """Run the stages one after the other; return what each of them took."""
    found = {}
    for stage in stages:
        found[stage] = _worker(stage, project)
        print(f"  {project.name} rows, {stage}: {found[stage]}")
    return found


def _worker(work: str, project: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale_worker", work, str(project)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _dvc_seconds(project: Path) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "dvc", "commit", "--force", "--quiet"]
    subprocess.run(command, check=True, cwd=project)
    return time.perf_counter() - started
