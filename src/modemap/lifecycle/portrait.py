"""What a release says of the prepared rows: its map, segments, modes and strangest rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.matrix import matrix, prepared_tables
from modemap.data.split import SPLITS
from modemap.estimators.blocks import EvenSample
from modemap.estimators.contrast import cliffs_delta
from modemap.estimators.umatrix import neighbor_distances
from modemap.lifecycle.findable import Findable, as_text
from modemap.lifecycle.shapes import histograms
from modemap.release import Release
from modemap.reporting.story import (
    Contrast,
    FoundRows,
    MapPicture,
    Models,
    Reason,
    Segment,
    StrangeRow,
)
from modemap.sketch import ColumnSketch

__all__ = ["map_picture", "portray"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_STRANGEST = 20
MAX_SAMPLE = 200_000  # rows behind medians and ranks
N_USUAL = 500  # training rows that say what a usual row is


@dataclass(frozen=True)
class _Strange:
    """A row that may be among the strangest."""

    log_likelihood: float
    x: FloatArray
    key: Mapping[str, str]
    split: str
    unit: int


@dataclass(frozen=True)
class _Survey:
    """One pass over all rows: exact counts and the strangest, and an even sample of the rest."""

    hits: IntArray  # (n_units,)
    sketches: Sequence[ColumnSketch]  # of the training rows' columns
    strangest: Sequence[_Strange]  # the strangest first
    X: FloatArray  # (n_sample, n_columns), raw
    units: IntArray  # (n_sample,)
    is_train: NDArray[np.bool_]  # (n_sample,)
    found: FoundRows | None


def portray(prepared: Path, release: Release) -> Models:
    """Return what ``release`` says of all rows in ``prepared``.

    Counts, histograms and the strangest rows are exact; medians rest on an even sample where there
    are very many rows.
    """
    survey = _survey(prepared, release)
    train = survey.X[survey.is_train]
    return Models(
        rows=int(survey.hits.sum()),
        map=map_picture(release, survey.hits),
        segments=_segments(release, survey),
        histograms=histograms(survey.sketches, release.measured_columns, release.normalizer),
        strangest=_strangest(release, survey.strangest, train),
        found=survey.found,
    )


def map_picture(release: Release, hits: IntArray) -> MapPicture:
    """Return the map of ``release`` with the rows of each unit, (n_units,)."""
    shape = (release.som.n_rows_, release.som.n_columns_)
    raw = release.preparation.inverse_transform(release.som.codebook_)
    return MapPicture(
        distances=neighbor_distances(
            release.som.codebook_,
            *shape,
            topology=release.som.topology,
            boundary=release.som.boundary,
        ),
        hits=hits.reshape(shape),
        segments=release.segments.reshape(shape),
        planes={
            name: plane.reshape(shape) for name, plane in zip(release.columns, raw.T, strict=True)
        },
        is_hexagonal=release.som.topology == "hexagonal",
        is_toroidal=release.som.boundary == "toroidal",
    )


def _survey(prepared: Path, release: Release) -> _Survey:
    hits = np.zeros(len(release.segments), dtype=np.int64)
    sketches = [ColumnSketch() for _ in release.measured_columns]
    strangest: list[_Strange] = []
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
            strange = _Strange(
                float(log_likelihood[row]), X[row].copy(), key, split, int(units[row])
            )
            strangest.append(strange)
        strangest = sorted(strangest, key=lambda strange: strange.log_likelihood)[:N_STRANGEST]
        findable.add(table, log_likelihood, units)
        sample.add(np.column_stack((X, units, np.full(len(X), is_training))))
    rows = sample.values()
    X, units, is_train = rows[:, :-2], rows[:, -2].astype(np.int64), rows[:, -1] > 0
    return _Survey(
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


def _segments(release: Release, survey: _Survey) -> list[Segment]:
    n_segments = int(release.segments.max()) + 1
    of_row = release.segments[survey.units]
    effects = np.array([cliffs_delta(x, of_row, n_segments) for x in survey.X.T])
    rows = np.bincount(release.segments, weights=survey.hits, minlength=n_segments).astype(int)
    n_units = np.bincount(release.segments, minlength=n_segments)
    segments = []
    for number in range(n_segments):
        inside = survey.X[of_row == number]
        outside = survey.X[of_row != number]
        sides = zip(release.columns, effects[:, number], inside.T, outside.T, strict=True)
        contrasts = [
            Contrast(name, float(effect), _median(own), _median(others))
            for name, effect, own, others in sides
        ]
        contrasts.sort(key=lambda contrast: -abs(np.nan_to_num(contrast.effect)))
        share = rows[number] / max(rows.sum(), 1)
        segments.append(
            Segment(number, int(rows[number]), float(share), int(n_units[number]), contrasts)
        )
    return segments


def _median(values: FloatArray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _strangest(
    release: Release, strangest: Sequence[_Strange], train: FloatArray
) -> list[StrangeRow]:
    usual = train[:: -(-len(train) // N_USUAL)]
    X = np.array([strange.x for strange in strangest])
    scaled = release.preparation.transform(np.concatenate((X, usual)))
    surprise = release.surprise(scaled)
    train, X = release.measured(train), release.measured(X)
    nats = surprise[: len(X)] - surprise[len(X) :].mean(axis=0)
    below = np.array([[np.mean(train[:, j] < value) for j, value in enumerate(x)] for x in X])
    above = np.array([[np.mean(train[:, j] > value) for j, value in enumerate(x)] for x in X])
    rows = []
    for i, strange in enumerate(strangest):
        numbers = zip(release.measured_columns, X[i], nats[i], below[i], above[i], strict=True)
        reasons = [Reason(name, *map(float, values)) for name, *values in numbers]
        reasons.sort(key=lambda reason: -reason.nats)
        segment = int(release.segments[strange.unit])
        rows.append(
            StrangeRow(
                strange.key, strange.split, strange.unit, segment, strange.log_likelihood, reasons
            )
        )
    return rows
