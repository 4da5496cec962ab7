"""Mode-specific normalisation: every column by the modes of its own mixture, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import logsumexp, ndtr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from modemap.estimators.checks import check_integer, check_magnitude, check_number
from modemap.estimators.column_modes import ColumnModes, fit_column_modes
from modemap.estimators.encoding import (
    ModeEncoding,
    decode_column,
    encode_column,
    learned_decimals,
)
from modemap.estimators.saving import model_from, params_of, require, require_arrays
from modemap.estimators.state import Arrays, load_state, reading, save_state
from modemap.kernels import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

__all__ = ["ModeNormalizer"]

KIND = "mode_normalizer"
MAX_COMPONENTS = 254  # modes are uint8, and 255 stays free
LOG_ROOT_2_PI = 0.5 * float(np.log(2 * np.pi))


class ModeNormalizer(TransformerMixin, BaseEstimator):
    """Mode-specific normalisation of continuous columns, reversible.

    A Bayesian Gaussian mixture finds the modes of every column. A value becomes the number of its
    most probable mode and its place within it, ``(x - mean) / (4 * std)``, clipped to -0.99 and
    0.99. :meth:`encode` keeps aside what clipping would lose.

    Parameters
    ----------
    n_components : int, default=10
        Modes of a column, at most; 1 to 254.
    weight_threshold : float, default=0.005
        Modes of a smaller weight take no values; the heaviest mode always does.
    max_iter : int, default=100
        Iterations for each column, at most.
    random_state : int, RandomState or None, default=None
        Draws the starting points of the mixtures.

    Attributes
    ----------
    mixtures_ : list of ColumnModes
        The whole mixture of each column: ``weights``, ``means``, ``stds``, ``lower_bounds``.
    decimals_ : list of int or None
        How many decimals write every training value of the column exactly; None if 15 do not.
    n_iter_ : int
        Iterations of the column that needed most.
    weight_threshold_ : float
        The threshold that was fitted.
    n_features_in_ : int
        Columns seen in ``fit``.

    References
    ----------
    L. Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.25], [1.5], [101.0], [100.5], [99.75]])
    >>> normalizer = ModeNormalizer(n_components=2, random_state=0).fit(X)
    >>> normalizer.inverse_transform(normalizer.encode(X)).ravel().tolist()
    [1.25, 1.5, 101.0, 100.5, 99.75]
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        weight_threshold: float = 0.005,
        max_iter: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.weight_threshold = weight_threshold
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the modes of every column of finite ``X``, (n_samples, n_columns).

        Raises
        ------
        ValueError
            If an argument breaks its rule, or ``X`` holds NaN, infinities or no rows.
        """
        del y
        n_components = check_integer("n_components", self.n_components, 1, MAX_COMPONENTS)
        max_iter = check_integer("max_iter", self.max_iter, 1)
        self.weight_threshold_ = check_number("weight_threshold", self.weight_threshold, 0, 1)
        random_state = check_random_state(self.random_state)
        X = self._checked(X, reset=True)
        mixtures, decimals = [], []
        for x in X.T:
            values, counts = np.unique(x, return_counts=True)
            weights = counts.astype(np.float64)
            mixtures.append(fit_column_modes(values, weights, n_components, max_iter, random_state))
            decimals.append(learned_decimals(values))
        self.mixtures_, self.decimals_ = mixtures, decimals
        self.n_iter_ = max(len(mixture.lower_bounds) for mixture in mixtures)
        self._modes = self._valid_modes()
        return self

    def modes(self) -> list[list[dict[str, float]]]:
        """Return the weight, mean and standard deviation of each mode that takes values."""
        check_is_fitted(self)
        return [
            [
                {"weight": float(weight), "mean": float(mean), "std": float(std)}
                for weight, mean, std in zip(column.weights, column.means, column.stds, strict=True)
            ]
            for column in self._modes
        ]

    def encode(self, X: ArrayLike) -> ModeEncoding:
        """Encode rows; :meth:`inverse_transform` gives them back.

        Columns whose training values have at most 15 decimals come back exactly, all others to
        rounding of the column's scale.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        values, chosen = np.empty(X.shape), np.empty(X.shape, dtype=np.uint8)
        lost = []
        for j, (modes, decimals) in enumerate(zip(self._modes, self.decimals_, strict=True)):
            values[:, j], chosen[:, j], rows = encode_column(X[:, j], modes, decimals)
            lost.append(rows)
        rows = np.concatenate(lost)
        columns = np.repeat(np.arange(X.shape[1]), [len(part) for part in lost])
        return ModeEncoding(values, chosen, rows, columns, X[rows, columns])

    def transform(self, X: ArrayLike) -> FloatArray:
        """Return value and mode of each column side by side, (n_samples, 2 * n_columns)."""
        encoding = self.encode(X)
        dense = np.empty((len(encoding.values), 2 * self.n_features_in_))
        dense[:, ::2], dense[:, 1::2] = encoding.values, encoding.modes
        return dense

    def inverse_transform(self, X: ArrayLike | ModeEncoding) -> FloatArray:
        """Return the rows that a :class:`ModeEncoding`, or what :meth:`transform` made, stands for.

        The dense form has lost how far clipped values lay outside their modes.
        """
        check_is_fitted(self)
        encoding = X if isinstance(X, ModeEncoding) else self._from_dense(X)
        if encoding.values.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must encode {self.n_features_in_} columns, got {encoding.values.shape[1]}"
            )
        rows = np.empty(encoding.values.shape)
        for j, (modes, decimals) in enumerate(zip(self._modes, self.decimals_, strict=True)):
            rows[:, j] = decode_column(encoding.values[:, j], encoding.modes[:, j], modes, decimals)
        rows[encoding.kept_rows, encoding.kept_columns] = encoding.kept_values
        return rows

    def score_samples_columns(self, X: ArrayLike) -> FloatArray:
        """Return the log-density of each value by its column's mixture, (n_samples, n_columns)."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        scores = np.empty(X.shape)
        for j, (weights, means, stds, _) in enumerate(self.mixtures_):
            standardized = (X[:, j, np.newaxis] - means) / stds
            log_densities = -0.5 * np.square(standardized) - np.log(stds) - LOG_ROOT_2_PI
            scores[:, j] = logsumexp(log_densities, axis=1, b=weights)
        return scores

    def cdf_columns(self, X: ArrayLike) -> FloatArray:
        """Return the share of each column's mixture that lies below each value."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        shares = np.empty(X.shape)
        for j, (weights, means, stds, _) in enumerate(self.mixtures_):
            shares[:, j] = (weights * ndtr((X[:, j, np.newaxis] - means) / stds)).sum(axis=1)
        return np.clip(shares, 0.0, 1.0, out=shares)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the columns that :meth:`transform` makes, two for each column."""
        check_is_fitted(self)
        names = input_features
        if names is None:
            default = [f"x{j}" for j in range(self.n_features_in_)]
            names = getattr(self, "feature_names_in_", default)
        return np.array(
            [f"{name}_{part}" for name in np.asarray(names) for part in ("value", "mode")],
            dtype=object,
        )

    def save(self, path: Path | str) -> None:
        """Write the fitted normaliser to ``path``: equal ones, equal bytes.

        A ``random_state`` that is a generator is left out.
        """
        check_is_fitted(self)
        learned = {
            "decimals": self.decimals_,
            "n_components": [len(mixture.weights) for mixture in self.mixtures_],
            "n_iter": [len(mixture.lower_bounds) for mixture in self.mixtures_],
            "weight_threshold": self.weight_threshold_,
        }
        arrays = {
            name: np.concatenate([getattr(mixture, name) for mixture in self.mixtures_])
            for name in ColumnModes._fields
        }
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the normaliser that :meth:`save` wrote to ``path``.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a normaliser, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            normalizer, learned = model_from(cls, params)
            normalizer.mixtures_ = _divided(arrays, learned["n_components"], learned["n_iter"])
            normalizer.decimals_ = [
                None if n is None else check_integer("decimals", n, 0) for n in learned["decimals"]
            ]
            normalizer.weight_threshold_ = check_number(
                "weight_threshold", learned["weight_threshold"], 0, 1
            )
            n_columns = normalizer.n_features_in_
            require(len(normalizer.mixtures_) == n_columns, "n_components")
            require(len(normalizer.decimals_) == n_columns, "decimals")
        normalizer.n_iter_ = max(len(mixture.lower_bounds) for mixture in normalizer.mixtures_)
        normalizer._modes = normalizer._valid_modes()
        return normalizer

    def _valid_modes(self) -> list[ColumnModes]:
        """Return of each mixture the components that take values."""
        modes = []
        for weights, means, stds, bounds in self.mixtures_:
            is_valid = (weights > self.weight_threshold_) | (weights == weights.max())
            modes.append(ColumnModes(weights[is_valid], means[is_valid], stds[is_valid], bounds))
        return modes

    def _checked(self, X: ArrayLike, *, reset: bool) -> FloatArray:
        checked: FloatArray = validate_data(self, X, reset=reset, dtype=np.float64)
        check_magnitude(checked)
        return checked

    def _from_dense(self, X: ArrayLike) -> ModeEncoding:
        dense = check_array(X, dtype=np.float64)
        if dense.shape[1] != 2 * self.n_features_in_:
            raise ValueError(
                f"X must have {2 * self.n_features_in_} columns, value and mode of each, "
                f"got {dense.shape[1]}"
            )
        values, chosen = dense[:, ::2], dense[:, 1::2]
        n_modes = np.array([len(modes.weights) for modes in self._modes])
        if not ((chosen >= 0) & (chosen < n_modes) & (chosen == np.floor(chosen))).all():
            raise ValueError(f"modes in X must be integers >= 0 and below {n_modes.tolist()}")
        nothing = np.empty(0, dtype=np.int64)
        return ModeEncoding(values, chosen.astype(np.uint8), nothing, nothing, np.empty(0))


def _divided(arrays: Arrays, n_components: list[int], n_iter: list[int]) -> list[ColumnModes]:
    """Cut the arrays of a file into the mixtures of its columns."""
    require(min(n_components, default=0) > 0 and min(n_iter, default=0) > 0, "n_components")
    components = (sum(n_components),)
    shapes = {"weights": components, "means": components, "stds": components}
    require_arrays(arrays, shapes | {"lower_bounds": (sum(n_iter),)})
    require(bool((arrays["weights"] >= 0).all()), "weights")
    require(bool((arrays["stds"] > 0).all()), "stds")
    cuts = np.cumsum(n_components)[:-1]
    parts = [np.split(arrays[name], cuts) for name in ("weights", "means", "stds")]
    parts.append(np.split(arrays["lower_bounds"], np.cumsum(n_iter)[:-1]))
    return [ColumnModes(*mixture) for mixture in zip(*parts, strict=True)]
