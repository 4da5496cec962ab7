"""The self-organising map: units on a grid, each a typical row, like beside like."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from modemap.estimators.checks import (
    check_choice,
    check_integer,
    check_magnitude,
    check_sample_weight,
    check_threads,
)
from modemap.estimators.codebook import on_principal_plane, on_samples, within_ranges
from modemap.estimators.neighborhood import radii, smoothed, strengths
from modemap.estimators.saving import model_from, params_of, require_arrays
from modemap.estimators.state import load_state, reading, save_state
from modemap.kernels import FloatArray, IntArray, nearest_units, sums_by_unit, unit_distances

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["SelfOrganizingMap"]

KIND = "self_organizing_map"
HISTORY = ("quantization_error", "radius")
NEGLIGIBLE = 1e-290  # a smaller total of neighborhood strengths has lost its digits


class SelfOrganizingMap(TransformerMixin, BaseEstimator):
    """Self-organising map on a rectangular grid, trained by batch epochs.

    Every epoch finds the unit nearest to each sample and moves every unit to the mean of all
    samples, weighted by how near their units are on the grid. The radius of that neighborhood
    shrinks from epoch to epoch. The result does not depend on the order of the samples, up to
    rounding, nor on the number of threads, in any digit.

    Parameters
    ----------
    n_rows, n_columns : int, default=10
        The grid.
    max_iter : int, default=20
        Epochs, passes over all samples.
    radius : (float, float), optional
        Radius of the neighborhood in the first and the last epoch, in units of the grid; half the
        longer side and 1 if not given.
    radius_decay : {"linear", "exponential"}, default="linear"
        How the radius shrinks between the two.
    neighborhood : {"gaussian", "bubble"}, default="gaussian"
        ``"gaussian"`` falls off smoothly; ``"bubble"`` is a square that reaches ``radius`` far.
    init : {"pca", "random", "sample"} or array of shape (n_units, n_features), default="pca"
        Where units start: spread over the plane of the principal components, drawn evenly from the
        ranges of the features, on drawn samples, or as given.
    random_state : int, RandomState or None, default=None
        Draws the start where ``init`` is ``"random"`` or ``"sample"``.
    n_jobs : int or None, default=None
        Threads; None means 1, -1 one for each core.

    Attributes
    ----------
    codebook_ : ndarray of shape (n_units, n_features)
        The units, row by row of the grid.
    n_rows_, n_columns_ : int
        The grid that was fitted.
    n_iter_ : int
        Epochs run.
    history_ : dict of str to list of float
        For each epoch: ``"radius"``, and ``"quantization_error"``, the mean distance from the
        samples to their nearest unit after it.
    unit_counts_ : ndarray of shape (n_units,)
        How many samples each unit is the nearest to; their total weight if they have weights.
    n_features_in_ : int
        Features seen in ``fit``.

    References
    ----------
    T. Kohonen, Essentials of the self-organizing map, Neural Networks 37 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])
    >>> som = SelfOrganizingMap(n_rows=2, n_columns=1).fit(X)
    >>> som.predict(X).tolist()
    [0, 0, 1, 1]
    """

    def __init__(
        self,
        n_rows: int = 10,
        n_columns: int = 10,
        *,
        max_iter: int = 20,
        radius: tuple[float, float] | None = None,
        radius_decay: str = "linear",
        neighborhood: str = "gaussian",
        init: str | ArrayLike = "pca",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_rows = n_rows
        self.n_columns = n_columns
        self.max_iter = max_iter
        self.radius = radius
        self.radius_decay = radius_decay
        self.neighborhood = neighborhood
        self.init = init
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the codebook.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite samples, scaled so that the features compare.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the sample twice, 0 as not there.

        Returns
        -------
        SelfOrganizingMap
            The map itself.

        Raises
        ------
        ValueError
            If an argument breaks its rule, or ``X`` holds NaN, infinities or no rows.
        """
        del y
        shape, schedule = self._checked_grid(), self._checked_schedule()
        neighborhood = check_choice("neighborhood", self.neighborhood, ("gaussian", "bubble"))
        n_threads = check_threads(self.n_jobs)
        X = self._checked(X, reset=True)
        weights = check_sample_weight(sample_weight, len(X))
        X, weights = X[weights > 0], weights[weights > 0]

        codebook = self._initial_codebook(X, weights, shape, n_threads)
        found = sums_by_unit(X, weights, codebook, n_threads)
        errors = []
        for radius in schedule:
            along_rows, along_columns = (strengths(n, radius, neighborhood) for n in shape)
            sums = smoothed(found.sums.reshape(*shape, -1), along_rows, along_columns)
            totals = smoothed(found.totals.reshape(shape), along_rows, along_columns).ravel()
            is_reached = totals > NEGLIGIBLE  # the others stay where they are
            codebook[is_reached] = (
                sums.reshape(codebook.shape)[is_reached] / totals[is_reached, np.newaxis]
            )
            found = sums_by_unit(X, weights, codebook, n_threads)
            errors.append(found.distance / float(weights.sum()))

        self.n_rows_, self.n_columns_ = shape
        self.codebook_ = codebook
        self.unit_counts_ = found.totals
        self.n_iter_ = len(errors)
        self.history_ = {"quantization_error": errors, "radius": schedule.tolist()}
        return self

    def predict(self, X: ArrayLike) -> IntArray:
        """Return the index of each sample's nearest unit; ties go to the lower index."""
        return self._nearest(X)[0]

    def transform(self, X: ArrayLike) -> FloatArray:
        """Return the row and column of each sample's nearest unit, (n_samples, 2)."""
        rows, columns = np.divmod(self.predict(X), self.n_columns_)
        return np.column_stack((rows, columns)).astype(np.float64)

    def inverse_transform(self, X: ArrayLike) -> FloatArray:
        """Return the codebook row at each position (row, column) of ``X``, (n_samples, 2)."""
        check_is_fitted(self)
        positions = check_array(X, dtype=np.float64)
        grid = (self.n_rows_, self.n_columns_)
        if (
            positions.shape[1] != len(grid)
            or not (
                (positions >= 0) & (positions < grid) & (positions == np.floor(positions))
            ).all()
        ):
            raise ValueError(
                "X must hold positions (row, column) on a grid of "
                f"{self.n_rows_} x {self.n_columns_}, got shape {positions.shape}"
            )
        rows, columns = positions.astype(np.int64).T
        codebook: FloatArray = self.codebook_[rows * self.n_columns_ + columns]
        return codebook

    def score_samples(self, X: ArrayLike) -> FloatArray:
        """Return minus the distance of each sample to its nearest unit: lower is stranger."""
        return -self._nearest(X)[1]

    def distances(self, X: ArrayLike) -> FloatArray:
        """Return the distance of each sample to every unit, (n_samples, n_units)."""
        check_is_fitted(self)
        n_threads = check_threads(self.n_jobs)
        return unit_distances(self._checked(X, reset=False), self.codebook_, n_threads)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the two columns that :meth:`transform` makes."""
        del input_features
        check_is_fitted(self)
        return np.array(["som_row", "som_column"], dtype=object)

    def save(self, path: Path | str) -> None:
        """Write the fitted map to ``path``: equal maps, equal bytes.

        A ``random_state`` that is a generator is left out.
        """
        check_is_fitted(self)
        arrays = {
            "codebook": self.codebook_,
            "unit_counts": self.unit_counts_,
            **{name: np.array(values) for name, values in self.history_.items()},
        }
        learned = {"n_rows": self.n_rows_, "n_columns": self.n_columns_}
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the map that :meth:`save` wrote to ``path``.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a map, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            som, learned = model_from(cls, params)
            som.n_rows_ = check_integer("n_rows", learned["n_rows"], 1)
            som.n_columns_ = check_integer("n_columns", learned["n_columns"], 1)
            n_units, n_epochs = som.n_rows_ * som.n_columns_, len(arrays["radius"])
            shapes = {"codebook": (n_units, som.n_features_in_), "unit_counts": (n_units,)}
            require_arrays(arrays, shapes | dict.fromkeys(HISTORY, (n_epochs,)))
        som.codebook_, som.unit_counts_ = arrays["codebook"], arrays["unit_counts"]
        som.history_ = {name: arrays[name].tolist() for name in HISTORY}
        som.n_iter_ = n_epochs
        return som

    def _checked_grid(self) -> tuple[int, int]:
        n_rows = check_integer("n_rows", self.n_rows, 1)
        return n_rows, check_integer("n_columns", self.n_columns, 1)

    def _checked_schedule(self) -> FloatArray:
        n_epochs = check_integer("max_iter", self.max_iter, 1)
        decay = check_choice("radius_decay", self.radius_decay, ("linear", "exponential"))
        radius: object = self.radius
        if radius is None:
            return radii(max(self.n_rows, self.n_columns, 2) / 2, 1.0, n_epochs, decay)
        match radius:
            case [Real() as start, Real() as end] if np.inf > float(start) >= float(end) > 0:
                return radii(float(start), float(end), n_epochs, decay)
        raise ValueError(
            f"radius must be None or (start, end) with start >= end > 0, got {radius!r}"
        )

    def _checked(self, X: ArrayLike, *, reset: bool) -> FloatArray:
        checked: FloatArray = validate_data(self, X, reset=reset, dtype=np.float64, order="C")
        check_magnitude(checked)
        return checked

    def _initial_codebook(
        self, X: FloatArray, weights: FloatArray, shape: tuple[int, int], n_threads: int
    ) -> FloatArray:
        n_units = shape[0] * shape[1]
        if not isinstance(self.init, str):
            codebook: FloatArray = check_array(
                self.init, dtype=np.float64, order="C", copy=True, input_name="init"
            )
            if codebook.shape != (n_units, X.shape[1]):
                expected = (n_units, X.shape[1])
                raise ValueError(f"init must have shape {expected}, got {codebook.shape}")
            return codebook
        init = check_choice("init", self.init, ("pca", "random", "sample"))
        if init == "pca":
            return on_principal_plane(X, weights, shape, n_threads)
        random_state = check_random_state(self.random_state)
        if init == "random":
            return within_ranges(X, n_units, random_state)
        return on_samples(X, weights, n_units, random_state)

    def _nearest(self, X: ArrayLike) -> tuple[IntArray, FloatArray]:
        check_is_fitted(self)
        n_threads = check_threads(self.n_jobs)
        return nearest_units(self._checked(X, reset=False), self.codebook_, n_threads)
