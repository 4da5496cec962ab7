"""One pass over the prepared rows by a release: what is counted, kept and sampled on the way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.matrix import matrix, prepared_batches, prepared_tables
from modemap.data.split import SPLITS
from modemap.estimators.blocks import EvenSample
from modemap.lifecycle.insight.findable import Findable, as_text
from modemap.release import Release
from modemap.reporting.story import FoundRows
from modemap.sketch import ColumnSketch

__all__ = ["Strange", "Survey", "survey", "training_sample"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_STRANGEST = 20
MAX_SAMPLE = 200_000  # rows behind medians and ranks


@dataclass(frozen=True)
class Strange:
    """A row that may be among the strangest."""

    log_likelihood: float
    x: FloatArray
    key: Mapping[str, str]
    split: str
    unit: int


@dataclass(frozen=True)
class Survey:
    """One pass over all rows: exact counts and the strangest, and an even sample of the rest."""

    hits: IntArray  # (n_units,)
    sketches: Sequence[ColumnSketch]  # of the training rows' columns
    strangest: Sequence[Strange]  # the strangest first
    X: FloatArray  # (n_sample, n_columns), raw
    units: IntArray  # (n_sample,)
    is_train: NDArray[np.bool_]  # (n_sample,)
    found: FoundRows | None

    @property
    def train(self) -> FloatArray:
        """The training rows of the sample."""
        return self.X[self.is_train]


def survey(prepared: Path, release: Release) -> Survey:
    """Look at all rows in ``prepared`` by ``release``.

    Counts, sketches and the strangest rows are exact; of very many rows an even sample is kept.
    """
    hits = np.zeros(len(release.segments), dtype=np.int64)
    sketches = [ColumnSketch() for _ in release.measured_columns]
    strangest: list[Strange] = []
    sample, findable = EvenSample(MAX_SAMPLE), Findable(release.columns)
    for split, table in _tables(prepared):
        X, is_training = matrix(table, release.columns), split == SPLITS[0]
        if is_training:
            for sketch, x in zip(sketches, release.measured(X).T, strict=True):
                sketch.update(x)
        scaled = release.preparation.transform(X)
        units = release.som.predict(scaled)
        log_likelihood = release.log_likelihood(scaled)
        hits += np.bincount(units, minlength=len(hits))
        for row in np.argsort(log_likelihood, kind="stable")[:N_STRANGEST]:
            key = _key(table, int(row), release.columns)
            strange = Strange(
                float(log_likelihood[row]), X[row].copy(), key, split, int(units[row])
            )
            strangest.append(strange)
        strangest = sorted(strangest, key=lambda strange: strange.log_likelihood)[:N_STRANGEST]
        findable.add(table, log_likelihood, units)
        sample.add(np.column_stack((X, units, np.full(len(X), is_training))))
    rows = sample.values()
    X, units, is_train = rows[:, :-2], rows[:, -2].astype(np.int64), rows[:, -1] > 0
    return Survey(
        hits, sketches, strangest, np.ascontiguousarray(X), units, is_train, findable.rows()
    )


def _tables(prepared: Path) -> Iterator[tuple[str, pa.Table]]:
    for split in SPLITS:
        for table in prepared_tables(prepared, split):
            yield split, table


def _key(table: pa.Table, row: int, columns: Sequence[str]) -> dict[str, str]:
    """Return what names the row: its columns that the models do not see."""
    names = [name for name in table.column_names if name not in columns]
    return {name: as_text(table[name][row].as_py()) for name in names}


def training_sample(prepared: Path, release: Release, most: int = MAX_SAMPLE) -> FloatArray:
    """Return at most ``most`` raw training rows, evenly spaced.

    Raises
    ------
    DataError
        If ``prepared`` lacks the rows or a column of the release.
    """
    sample = EvenSample(most)
    for X in prepared_batches(prepared, SPLITS[0], release.columns).batches():
        sample.add(X)
    return np.ascontiguousarray(sample.values())
