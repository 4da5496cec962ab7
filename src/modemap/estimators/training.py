"""Epochs of a map: batch and online training, and what is noted of them."""

import sys
import time
from collections.abc import Iterable, Sized
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import RandomState

from modemap.estimators.neighborhood import Neighborhood, decayed, updated
from modemap.estimators.samples import Part, Samples
from modemap.kernels import (
    FloatArray,
    Grid,
    Prepared,
    UnitSums,
    present,
    sums_by_unit,
    two_nearest_soon,
)

__all__ = ["HISTORY", "Early", "History", "Schedule", "Trainer", "together"]

HISTORY = ("quantization_error", "topographic_error", "radius", "seconds")
UPDATES_AT_ONCE = 1 << 14
MIN_WATCHED, WATCHED_SHARE = 512, 64  # samples of a part that the topographic error looks at


@dataclass(frozen=True)
class Schedule:
    """How radius and learning rate fall from the first epoch to the last."""

    n_epochs: int
    radius: tuple[float, float]
    radius_decay: str
    learning_rate: tuple[float, float]
    learning_rate_decay: str
    is_by_update: bool

    def radius_at(self, epoch: int) -> float:
        """Return the radius of an epoch, from 0; that of the last one for all beyond."""
        progress = np.array([min(epoch / max(self.n_epochs - 1, 1), 1.0)])
        return float(decayed(*self.radius, progress, self.radius_decay)[0])

    def updates(self, epoch: int, n_updates: int) -> tuple[FloatArray, FloatArray]:
        """Return learning rate and radius of each update in an epoch of ``n_updates``."""
        if self.is_by_update:
            last = max(self.n_epochs * n_updates - 1, 1)
            progress = (epoch * n_updates + np.arange(n_updates)) / last
        else:
            progress = np.full(n_updates, epoch / max(self.n_epochs - 1, 1))
        progress = np.minimum(progress, 1.0)
        rates = decayed(*self.learning_rate, progress, self.learning_rate_decay)
        return rates, decayed(*self.radius, progress, self.radius_decay)


@dataclass
class Early:
    """Stops training when the quantization error has not fallen for some epochs."""

    tol: float
    patience: int
    best: float = np.inf
    waited: int = 0

    def is_over(self, error: float) -> bool:
        """Take note of an epoch's error; return whether it is time to stop."""
        is_better = error < self.best * (1.0 - self.tol)
        self.best = min(self.best, error)
        self.waited = 0 if is_better else self.waited + 1
        return self.waited >= self.patience


@dataclass
class History:
    """What is noted of each epoch."""

    entries: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in HISTORY})

    def note(self, *values: float) -> None:
        """Add an epoch: quantization error, topographic error, radius, seconds."""
        for name, value in zip(HISTORY, values, strict=True):
            self.entries[name].append(float(value))

    def tell(self, n_epochs: int) -> None:
        """Print the last epoch to standard output."""
        last = {name: values[-1] for name, values in self.entries.items()}
        number = len(self.entries["radius"])
        sys.stdout.write(
            f"epoch {number}/{n_epochs}  radius {last['radius']:.3g}  "
            f"quantization error {last['quantization_error']:.6g}  "
            f"topographic error {last['topographic_error']:.4f}  {last['seconds']:.2f} s\n"
        )


@dataclass(frozen=True)
class Trainer:
    """A map's arguments, checked, and the passes that follow from them."""

    grid: Grid
    schedule: Schedule
    neighborhood: str
    metric: str
    shuffle: bool
    verbose: bool
    n_threads: int

    def prepared(self, codebook: FloatArray) -> Prepared:
        """Return a codebook as the passes of an epoch search it."""
        return Prepared(codebook, self.metric, self.n_threads)

    def accumulate(
        self, samples: Samples, units: Prepared, *, counts_alone: bool = False
    ) -> UnitSums:
        """Return the sums of all samples by nearest unit."""
        return samples.folded(partial(_sums_of, units, counts_alone), together)

    def surveyed(self, samples: Samples, codebook: FloatArray) -> tuple[UnitSums, float]:
        """Return the sums of all samples and the topographic error, in one pass over them.

        The error is the share of samples whose two nearest units are no neighbours. Of many samples
        it looks at an even selection, every 64th or so.
        """
        found = samples.folded(partial(_survey_of, self.prepared(codebook), self.grid), _joined)
        return found.sums, found.apart / found.watched if found.watched else 0.0

    def moved(self, codebook: FloatArray, found: UnitSums, radius: float) -> FloatArray:
        """Return the codebook after an epoch that found these sums."""
        neighborhood = Neighborhood(self.grid, self.neighborhood, radius)
        return updated(codebook, found, neighborhood, self.n_threads)

    def batch(
        self, samples: Samples, codebook: FloatArray, early: Early | None, history: History
    ) -> tuple[FloatArray, FloatArray]:
        """Run batch epochs; return the codebook and the weight of the samples of each unit."""
        found = self.accumulate(samples, self.prepared(codebook))
        for epoch in range(self.schedule.n_epochs):
            started = time.perf_counter()
            radius = self.schedule.radius_at(epoch)
            codebook = self.moved(codebook, found, radius)
            found, apart = self.surveyed(samples, codebook)
            error = found.distance / float(found.counts.sum())
            history.note(error, apart, radius, time.perf_counter() - started)
            if self.verbose:
                history.tell(self.schedule.n_epochs)
            if early is not None and early.is_over(error):
                break
        return codebook, found.counts

    def online(
        self,
        samples: Samples,
        codebook: FloatArray,
        early: Early | None,
        history: History,
        random_state: RandomState,
    ) -> tuple[FloatArray, FloatArray]:
        """Run online epochs; return the codebook and the weight of the samples of each unit."""
        epoch = 0
        while epoch < self.schedule.n_epochs:
            n_epochs = 1 if early or self.verbose else self._at_once(samples, epoch)
            codebook, error = self.online_epochs(
                samples, codebook, range(epoch, epoch + n_epochs), history, random_state
            )
            epoch += n_epochs
            if self.verbose:
                history.tell(self.schedule.n_epochs)
            if early is not None and early.is_over(error):
                break
        return codebook, self.accumulate(samples, self.prepared(codebook), counts_alone=True).counts

    def _at_once(self, parts: Iterable[Part], epoch: int) -> int:
        """Return how many epochs of few samples are worth one call."""
        if not isinstance(parts, Sized) or len(parts) != 1:
            return 1
        (part,) = parts
        left = self.schedule.n_epochs - epoch
        return max(1, min(left, UPDATES_AT_ONCE // len(part.X)))

    def online_epochs(
        self,
        samples: Iterable[Part],
        codebook: FloatArray,
        epochs: range,
        history: History,
        random_state: RandomState,
    ) -> tuple[FloatArray, float]:
        """Present all samples once in each epoch, of which there are several for one part alone.

        A sample of weight 2 moves units as far as if it were presented twice in a row. Returns the
        codebook and the quantization error on the way in the last epoch.
        """
        started, told = time.perf_counter(), []
        for X, weights, is_missing, _ in samples:
            n = len(X)
            orders = [random_state.permutation(n) if self.shuffle else np.arange(n) for _ in epochs]
            order = np.concatenate(orders)
            updates = [self.schedule.updates(epoch, n) for epoch in epochs]
            rates, radii = (np.concatenate(values) for values in zip(*updates, strict=True))
            if (weights != 1).any():
                rates = 1.0 - (1.0 - rates) ** weights[order]
            step = 1 if len(epochs) > 1 else _step(n)
            codebook, distances, are_apart = present(
                X, order, rates, radii, codebook, self.grid, self.neighborhood, self.metric,
                is_missing=is_missing, step=step,
            )  # fmt: skip
            shape = (len(epochs), -1)
            told.append([values.reshape(shape) for values in (distances, are_apart, radii)])
        distances, are_apart, radii = (
            np.concatenate(values, axis=1) for values in zip(*told, strict=True)
        )
        seconds = (time.perf_counter() - started) / len(epochs)
        for epoch in range(len(epochs)):
            error, apart = distances[epoch].mean(), are_apart[epoch].mean()
            history.note(error, apart, radii[epoch, -1], seconds)
        return codebook, float(distances[-1].mean())


class _Survey(NamedTuple):
    """What an epoch looks for in some samples."""

    sums: UnitSums
    apart: float  # weight of the samples whose two nearest units are no neighbours
    watched: float  # of all that were looked at for this


def _sums_of(units: Prepared, counts_alone: bool, part: Part) -> UnitSums:
    return sums_by_unit(
        part.X, part.weights, units, is_missing=part.is_missing, counts_alone=counts_alone
    )


def _survey_of(units: Prepared, grid: Grid, part: Part) -> _Survey:
    sums = _sums_of(units, False, part)
    if grid.n_units == 1:
        return _Survey(sums, 0.0, 0.0)
    step = _step(len(part.X))
    watched, weights = np.ascontiguousarray(part.X[::step]), part.weights[::step]
    pair = two_nearest_soon(watched, units, is_missing=part.is_missing)
    return _Survey(sums, float(weights @ ~grid.are_neighbors(*pair, 8)), float(weights.sum()))


def _joined(one: _Survey, other: _Survey) -> _Survey:
    sums = together(one.sums, other.sums)
    return _Survey(sums, one.apart + other.apart, one.watched + other.watched)


def together(one: UnitSums, other: UnitSums) -> UnitSums:
    """Return both sums together, also where only one has weights for each feature."""
    n_totals = max(one.n_totals, other.n_totals)
    return _widened(one, n_totals).plus(_widened(other, n_totals))


def _step(n_samples: int) -> int:
    """Return how far apart the samples are that the topographic error looks at."""
    return max(1, n_samples // max(MIN_WATCHED, n_samples // WATCHED_SHARE))


def _widened(part: UnitSums, n_totals: int) -> UnitSums:
    """Return the sums with ``n_totals`` weights for each unit."""
    if part.n_totals == n_totals:
        return part
    weights = np.repeat(part.weights, n_totals, axis=1)
    return part._replace(sums=np.hstack((part.sums[:, :n_totals], weights)), n_totals=n_totals)
