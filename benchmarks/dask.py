"""What a Dask cluster of two processes on this machine costs beside a process of two threads.

Both train on the same prepared files; the models must have the same bytes, or there is no bar.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.exceptions import ConvergenceWarning

from benchmarks.bars import Bar
from modemap.data.matrix import prepared_batches
from modemap.engine import LOCAL, DaskEngine, Engine, dask_engine
from modemap.estimators import BayesianGaussianMixture, SelfOrganizingMap
from modemap.estimators.batches import Spread
from modemap.estimators.blocks import Numbered, cuts_of

__all__ = ["measure"]

ROUNDS = 3
N_ROWS, N_COLUMNS, N_FILES = 4_000_000, 8, 16
N_PARTITIONS, N_PASSES = 100, 20
N_WORKERS = 2

Fit = Callable[[Spread], Any]


def measure() -> list[Bar]:
    """Measure training on both engines, and a pass that does nothing."""
    works: dict[str, Fit] = {"map of 256 units, 5 epochs": _map, "mixture of 8, 10 steps": _mixture}
    with tempfile.TemporaryDirectory() as folder, dask_engine(n_workers=N_WORKERS) as engine:
        _write(Path(folder))
        bars = [_ratio(Path(folder), engine, name, fit) for name, fit in works.items()]
        return [*bars, *_overheads(engine)]


def _map(rows: Spread) -> SelfOrganizingMap:
    return SelfOrganizingMap(16, 16, max_iter=5, n_jobs=_threads(rows)).fit(rows)


def _mixture(rows: Spread) -> BayesianGaussianMixture:
    mixture = BayesianGaussianMixture(
        n_components=8, max_iter=10, tol=0.0, random_state=0, n_jobs=_threads(rows)
    )
    with warnings.catch_warnings():  # ten steps do not converge
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(rows)


def _threads(rows: Spread) -> int:
    return N_WORKERS if type(rows).__name__ == "Blocks" else 1


def _ratio(folder: Path, engine: DaskEngine, name: str, fit: Fit) -> Bar:
    ratios = []
    for number in range(ROUNDS + 1):
        here, model = _timed(folder, LOCAL, fit)
        there, spread = _timed(folder, engine, fit)
        if _bytes(model) != _bytes(spread):
            raise ValueError(f"{name}: both engines must give the same bytes")
        if number:  # the first round compiles
            ratios.append(there / here)
    work = f"{name}, {N_ROWS:,} rows: Dask, 2 workers, beside 2 threads"
    return Bar(work, float(np.median(ratios)), 1.3, "x", ratios)


def _timed(folder: Path, engine: Engine, fit: Fit) -> tuple[float, Any]:
    started = time.perf_counter()
    columns = [f"x{j}" for j in range(N_COLUMNS)]
    model = fit(engine.spread(prepared_batches(folder, "train", columns)))
    return time.perf_counter() - started, model


def _bytes(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.set_params(n_jobs=None).save(Path(folder, "model"))
        return Path(folder, "model").read_bytes()


def _overheads(engine: DaskEngine) -> list[Bar]:
    """Return what a pass over a hundred partitions costs beyond its work."""
    array = dask.array.zeros((N_PARTITIONS * 1000, N_COLUMNS), chunks=(1000, N_COLUMNS))
    rows, cuts = engine.spread(array), cuts_of(N_PARTITIONS * 1000, 1000)
    seconds = []
    for _ in range(N_PASSES):
        started = time.perf_counter()
        if sum(rows.runs(_count, cuts)) != N_PARTITIONS:
            raise ValueError("every partition must be seen")
        seconds.append(time.perf_counter() - started)
    work = f"a pass over {N_PARTITIONS} partitions that does nothing"
    return [Bar(work, float(np.median(seconds[1:])), 0.3, "s", seconds[1:])]


def _count(blocks: Iterator[Numbered]) -> int:
    return sum(1 for _ in blocks)


def _write(folder: Path) -> None:
    """Write rows in four clumps, as `prepare` leaves them."""
    rng = np.random.default_rng(0)
    (folder / "train").mkdir()
    for number in range(N_FILES):
        n = N_ROWS // N_FILES
        X = rng.normal(size=(n, N_COLUMNS)) + 4 * rng.integers(0, 4, (n, 1))
        table = pa.table({f"x{j}": X[:, j] for j in range(N_COLUMNS)})
        pq.write_table(table, folder / "train" / f"{number:06}.parquet", compression="zstd")
