"""What one trial is like: its models trained as the stages do, and judged on validation rows."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from modemap.engine import LOCAL
from modemap.estimators.preparation import Preparation
from modemap.params import GateParams, TrainMixtureParams, TrainSomParams
from modemap.stages.measure import N_ROWS, Cost, measured
from modemap.stages.train_mixture import mean_log_likelihood, measured_rows, new_mixture
from modemap.stages.train_som import dead_share, map_errors, new_map, scaled_rows

__all__ = ["Job", "Measured", "measure", "workers"]

MIB = 1 << 20
ORPHAN_SECONDS = 1.0  # between two looks whether the search that started a worker still runs

Numbers = dict[str, float]


class _Saved(Protocol):
    def save(self, path: Path) -> object: ...


@dataclass(frozen=True)
class Job:
    """What a worker needs to know of a trial."""

    prepared: Path
    train_som: TrainSomParams
    train_mixture: TrainMixtureParams
    gate: GateParams
    may_stop: bool = True  # before the mixture, where the map alone is out of bounds


@dataclass(frozen=True)
class Measured:
    """What was found; ``stopped`` says why the mixture was not fitted any more."""

    numbers: Numbers
    stopped: str | None = None


def measure(job: Job) -> Measured:
    """Train both models of ``job``; test rows are not read.

    Latency is of a thousand rows and size of the saved models, map and mixture together.
    """
    preparation = Preparation.load(job.prepared / "preparation.npz")
    of_map = _measured_map(job, preparation)
    stopped = _beyond(of_map, job.gate) if job.may_stop else None
    if stopped is not None:
        return Measured(of_map, stopped)
    of_mixture = _measured_mixture(job, preparation)
    both = {name: of_map[name] + of_mixture[name] for name in ("latency_ms", "size_mib")}
    both["fit_seconds"] = of_map["fit_seconds"] + of_mixture["fit_seconds"]
    return Measured(of_map | of_mixture | both)


def _beyond(numbers: Numbers, gate: GateParams) -> str | None:
    """Return which bound of the gate a map breaks that could never be promoted."""
    bounds = {
        "topographic_error": gate.topographic_error_max,
        "dead_unit_share": gate.dead_unit_share_max,
    }
    broken = [name for name, bound in bounds.items() if numbers[name] > bound]
    return f"{broken[0]} beyond the gate's {bounds[broken[0]]:g}" if broken else None


def _measured_map(job: Job, preparation: Preparation) -> Numbers:
    train, validation = (
        scaled_rows(job.prepared, split, preparation) for split in ("train", "validation")
    )
    rows, held_out = LOCAL.spread(train), LOCAL.spread(validation)
    with measured(validation.first(N_ROWS)) as cost:
        som = new_map(job.train_som).fit(rows)
    cost.time_call(som.predict)
    return {
        **map_errors(som, held_out),
        "dead_unit_share": dead_share(som, held_out),
        "n_units": len(som.codebook_),
        **_cost(cost, som),
    }


def _measured_mixture(job: Job, preparation: Preparation) -> Numbers:
    train, validation = (
        measured_rows(job.prepared, split, preparation) for split in ("train", "validation")
    )
    rows, held_out = LOCAL.spread(train), LOCAL.spread(validation)
    with measured(validation.first(N_ROWS)) as cost:
        mixture = new_mixture(job.train_mixture).fit(rows)
    cost.time_call(mixture.score_samples)
    log_likelihood = mean_log_likelihood(mixture, held_out, preparation.log_jacobian_)
    return {
        "log_likelihood": log_likelihood,
        "n_components": mixture.n_components_,
        **_cost(cost, mixture),
    }


def _cost(cost: Cost, model: _Saved) -> Numbers:
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        model.save(path)
        size = path.stat().st_size / MIB
    seconds = cost.seconds
    return {
        "latency_ms": seconds["latency_ms_per_1000_rows"],
        "size_mib": size,
        "fit_seconds": seconds["fit_seconds"],
    }


@contextmanager
def workers(n_jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield ``n_jobs`` processes that measure; they end with the block, or with this process."""
    pool = ProcessPoolExecutor(
        n_jobs, get_context("spawn"), initializer=_start, initargs=(os.getpid(),)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start(parent: int) -> None:
    # A mixture that needs more iterations than params allow is judged as it is.
    warnings.simplefilter("ignore", ConvergenceWarning)
    threadpool_limits(limits=1)  # as in a stage: sums change with the number of threads
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when its parent was killed: nobody would take its answer."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    sys.stderr.flush()
    os._exit(1)
