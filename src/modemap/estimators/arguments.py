"""The arguments of a map, checked, and the start that follows from them."""

import os
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from modemap.estimators.checks import (
    check_choice,
    check_integer,
    check_number,
    check_threads,
)
from modemap.estimators.codebook import on_principal_plane, on_samples, sides, within_ranges
from modemap.estimators.neighborhood import DECAYS
from modemap.estimators.samples import Part, Samples
from modemap.estimators.training import Early, Schedule, Trainer
from modemap.kernels import (
    BOUNDARIES,
    METRICS,
    NEIGHBORHOODS,
    TOPOLOGIES,
    FloatArray,
    Grid,
)

__all__ = ["checked_arguments", "initial_codebook"]

COPIES = 4  # of the codebook that training holds


def checked_arguments(
    som: BaseEstimator, total_weight: Callable[[], float], grid: Grid | None = None
) -> tuple[Trainer, Early | None]:
    """Return what trains a map with these arguments, and what stops it early.

    ``total_weight`` is asked where a side of the map is left out; ``grid`` is that of a map which
    has been fitted already.
    """
    topology = check_choice("topology", som.topology, TOPOLOGIES)
    boundary = check_choice("boundary", som.boundary, BOUNDARIES)
    check_choice("training", som.training, ("batch", "online"))
    for name in ("early_stopping", "shuffle"):
        if not isinstance(getattr(som, name), bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {getattr(som, name)!r}")
    if grid is None:
        shape = _checked_shape(som, total_weight)
        grid = Grid(*shape, topology, boundary)
    schedule = Schedule(
        n_epochs=check_integer("max_iter", som.max_iter, 1),
        radius=_checked_radius(som.radius, grid.shape),
        radius_decay=check_choice("radius_decay", som.radius_decay, DECAYS),
        learning_rate=_checked_rate(som.learning_rate),
        learning_rate_decay=check_choice("learning_rate_decay", som.learning_rate_decay, DECAYS),
        is_by_update=check_choice("decay_by", som.decay_by, ("update", "epoch")) == "update",
    )
    tol = check_number("tol", som.tol, 0.0, 1.0)
    patience = check_integer("n_iter_no_change", som.n_iter_no_change, 1)
    trainer = Trainer(
        grid=grid,
        schedule=schedule,
        neighborhood=check_choice("neighborhood", som.neighborhood, NEIGHBORHOODS),
        metric=check_choice("metric", som.metric, METRICS),
        shuffle=bool(som.shuffle),
        verbose=bool(som.verbose),
        n_threads=check_threads(som.n_jobs),
    )
    return trainer, Early(tol, patience) if som.early_stopping else None


def _checked_shape(som: BaseEstimator, total_weight: Callable[[], float]) -> tuple[int, int]:
    given = [
        None if value is None else check_integer(name, value, 1)
        for name, value in (("n_rows", som.n_rows), ("n_columns", som.n_columns))
    ]
    n_rows, n_columns = given
    if n_rows is None or n_columns is None:
        n_rows, n_columns = sides(total_weight(), n_rows, n_columns)
        if som.topology == "hexagonal" and som.boundary == "toroidal" and som.n_rows is None:
            n_rows += n_rows % 2
    needed = COPIES * 8 * n_rows * n_columns * som.n_features_in_
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ValueError(
            f"n_rows * n_columns must fit the memory, {memory / 2**30:.1f} GiB, got {n_rows} * "
            f"{n_columns} units of {som.n_features_in_} features, which take {needed / 2**30:.1f}"
        )
    return n_rows, n_columns


def _checked_radius(radius: Any, shape: tuple[int, int]) -> tuple[float, float]:
    if radius is None:
        return max(*shape, 2) / 2, 1.0
    match radius:
        case [Real() as start, Real() as end] if np.inf > float(start) >= float(end) > 0:
            return float(start), float(end)
    raise ValueError(f"radius must be None or (start, end) with start >= end > 0, got {radius!r}")


def _checked_rate(rate: Any) -> tuple[float, float]:
    match rate:
        case [Real() as start, Real() as end] if 1 >= float(start) >= float(end) > 0:
            return float(start), float(end)
    raise ValueError(f"learning_rate must be (start, end) with 1 >= start >= end > 0, got {rate!r}")


def initial_codebook(
    init: Any,
    samples: Samples,
    shape: tuple[int, int],
    random_state: np.random.RandomState,
    n_threads: int,
) -> FloatArray:
    """Return where units start.

    Raises
    ------
    ValueError
        If ``init`` breaks its rule, or a feature has no value at all.
    """
    n_units, n_features = shape[0] * shape[1], _checked_columns(samples)
    if not isinstance(init, str):
        codebook: FloatArray = check_array(
            init, dtype=np.float64, order="C", copy=True, input_name="init"
        )
        if codebook.shape != (n_units, n_features):
            raise ValueError(f"init must have shape {(n_units, n_features)}, got {codebook.shape}")
        return codebook
    check_choice("init", init, ("pca", "random", "sample"))
    if init == "pca":
        return on_principal_plane(samples, shape, n_threads)
    low, high = _ranges(samples)
    if init == "random":
        return within_ranges(low, high, n_units, random_state)
    return on_samples(samples, low + (high - low) / 2, n_units, random_state)


def _checked_columns(samples: Samples) -> int:
    """Refuse a feature that no sample has; return the number of features."""
    first = next(iter(samples))
    if not first.is_missing:
        return int(first.X.shape[1])
    is_empty = ~samples.folded(_seen_in, _either)
    if is_empty.any():
        column = int(np.flatnonzero(is_empty)[0])
        raise ValueError(f"X must have a value in each column, got NaN alone in column {column}")
    return int(is_empty.size)


def _seen_in(part: Part) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(part.X).all(axis=0))


def _either(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(one | other)


def _ranges(samples: Samples) -> tuple[FloatArray, FloatArray]:
    """Return the least and the greatest value of each feature."""
    low, high = samples.folded(_range_of, _wider)
    return low.astype(np.float64), high.astype(np.float64)


def _range_of(part: Part) -> tuple[FloatArray, FloatArray]:
    return np.fmin.reduce(part.X, axis=0), np.fmax.reduce(part.X, axis=0)


def _wider(
    one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    return np.fmin(one[0], other[0]), np.fmax(one[1], other[1])
