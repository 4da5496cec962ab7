"""Mode-specific normalisation: every column by the modes of its own mixture, and back."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import logsumexp, ndtr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from modemap.estimators.batches import Batches, Spread
from modemap.estimators.blas import one_blas_thread
from modemap.estimators.checks import (
    LARGEST,
    check_choice,
    check_extremes,
    check_integer,
    check_magnitude,
    check_number,
    check_size,
    check_threads,
    is_ready,
)
from modemap.estimators.column_modes import ColumnModes, fit_column_modes
from modemap.estimators.columns import Columns, columns_of, container_of
from modemap.estimators.encoding import (
    MISSING,
    ColumnCoder,
    ColumnEncoding,
    ModeEncoding,
    learned_decimals,
)
from modemap.estimators.saving import model_from, params_of, require, require_arrays
from modemap.estimators.state import Arrays, load_state, reading, save_state
from modemap.estimators.survey import NO_ROWS, Survey, survey, survey_spread
from modemap.kernels import FloatArray, map_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray


__all__ = ["ModeNormalizer"]

KIND = "mode_normalizer"
MAX_COMPONENTS = 254  # modes are uint8, and 255 marks a missing value
LOG_ROOT_2_PI = 0.5 * float(np.log(2 * np.pi))
ENCODINGS = ("argmax", "sampled")
MISSING_POLICIES = ("flag", "error")
ROUNDINGS = ("learn",)
MAX_SEED = 2**63 - 1
SOME_ROWS = 1 << 13  # made dense at a time
RANGE = (1e-4, 1 - 1e-4)  # shares of the rows between which most values lie
N_EXAMPLES = 3


class ModeNormalizer(TransformerMixin, BaseEstimator):
    """Mode-specific normalisation of continuous columns, reversible.

    A Bayesian Gaussian mixture finds the modes of every column. A value becomes the number of a
    mode and its place within it, ``(x - mean) / (4 * std)``, clipped to -0.99 and 0.99.
    :meth:`encode` keeps aside what clipping or rounding would lose. So all values of a column that
    decimals write come back exactly, and others to 2**-40 of their size, 9.1e-13.

    Parameters
    ----------
    n_components : int, default=10
        Modes of a column, at most; 1 to 254.
    weight_threshold : float, default=0.005
        Modes of a smaller weight take no values; the heaviest mode always does.
    encoding : {"argmax", "sampled"}, default="argmax"
        The most probable mode, or one drawn from the responsibilities of all components, those of
        the valid ones raised by 1e-6, as RDT and CTGAN do. A draw depends on the seed and the
        number of the row alone.
    rounding : {"learn"} or None, default="learn"
        Learn how many decimals a column has and restore them exactly; None restores values to
        2**-40 of their size.
    missing : {"flag", "error"}, default="flag"
        Encode NaN as mode 255, or refuse it.
    max_iter : int, default=100
        Iterations for each column, at most.
    random_state : int, RandomState or None, default=None
        Draws the starting points of the mixtures, and the seed of the sampled encoding.
    n_jobs : int or None, default=None
        Threads; they change no digit.

    Attributes
    ----------
    mixtures_ : list of ColumnModes
        The whole mixture of each column: ``weights``, ``means``, ``stds``, ``lower_bounds``, the
        heaviest component first.
    decimals_ : list of int or None
        How many decimals write the training values of the column exactly; None if 15 do not, or
        if rounding is not learnt.
    digest_ : str
        sha256 of all that decides an encoding.
    n_iter_ : int
        Iterations of the column that needed most.
    weight_threshold_ : float
        The threshold that was fitted.
    ranges_ : ndarray of shape (n_columns, 2)
        The quantiles 0.0001 and 0.9999 of each column.
    examples_ : ndarray of shape (n_columns, 3)
        Least value, median and greatest value of each column.
    seed_ : int
        What draws the modes where ``encoding`` is ``"sampled"``.
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
        encoding: str = "argmax",
        rounding: str | None = "learn",
        missing: str = "flag",
        max_iter: int = 100,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.weight_threshold = weight_threshold
        self.encoding = encoding
        self.rounding = rounding
        self.missing = missing
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike | Batches, y: object = None) -> Self:
        """Find the modes of every column of ``X``: rows of an array, frame, table or batches.

        Parameters
        ----------
        X : array-like, frame, table or Batches of shape (n_samples, n_columns)
            Rows of numbers; NaN and null are missing values.
        y : ignored

        Returns
        -------
        ModeNormalizer
            The normaliser itself.

        Raises
        ------
        ValueError
            If an argument breaks its rule, ``X`` holds infinities, values beyond 1e150 in size,
            text, no rows, a column without values, or one of values below 1e-150 in size alone.
        """
        del y
        n_components = check_integer("n_components", self.n_components, 1, MAX_COMPONENTS)
        max_iter = check_integer("max_iter", self.max_iter, 1)
        self.weight_threshold_ = check_number("weight_threshold", self.weight_threshold, 0, 1)
        check_choice("encoding", self.encoding, ENCODINGS)
        check_choice("missing", self.missing, MISSING_POLICIES)
        if self.rounding is not None:
            check_choice("rounding", self.rounding, ROUNDINGS)
        n_threads = check_threads(self.n_jobs)
        random_state = check_random_state(self.random_state)
        sketches, samples = self._survey(X, n_threads)
        for j, sketch in enumerate(sketches):
            if not sketch.n:
                raise ValueError(f"each column of X must hold a value, got none in column {j}")
            check_extremes(sketch.min, sketch.max)
            check_size(max(-sketch.min, sketch.max), f"column {j} of X")
        seeds = random_state.randint(MAX_SEED, size=len(sketches) + 1, dtype=np.int64)
        self.seed_ = int(seeds[-1])

        def mixture(j: int) -> ColumnModes:
            rng = np.random.RandomState(seeds[j] % 2**32)
            return fit_column_modes(sketches[j], n_components, max_iter, rng)

        with one_blas_thread():
            self.mixtures_ = list(map_in_order(mixture, range(len(sketches)), n_threads))
        learns = self.rounding is not None
        self.decimals_ = [learned_decimals(sample) if learns else None for sample in samples]
        self.ranges_ = np.array([sketch.quantiles(RANGE) for sketch in sketches])
        self.examples_ = np.array([sketch.quantiles([0.0, 0.5, 1.0]) for sketch in sketches])
        self.n_iter_ = max(len(mixture.lower_bounds) for mixture in self.mixtures_)
        self._prepare()
        return self

    def modes(self) -> list[list[dict[str, Any]]]:
        """Return of each column the modes that take values, the heaviest first.

        A mode has its ``weight``, ``mean`` and ``std``, the ``intervals`` in which it is the most
        probable one, open towards infinity, and ``examples`` of values there.

        Returns
        -------
        list of list of dict
            The modes of each column.
        """
        check_is_fitted(self)
        found = []
        for coder, low, high in zip(
            self._coders, self.examples_[:, 0], self.examples_[:, 2], strict=True
        ):
            edges = [-np.inf, *coder.cuts.tolist(), np.inf]
            column: list[dict[str, Any]] = []
            for number, (weight, mean, std) in enumerate(zip(*coder.modes[:3], strict=True)):
                intervals = [
                    (edges[i], edges[i + 1])
                    for i, winner in enumerate(coder.winners)
                    if winner == number
                ]
                column.append(
                    {
                        "weight": float(weight),
                        "mean": float(mean),
                        "std": float(std),
                        "intervals": intervals,
                        "examples": _examples(coder, number, float(low), float(high)),
                    }
                )
            found.append(column)
        return found

    def encode(self, X: ArrayLike, *, first_row: int = 0) -> ModeEncoding:
        """Encode rows; :meth:`inverse_transform` gives them back.

        Where ``decimals_`` of a column is a number, its values come back exactly, whatever their
        decimals, but for the sign of zero; so do integers and missing values, in their dtype. Where
        it is None, a value of double precision comes back to 2**-40 of its size, and one of single
        precision exactly.

        Parameters
        ----------
        X : array-like, frame or table of shape (n_samples, n_columns)
        first_row : int, default=0
            Number of the first row, where rows come in parts and modes are drawn.

        Returns
        -------
        ModeEncoding
            Of each column values within their modes, modes, and what would be lost otherwise.
        """
        check_is_fitted(self)
        columns = self._columns(X, reset=False)
        seed = self.seed_ if self.encoding == "sampled" else None
        n_threads = check_threads(self.n_jobs)
        inner = n_threads if len(columns.arrays) == 1 else 1

        def encoded(j: int) -> ColumnEncoding:
            encoding = self._coders[j].encode(columns.arrays[j], seed, first_row, inner)
            kept = np.asarray(encoding.kept, np.float64)
            if len(kept) and not np.abs(kept).max() <= LARGEST:
                raise ValueError(
                    f"X must lie between -{LARGEST} and {LARGEST}, got "
                    f"{kept[np.abs(kept).argmax()]} in column {j}"
                )
            return encoding

        encodings = tuple(map_in_order(encoded, range(len(columns.arrays)), n_threads))
        return ModeEncoding(encodings, self.digest_, columns.names, columns.container)

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return value and mode of each column side by side, (n_samples, 2 * n_columns).

        Parameters
        ----------
        X : array-like, frame or table of shape (n_samples, n_columns)
            Rows of the columns that were fitted.

        Returns
        -------
        encoded : ndarray of shape (n_samples, 2 * n_columns), single precision
        """
        encoding = self.encode(X)
        dense = np.empty((len(encoding.columns[0].values), 2 * self.n_features_in_), np.float32)
        for j, column in enumerate(encoding.columns):
            dense[:, 2 * j], dense[:, 2 * j + 1] = column.values, column.modes
        return dense

    def one_hot(self, encoding: ModeEncoding) -> NDArray[np.float32]:
        """Return the layout that CTGAN trains on: of each column its value and a place a mode.

        A missing value is zero everywhere.

        Parameters
        ----------
        encoding : ModeEncoding
            What :meth:`encode` gave.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_columns + number of all modes), single precision
        """
        check_is_fitted(self)
        self._check_encoding(encoding)
        n, size = len(encoding.columns[0].values), sum(1 + c.n_modes for c in self._coders)
        dense, first = np.zeros((n, size), np.float32), 0
        for j, (coder, column) in enumerate(zip(self._coders, encoding.columns, strict=True)):
            with _told_of(j):
                coder.check_modes(column.modes)
            for start in range(0, n, SOME_ROWS):  # which stay in the cache
                part, modes = (x[start : start + SOME_ROWS] for x in (dense, column.modes))
                part[:, first] = column.values[start : start + SOME_ROWS]
                rows = np.flatnonzero(modes != MISSING)
                part.reshape(-1)[rows * size + modes[rows] + (first + 1)] = 1.0
            first += 1 + coder.n_modes
        return dense

    def inverse_transform(self, X: ArrayLike | ModeEncoding) -> Any:
        """Return the rows that a :class:`ModeEncoding`, or what :meth:`transform` made, stands for.

        An encoding gives what was encoded, as the same kind of container. The dense form has lost
        how far clipped values lay outside their modes, and single precision what it cannot hold.

        Parameters
        ----------
        X : ModeEncoding, or array-like of shape (n_samples, 2 * n_columns)
            What :meth:`encode` or :meth:`transform` gave.

        Returns
        -------
        rows : array, frame or table of shape (n_samples, n_columns)

        Raises
        ------
        ValueError
            If the encoding is another normaliser's, or names modes that are none.
        """
        check_is_fitted(self)
        if not isinstance(X, ModeEncoding):
            return self._from_dense(X)
        self._check_encoding(X)
        n_threads = check_threads(self.n_jobs)
        inner = n_threads if len(X.columns) == 1 else 1

        def decoded(j: int) -> NDArray[Any]:
            with _told_of(j):
                return self._coders[j].decode(X.columns[j], inner)

        arrays = list(map_in_order(decoded, range(len(X.columns)), n_threads))
        return container_of(arrays, X.names, X.container)

    def score_samples_columns(self, X: ArrayLike) -> FloatArray:
        """Return the log-density of each value by its column's mixture, (n_samples, n_columns).

        Parameters
        ----------
        X : array-like, frame or table of shape (n_samples, n_columns)
            Rows of the columns that were fitted, without missing values.

        Returns
        -------
        log_density : ndarray of shape (n_samples, n_columns)
            In nats.
        """
        check_is_fitted(self)
        X = self._finite(X)
        scores = np.empty(X.shape)
        for j, (weights, means, stds, _) in enumerate(self.mixtures_):
            standardized = (X[:, j, np.newaxis] - means) / stds
            log_densities = -0.5 * np.square(standardized) - np.log(stds) - LOG_ROOT_2_PI
            scores[:, j] = logsumexp(log_densities, axis=1, b=weights)
        return scores

    def cdf_columns(self, X: ArrayLike) -> FloatArray:
        """Return the share of each column's mixture that lies below each value.

        Parameters
        ----------
        X : array-like, frame or table of shape (n_samples, n_columns)
            Rows of the columns that were fitted, without missing values.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_columns)
            From 0 to 1.
        """
        check_is_fitted(self)
        X = self._finite(X)
        shares = np.empty(X.shape)
        for j, (weights, means, stds, _) in enumerate(self.mixtures_):
            shares[:, j] = (weights * ndtr((X[:, j, np.newaxis] - means) / stds)).sum(axis=1)
        return np.clip(shares, 0.0, 1.0, out=shares)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the columns that :meth:`transform` makes, two for each column.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns, where they were fitted without.

        Returns
        -------
        names : ndarray of shape (2 * n_columns,)
        """
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

        Parameters
        ----------
        path : Path or str
            The file, replaced as a whole.
        """
        check_is_fitted(self)
        learned = {
            "decimals": self.decimals_,
            "n_components": [len(mixture.weights) for mixture in self.mixtures_],
            "n_iter": [len(mixture.lower_bounds) for mixture in self.mixtures_],
            "seed": self.seed_,
            "weight_threshold": self.weight_threshold_,
        }
        arrays = {
            name: np.concatenate([getattr(mixture, name) for mixture in self.mixtures_])
            for name in ColumnModes._fields
        }
        arrays |= {"ranges": self.ranges_, "examples": self.examples_}
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the normaliser that :meth:`save` wrote to ``path``.

        Parameters
        ----------
        path : Path or str
            The file.

        Returns
        -------
        ModeNormalizer
            Fitted, as it was saved.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a normaliser, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            normalizer, learned = model_from(cls, params)
            n_columns = normalizer.n_features_in_
            normalizer.ranges_ = arrays.pop("ranges", np.empty(0))
            normalizer.examples_ = arrays.pop("examples", np.empty(0))
            given = {"ranges": normalizer.ranges_, "examples": normalizer.examples_}
            require_arrays(given, {"ranges": (n_columns, 2), "examples": (n_columns, 3)})
            require(bool((normalizer.ranges_[:, 0] <= normalizer.ranges_[:, 1]).all()), "ranges")
            normalizer.mixtures_ = _divided(arrays, learned["n_components"], learned["n_iter"])
            normalizer.decimals_ = [
                None if n is None else check_integer("decimals", n, 0) for n in learned["decimals"]
            ]
            normalizer.seed_ = check_integer("seed", learned["seed"], 0, MAX_SEED)
            normalizer.weight_threshold_ = check_number(
                "weight_threshold", learned["weight_threshold"], 0, 1
            )
            check_choice("encoding", normalizer.encoding, ENCODINGS)
            require(len(normalizer.mixtures_) == n_columns, "n_components")
            require(len(normalizer.decimals_) == n_columns, "decimals")
        normalizer.n_iter_ = max(len(mixture.lower_bounds) for mixture in normalizer.mixtures_)
        normalizer._prepare()
        return normalizer

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _survey(self, X: Any, n_threads: int) -> Survey:
        """Look at all rows once; take note of their columns."""
        parts = X.batches() if isinstance(X, Batches) else [X]
        if not isinstance(X, Spread):
            arrays = (self._columns(part, reset=i == 0).arrays for i, part in enumerate(parts))
            return survey(arrays, n_threads)
        first = next(iter(parts), None)
        if first is None:
            raise ValueError(NO_ROWS)
        self._columns(first, reset=True)
        return survey_spread(X, self.n_features_in_, n_threads, is_complete=self.missing == "error")

    def _prepare(self) -> None:
        """Make ready to encode, and take the digest of all that decides an encoding."""
        self._coders = []
        for mixture, decimals, limits in zip(
            self.mixtures_, self.decimals_, self.ranges_, strict=True
        ):
            weights = mixture.weights
            valid = (weights > self.weight_threshold_) | (weights == weights.max())
            low, high = map(float, limits)
            self._coders.append(ColumnCoder(mixture, valid, decimals, low, high))
        digest = hashlib.sha256(repr((self.decimals_, self.weight_threshold_)).encode())
        for mixture in self.mixtures_:
            for part in mixture[:3]:
                digest.update(np.ascontiguousarray(part, "<f8").tobytes())
        self.digest_ = digest.hexdigest()

    def _columns(self, X: Any, *, reset: bool) -> Columns:
        """Return the columns of ``X``, each in its own dtype."""
        if not reset and is_ready(X, self):
            return Columns(list(X.T), None, "array")
        columns = columns_of(X)
        if columns is None or columns.names is None:
            checked: NDArray[Any] = validate_data(
                self,
                X,
                reset=reset,
                dtype="numeric",
                ensure_all_finite=self.missing == "error",  # infinity is found while counting
            )
            arrays = list(checked.T)
            return Columns(arrays, None, "array")
        if columns.container == "pandas":
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif reset:
            self.n_features_in_ = len(columns.names)
            self.feature_names_in_ = np.array(columns.names, dtype=object)
        elif list(columns.names) != list(getattr(self, "feature_names_in_", columns.names)):
            raise ValueError(
                f"X must have the columns {list(self.feature_names_in_)}, got {columns.names}"
            )
        if not columns.arrays or not len(columns.arrays[0]):
            raise ValueError("X must have at least one row and one column, got none")
        for name, array in zip(columns.names, columns.arrays, strict=True):
            if self.missing == "error" and array.dtype.kind == "f" and np.isnan(array).any():
                raise ValueError(f"column {name} must hold no NaN where missing='error'")
        return columns

    def _finite(self, X: ArrayLike) -> FloatArray:
        checked: FloatArray = validate_data(self, X, reset=False, dtype=np.float64)
        check_magnitude(checked)
        return checked

    def _check_encoding(self, encoding: ModeEncoding) -> None:
        if len(encoding.columns) != self.n_features_in_:
            raise ValueError(
                f"X must encode {self.n_features_in_} columns, got {len(encoding.columns)}"
            )
        if encoding.digest != self.digest_:
            raise ValueError(
                f"X must be encoded by this normaliser, digest {self.digest_[:12]}, got "
                f"{encoding.digest[:12]}"
            )

    def _from_dense(self, X: ArrayLike) -> FloatArray:
        dense = check_array(X, dtype=[np.float64, np.float32])
        if dense.shape[1] != 2 * self.n_features_in_:
            raise ValueError(
                f"X must have {2 * self.n_features_in_} columns, value and mode of each, "
                f"got {dense.shape[1]}"
            )
        rows = np.empty((len(dense), self.n_features_in_))
        for j, coder in enumerate(self._coders):
            chosen = dense[:, 2 * j + 1]
            is_mode = (chosen >= 0) & (chosen < coder.n_modes) & (chosen == np.floor(chosen))
            if not (is_mode | (chosen == MISSING)).all():
                numbers = [other.n_modes for other in self._coders]
                raise ValueError(f"modes in X must be integers >= 0 and below {numbers}")
            rows[:, j] = coder.restored(dense[:, 2 * j], chosen.astype(np.uint8))
        return rows


@contextmanager
def _told_of(column: int) -> Iterator[None]:
    """Let errors name the column."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"column {column} of X: {error}") from None


def _examples(coder: ColumnCoder, number: int, low: float, high: float) -> list[float]:
    """Return values of the column's range that decode from this mode, about its mean."""
    places = np.linspace(-0.25, 0.25, N_EXAMPLES)
    values = coder.restored(places, np.full(N_EXAMPLES, number, np.uint8))
    return [float(value) for value in np.clip(values, low, high)]


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
