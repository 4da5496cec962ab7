"""What happens to raw rows before a model sees them: missing values, scaling, decorrelation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from modemap.errors import DataError
from modemap.estimators.blocks import block_rows
from modemap.estimators.checks import (
    LARGEST,
    check_choice,
    check_extremes,
    check_fitted,
    check_magnitude,
    is_ready,
)
from modemap.estimators.decorrelation import Directions, learn_directions
from modemap.estimators.saving import model_from, params_of, require, require_arrays
from modemap.estimators.state import load_state, reading, save_state
from modemap.kernels import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from modemap.sketch import ColumnSketch

__all__ = ["DECORRELATIONS", "POLICIES", "Preparation"]

KIND = "preparation"
POLICIES = ("drop", "median", "error")
DECORRELATIONS = ("none", "pca", "whiten")
NORMAL_IQR = 1.349  # interquartile range of the standard normal distribution


class Preparation(BaseEstimator):
    """Missing-value policy, robust scaling and decorrelation of named columns.

    Parameters
    ----------
    columns : sequence of str
        The columns of ``X``, in order.
    missing : mapping of str to {"drop", "median", "error"}
        For each column what becomes of a missing value (NaN): its row is left out, it is replaced
        by the median of the training rows, or it is an error.
    map_only : mapping of str to str or None, optional
        The columns that a map sees and a density does not: for each the category whose level it
        indicates by 1 and 0, or None where its values are scaled already.
    decorrelate : {"none", "pca", "whiten"}, default="none"
        What takes the places of the scaled columns that a density sees: nothing else, their
        principal components, or these in units of their standard deviations.

    Attributes
    ----------
    center_ : ndarray of shape (n_columns,)
        Medians; of an indicator the share of its level, 0 of what is scaled already.
    scale_ : ndarray of shape (n_columns,)
        Interquartile range / 1.349, the standard deviation where that is 0, 1 where all values
        are equal or scaled already. Of an indicator the root of its share, times what makes the
        variances of its category's indicators add up to 1: a rare level lies farther out, and a
        category weighs as much as one column of numbers.
    fill_ : ndarray of shape (n_columns,)
        What replaces missing values: the centers.
    measured_ : ndarray of int64
        Which columns a density sees.
    directions_ : Directions or None
        The principal components, where these columns are decorrelated.
    log_jacobian_ : float
        Sum of ``log(scale_)`` over these, and of the logarithms of the components' units: a
        log-density of prepared rows minus this is one of raw rows.
    n_features_in_ : int
        Number of columns.

    Examples
    --------
    >>> import numpy as np
    >>> preparation = Preparation(["delay"], {"delay": "median"})
    >>> preparation.fit(np.array([[1.0], [2.0], [np.nan], [3.0]])).fill_.tolist()
    [2.0]
    """

    def __init__(
        self,
        columns: Sequence[str],
        missing: Mapping[str, str],
        map_only: Mapping[str, str | None] | None = None,
        decorrelate: str = "none",
    ) -> None:
        self.columns = columns
        self.missing = missing
        self.map_only = map_only
        self.decorrelate = decorrelate

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn medians and scales from training rows, (n_samples, n_columns) in raw units.

        Raises
        ------
        ValueError
            If ``columns`` and ``missing`` do not match each other or ``X``, or ``X`` is infinite.
        DataError
            If a value is missing where the policy is ``"error"``, no row is left, or a component
            to be whitened has no variance.
        """
        del y
        self._check_arguments()
        X = self._checked(X)
        kept = X[self._is_kept(X)]
        self._check_observed(kept)
        check_magnitude(kept)
        low, center, high = np.nanpercentile(kept, (25, 50, 75), axis=0)
        spread = np.nanstd(kept, axis=0)
        is_constant = np.nanmin(kept, axis=0) == np.nanmax(kept, axis=0)
        self.center_: FloatArray = center
        self._set_scale(low, high, spread, is_constant)
        self._set_map_only(kept.mean(axis=0) if self.map_only else center)
        self.fill_: FloatArray = self.center_.copy()
        self.n_features_in_ = X.shape[1]
        if self.decorrelate == "none":
            return self.fit_directions(())
        filled, step = self.fill(kept), block_rows(X.shape[1])
        return self.fit_directions(filled[i : i + step] for i in range(0, len(filled), step))

    def fit_sketches(self, sketches: Sequence[ColumnSketch]) -> Self:
        """Learn from the sketches of the columns of kept rows, as from the rows.

        What decorrelates is no matter of single columns: :meth:`fit_directions` learns it.
        Medians and scales are those of :meth:`fit`, exactly where the sketches are exact, and else
        off by less than a bin is wide.

        Raises
        ------
        ValueError
            If ``columns``, ``missing`` and the sketches do not match each other, a sketch has
            missing values where none may be, or values whose squares overflow.
        DataError
            If a sketch has no values.
        """
        self._check_arguments()
        if len(sketches) != len(self.columns):
            raise ValueError(f"sketches must be {len(self.columns)}, got {len(sketches)}")
        for column, sketch in zip(self.columns, sketches, strict=True):
            if not sketch.n:
                raise _nothing_to_learn(column, sketch.n_missing)
            if sketch.n_missing and self.missing[column] != "median":
                rule = f"sketches must have no missing values where {self.missing[column]} is asked"
                raise ValueError(f"{rule}, got {sketch.n_missing} of {column}")
            check_extremes(sketch.min, sketch.max)
        low, self.center_, high = np.array(
            [sketch.percentiles((25, 50, 75)) for sketch in sketches]
        ).T.copy()
        means, spread = np.array([_mean_and_spread(sketch) for sketch in sketches]).T
        is_constant = np.array([sketch.min == sketch.max for sketch in sketches])
        self._set_scale(low, high, spread, is_constant)
        self._set_map_only(means)
        self.fill_ = self.center_.copy()
        self.n_features_in_ = len(sketches)
        if self.decorrelate == "none":
            self.fit_directions(())
        return self

    def fit_directions(self, blocks: Iterable[FloatArray]) -> Self:
        """Learn what decorrelates from blocks of the filled training rows, once scales are known.

        Raises
        ------
        DataError
            If a component to be whitened has no variance.
        """
        self.directions_: Directions | None = None
        if self.decorrelate != "none":
            scaled = (self._scaled(X)[:, self.measured_] for X in blocks)
            is_whitening = self.decorrelate == "whiten"
            self.directions_ = learn_directions(scaled, self.measured_columns, whiten=is_whitening)
        return self

    @property
    def measured_(self) -> NDArray[np.int64]:
        """The columns that a density sees, by their places."""
        left_out = self.map_only or {}
        return np.array([j for j, name in enumerate(self.columns) if name not in left_out], int)

    @property
    def measured_columns(self) -> list[str]:
        """The names of the columns that a density sees."""
        return [self.columns[j] for j in self.measured_]

    @property
    def log_jacobian_(self) -> float:
        """What a log-density of prepared rows has more than one of raw rows."""
        gained = 0.0 if self.directions_ is None else self.directions_.log_lengths
        return float(np.log(self.scale_[self.measured_]).sum()) + gained

    def kept(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Return which rows have a value in every column whose policy is ``"drop"``."""
        self._check_arguments()
        return self._is_kept(self._checked(X))

    def fill(self, X: ArrayLike) -> FloatArray:
        """Return the rows, all of them :meth:`kept`, with missing values filled in."""
        check_fitted(self, "fill_")
        X = self._checked(X)
        self._refuse_missing(X, ("drop", "error"))
        return np.where(np.isnan(X), self.fill_, X)

    def transform(self, X: ArrayLike) -> FloatArray:
        """Return the filled rows in robust units, ``(X - center_) / scale_``, decorrelated."""
        check_fitted(self, "directions_")
        scaled = self._scaled(X)
        if self.directions_ is not None:
            places = self.measured_
            scaled[:, places] = self.directions_.transform(scaled[:, places])
        return scaled

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Return prepared rows as raw ones."""
        return self.recorrelated(self._filled(X)) * self.scale_ + self.center_

    def inverse_measured(self, X: FloatArray) -> FloatArray:
        """Return prepared rows of the columns that a density sees, these alone, as raw ones."""
        places = self.measured_
        if self.directions_ is not None:
            X = self.directions_.inverse_transform(X)
        return X * self.scale_[places] + self.center_[places]

    def recorrelated(self, X: FloatArray) -> FloatArray:
        """Return prepared rows in robust units of the columns, as they were to be decorrelated."""
        if self.directions_ is None:
            return X
        recorrelated, places = X.copy(), self.measured_
        recorrelated[:, places] = self.directions_.inverse_transform(X[:, places])
        return recorrelated

    def by_column(self, differences: FloatArray) -> FloatArray:
        """Return differences of prepared rows, as long as they are, by the columns."""
        if self.directions_ is None:
            return differences
        told, places = differences.copy(), self.measured_
        told[:, places] = self.directions_.by_column(differences[:, places])
        return told

    def save(self, path: Path | str) -> None:
        """Write the fitted preparation to ``path``: equal ones, equal bytes."""
        check_fitted(self, "fill_")
        arrays = {"center": self.center_, "fill": self.fill_, "scale": self.scale_}
        params = params_of(self, {})
        if self.directions_ is None:  # as releases were written before rows were decorrelated
            del params["arguments"]["decorrelate"]
        else:
            arrays |= vars(self.directions_)
        if self.map_only is None:  # as releases were written before there were such columns
            del params["arguments"]["map_only"]
        save_state(path, KIND, params, arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the preparation that :meth:`save` wrote to ``path``.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a preparation, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            require(isinstance(params["arguments"], dict), "arguments")
            params["arguments"].setdefault("map_only", None)
            params["arguments"].setdefault("decorrelate", "none")
            preparation, _ = model_from(cls, params)
            preparation._check_arguments()
            n_columns = len(preparation.columns)
            require(preparation.n_features_in_ == n_columns, "n_features")
            shapes: dict[str, tuple[int, ...]] = {}
            shapes |= dict.fromkeys(("center", "fill", "scale"), (n_columns,))
            n_measured = len(preparation.measured_)
            if preparation.decorrelate != "none":
                shapes |= dict.fromkeys(("mean", "lengths"), (n_measured,))
                shapes |= {"axes": (n_measured, n_measured)}
            require_arrays(arrays, shapes)
            require(bool((arrays["scale"] > 0).all()), "scale")
            preparation.directions_ = _directions(arrays)
        preparation.center_, preparation.fill_ = arrays["center"], arrays["fill"]
        preparation.scale_ = arrays["scale"]
        return preparation

    def _check_arguments(self) -> None:
        columns = list(self.columns)
        if isinstance(self.columns, str) or not columns or len(set(columns)) < len(columns):
            raise ValueError(f"columns must be one or more different names, got {self.columns!r}")
        if set(self.missing) != set(columns):
            raise ValueError(f"missing must name each of {columns}, got {sorted(self.missing)}")
        for column, policy in self.missing.items():
            check_choice(f"missing[{column!r}]", policy, POLICIES)
        check_choice("decorrelate", self.decorrelate, DECORRELATIONS)
        left_out = self.map_only or {}
        if not set(left_out) < set(columns):
            rule = f"map_only must name some of {columns} and leave a column of numbers"
            raise ValueError(f"{rule}, got {sorted(left_out)}")

    def _set_scale(
        self, low: FloatArray, high: FloatArray, spread: FloatArray, is_constant: NDArray[np.bool_]
    ) -> None:
        scale = np.where(high > low, (high - low) / NORMAL_IQR, spread)
        self.scale_: FloatArray = np.where(is_constant | (scale < 1 / LARGEST), 1.0, scale)

    def _set_map_only(self, means: FloatArray) -> None:
        left_out = self.map_only or {}
        indicators: dict[str, list[int]] = {}
        for j, name in enumerate(self.columns):
            if name in left_out:
                category = left_out[name]
                self.center_[j], self.scale_[j] = 0.0, 1.0
                if category is not None:
                    indicators.setdefault(category, []).append(j)
        for places in indicators.values():
            shares = means[places]
            scales = np.sqrt(shares * np.sum(1 - shares))
            self.center_[places] = shares
            self.scale_[places] = np.where(scales > 0, scales, 1.0)

    def _checked(self, X: ArrayLike) -> FloatArray:
        checked: FloatArray
        if is_ready(X):
            checked = np.asarray(X, np.float64)
        else:
            checked = check_array(
                X,
                dtype=np.float64,
                order="C",
                ensure_all_finite="allow-nan",
                ensure_min_samples=0,
                input_name="X",
            )
        n_columns = len(self.columns)
        if checked.shape[1] != n_columns:
            raise ValueError(f"X must have {n_columns} columns, got {checked.shape[1]}")
        return checked

    def _filled(self, X: ArrayLike) -> FloatArray:
        check_fitted(self, "fill_")
        X = self._checked(X)
        self._refuse_missing(X, POLICIES)
        return X

    def _scaled(self, X: ArrayLike) -> FloatArray:
        scaled: FloatArray = (self._filled(X) - self.center_) / self.scale_
        return scaled

    def _is_kept(self, X: FloatArray) -> NDArray[np.bool_]:
        is_dropping = np.array([self.missing[column] == "drop" for column in self.columns])
        is_missing: NDArray[np.bool_] = np.isnan(X[:, is_dropping])
        return ~np.asarray(is_missing.any(axis=1))

    def _refuse_missing(self, X: FloatArray, policies: Sequence[str]) -> None:
        if not np.isnan(X).any():
            return
        for column, values in zip(self.columns, X.T, strict=True):
            is_missing = np.isnan(values)
            policy = self.missing[column]
            if policy in policies and is_missing.any():
                raise DataError(
                    f"column {column}",
                    f"values must not be missing here (policy {policy})",
                    found=f"{is_missing.sum()} missing, the first in row {is_missing.argmax()}",
                    hint="leave these rows out, fill them, or choose another policy",
                )

    def _check_observed(self, kept: FloatArray) -> None:
        self._refuse_missing(kept, ("error",))
        for column, values in zip(self.columns, kept.T, strict=True):
            if np.isnan(values).all():
                raise _nothing_to_learn(column, len(kept))


def _directions(arrays: Mapping[str, FloatArray]) -> Directions | None:
    if "axes" not in arrays:
        return None
    axes, lengths = arrays["axes"], arrays["lengths"]
    is_square_on = np.allclose(axes.T @ axes, np.eye(len(axes)), rtol=0, atol=1e-9)
    require(is_square_on, "axes")
    require(bool((lengths > 0).all()), "lengths")
    return Directions(arrays["mean"], axes, lengths)


def _nothing_to_learn(column: str, n_rows: int) -> DataError:
    return DataError(
        f"column {column}",
        "needs at least one value to learn from",
        found=f"none in {n_rows} rows",
        hint="leave the column out, or look at how rows are dropped",
    )


def _mean_and_spread(sketch: ColumnSketch) -> tuple[float, float]:
    values, counts = sketch.values_and_counts()
    mean = np.dot(values, counts) / sketch.n
    return float(mean), float(np.sqrt(np.dot(np.square(values - mean), counts) / sketch.n))
