"""One pass over rows: the sketch of each column, and some of its values as they are."""

from collections.abc import Iterable, Iterator
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from modemap.estimators.batches import Spread
from modemap.estimators.blocks import EvenSample, Numbered, block_rows, cuts_of, even_step
from modemap.kernels import map_in_order
from modemap.sketch import ColumnSketch, merged_sketches

__all__ = ["NO_ROWS", "Survey", "survey", "survey_spread"]

NO_ROWS = "X must have at least one row, got none"
SAMPLE = 1 << 16  # values of a column that are kept as they are

Columns = list[NDArray[Any]]
Survey = tuple[list[ColumnSketch], Columns]
_Parts = tuple[list[ColumnSketch], list[Columns]]  # the values of each column in parts


def survey(parts: Iterable[Columns], n_threads: int) -> Survey:
    """Return the sketches and some values of columns that come in parts."""
    sketches: list[ColumnSketch] = []
    samples: list[EvenSample] = []
    for arrays in parts:
        sketches = sketches or [ColumnSketch() for _ in arrays]
        samples = samples or [EvenSample(SAMPLE) for _ in arrays]
        _count(sketches, arrays, n_threads)
        for sample, array in zip(samples, arrays, strict=True):
            sample.add(array)
    if not sketches:
        raise ValueError(NO_ROWS)
    return sketches, [sample.values() for sample in samples]


def survey_spread(X: Spread, n_columns: int, n_threads: int, *, is_complete: bool) -> Survey:
    """Return the same of rows that may lie elsewhere, which are looked at there."""
    size, step = block_rows(n_columns), even_step(X.n_rows, SAMPLE)
    work = partial(_surveyed, is_complete, n_threads, size, step)
    sketches, samples = reduce(_together, X.runs(work, cuts_of(X.n_rows, size)))
    return sketches, [np.concatenate(parts) for parts in samples]


def _surveyed(
    is_complete: bool, n_threads: int, size: int, step: int, blocks: Iterator[Numbered]
) -> _Parts:
    sketches: list[ColumnSketch] = []
    samples: list[Columns] = []
    for number, X, _ in blocks:
        arrays = list(check_array(X, dtype="numeric", ensure_all_finite=is_complete).T)
        sketches = sketches or [ColumnSketch() for _ in arrays]
        samples = samples or [[] for _ in arrays]
        _count(sketches, arrays, n_threads)
        for sample, array in zip(samples, arrays, strict=True):
            sample.append(array[-number * size % step :: step].copy())
    return sketches, samples


def _together(one: _Parts, other: _Parts) -> _Parts:
    samples = [a + b for a, b in zip(one[1], other[1], strict=True)]
    return merged_sketches(one[0], other[0]), samples


def _count(sketches: list[ColumnSketch], arrays: Columns, n_threads: int) -> None:
    """Add arrays to their sketches, side by side."""
    inner = n_threads if len(arrays) == 1 else 1

    def count(j: int) -> ColumnSketch:
        return sketches[j].update(arrays[j], n_threads=inner)

    for _ in map_in_order(count, range(len(arrays)), n_threads):
        pass
