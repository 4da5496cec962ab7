"""What a training costs: seconds, memory, latency, bytes. Never part of a stage's outputs."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modemap.usage import peak_memory_mib, read_and_written_mib

__all__ = ["N_ROWS", "Cost", "measured"]

N_ROWS, N_CALLS = 1000, 5


@dataclass
class Cost:
    """The cost of one training, in the units of its names."""

    rows: NDArray[np.float64]
    seconds: dict[str, float] = field(default_factory=dict)

    def time_call(self, answer: Callable[[NDArray[np.float64]], object]) -> None:
        """Measure ``answer`` on a batch of a thousand rows: the median of five calls."""
        batch = np.resize(self.rows, (N_ROWS, self.rows.shape[1]))
        calls = []
        for _ in range(N_CALLS):
            started = time.perf_counter()
            answer(batch)
            calls.append(time.perf_counter() - started)
        self.seconds["latency_ms_per_1000_rows"] = 1e3 * statistics.median(calls)

    def numbers(self) -> dict[str, float]:
        """Return what was measured, and what this process has used so far."""
        moved = dict(zip(("read_mib", "written_mib"), read_and_written_mib() or (), strict=False))
        return {**self.seconds, "peak_memory_mib": peak_memory_mib(), **moved}


@contextmanager
def measured(rows: NDArray[np.float64]) -> Iterator[Cost]:
    """Measure the seconds of the block; ``rows`` (n_rows, n_columns) serve to time answers."""
    cost = Cost(rows)
    started, cpu = time.perf_counter(), time.process_time()
    yield cost
    cost.seconds["fit_seconds"] = time.perf_counter() - started
    cost.seconds["fit_cpu_seconds"] = time.process_time() - cpu
