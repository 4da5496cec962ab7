"""Run one stage of a project for the benchmark `scale`: STAGE FOLDER; print what it took.

``once`` instead of a stage reads the project's source and writes it again, both a single time.
"""

import importlib
import json
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import great_expectations.expectations  # noqa: F401  # its import is no part of a stage's seconds
import mlflow.sklearn  # noqa: F401
import pyarrow.parquet as pq

from modemap.data.batches import writing_parquet
from modemap.estimators.blocks import Blocks
from modemap.params import load_params
from modemap.usage import peak_memory_mib, read_and_written_mib

Passes = dict[str, tuple[int, float]]


def main(work: str, project: Path) -> None:
    """Do ``work`` in ``project`` as DVC would, with what was kept of earlier runs."""
    os.chdir(project)
    passes: Passes = {}
    Blocks.runs = _counted(Blocks.runs, passes)  # type: ignore[method-assign]
    run = _once if work == "once" else _stage(work)
    before, started = read_and_written_mib() or (0.0, 0.0), time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    after = read_and_written_mib() or (0.0, 0.0)
    found = {
        "seconds": round(seconds, 3),
        "peak_mib": round(peak_memory_mib()),
        "read_mib": round(after[0] - before[0]),
        "written_mib": round(after[1] - before[1]),
        "passes": {name: (n, round(seconds, 3)) for name, (n, seconds) in passes.items()},
    }
    print(json.dumps(found))


def _stage(name: str) -> Callable[[], None]:
    importlib.import_module(f"modemap.stages.{name}")

    def run() -> None:
        try:
            runpy.run_module(f"modemap.stages.{name}", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise

    return run


def _once() -> None:
    path = Path("written-once.parquet")
    sources = sorted(Path("/").glob(load_params().ingest.source.lstrip("/")))
    with writing_parquet(path, pq.read_schema(sources[0])) as append:
        for source in sources:
            file = pq.ParquetFile(source)
            for group in range(file.num_row_groups):
                append(file.read_row_group(group))
    path.unlink()


def _counted(runs: Any, passes: Passes) -> Any:
    """Return ``runs`` of rows as it is, but that each pass is counted and timed by its work."""

    def counted(self: Blocks, work: Any, *rest: Any) -> Iterator[Any]:
        started = time.perf_counter()
        yield from runs(self, work, *rest)
        n, seconds = passes.get(_name(work), (0, 0.0))
        passes[_name(work)] = n + 1, seconds + time.perf_counter() - started

    return counted


def _name(work: Any) -> str:
    """Return the name of the innermost function of partial ones, the first that each is given."""
    while isinstance(work, partial):
        work = next((each for each in work.args if callable(each)), work.func)
    return str(getattr(work, "__qualname__", type(work).__name__))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
