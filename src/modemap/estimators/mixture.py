"""The Bayesian Gaussian mixture: scikit-learn's, on sketches, batches and weighted rows."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from modemap.estimators.batches import Batches, Spread
from modemap.estimators.blas import one_blas_thread
from modemap.estimators.checks import (
    check_choice,
    check_fitted,
    check_integer,
    check_magnitude,
    check_number,
    check_sample_weight,
    check_threads,
    is_ready,
)
from modemap.estimators.evidence import (
    Evidence,
    evidence_of_array,
    evidence_of_batches,
    evidence_of_sketch,
    evidence_of_spread,
)
from modemap.estimators.expectation import log_totals, needs_blas, scores_of
from modemap.estimators.iteration import HINT, Fit, Sample, Settings, iterated
from modemap.estimators.points import Points
from modemap.estimators.posterior import (
    PROCESS,
    Posterior,
    Prior,
    component_peaks,
    expected_weights,
    plug_in,
    precisions,
    updated,
)
from modemap.estimators.priors import prior_of, shapes_of
from modemap.estimators.rows import Rows
from modemap.estimators.saving import model_from, params_of, require_arrays
from modemap.estimators.selection import components_of_points, components_of_rows
from modemap.estimators.starts import INIT_PARAMS
from modemap.estimators.state import load_state, reading, save_state
from modemap.estimators.stepwise import Stepwise, stepped
from modemap.kernels.arrays import FloatArray, IntArray
from modemap.sketch import ColumnSketch

__all__ = ["BayesianGaussianMixture"]

KIND = "bayesian_gaussian_mixture"
ARRAYS = (
    "covariance_prior",
    "covariances",
    "degrees_of_freedom",
    "lower_bounds",
    "mean_precision",
    "mean_prior",
    "means",
    "precisions",
    "precisions_cholesky",
    "weight_concentration",
    "weights",
)
NUMBERS = ("degrees_of_freedom_prior", "mean_precision_prior", "weight_concentration_prior")
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
CONCENTRATION_TYPES = (PROCESS, "dirichlet_distribution")
BLOCK = 1 << 15  # rows scored at once
INFINITY = float("inf")
SEEN = ("n_features_in_", "feature_names_in_")  # attributes that stand before a fit


class BayesianGaussianMixture(DensityMixin, BaseEstimator):
    """Variational Bayesian Gaussian mixture.

    Arguments, attributes and results are those of
    :class:`sklearn.mixture.BayesianGaussianMixture`. Beyond it: one column is fitted on its sketch,
    at the cost of its distinct values or bins; rows may be weighted, come in batches, hold missing
    values, or be added by :meth:`partial_fit`.

    Parameters
    ----------
    n_components : int or "auto", default=1
        Components at most. "auto" takes the number, up to 15, and the start that make held-out rows
        likeliest.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
    tol : float, default=1e-3
        Change of the lower bound below which a fit has converged.
    reg_covar : float, default=1e-6
        Added to the diagonals of covariances.
    max_iter : int, default=100
    n_init : int, default=1
        Starts; the one with the largest bound is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"} or array, default="kmeans"
        How the responsibilities start; or labels (n_samples,), or responsibilities (n_samples,
        n_components).
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
    weight_concentration_prior : float, default=1 / n_components
    mean_precision_prior : float, default=1
    mean_prior : array-like of shape (n_features,), default=mean of X
    degrees_of_freedom_prior : float, default=n_features
    covariance_prior : float or array-like, default=covariance of X
    random_state : int, RandomState or None, default=None
    warm_start : bool, default=False
        Go on from the last fit.
    verbose : int, default=0
    verbose_interval : int, default=10
    tol_per_row : bool, default=False
        Take ``tol`` per row. scikit-learn's is of the whole bound, which a million rows never meet.
    n_jobs : int or None, default=None
        Threads; they change no digit.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_ : ndarray
        Of the components, as in scikit-learn.
    weight_concentration_, mean_precision_, degrees_of_freedom_ : ndarray
        Of the posterior; a Dirichlet process has a tuple of two concentrations.
    weight_concentration_prior_, mean_precision_prior_, degrees_of_freedom_prior_ : float
        Of the prior that was used.
    mean_prior_, covariance_prior_ : ndarray or float
        Of the prior that was used.
    lower_bound_, lower_bounds_, n_iter_, converged_
        Of the best start.
    n_components_ : int
        Components fitted.
    n_features_in_ : int
        Columns seen in ``fit``.

    References
    ----------
    C. Bishop, Pattern Recognition and Machine Learning, chapter 10.
    D. Blei, M. Jordan, Variational inference for Dirichlet process mixtures, 2006.
    O. Cappe, E. Moulines, On-line expectation-maximization for latent data models, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate((rng.normal(0, 1, (99, 2)), rng.normal(9, 1, (99, 2))))
    >>> mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
    >>> len(set(mixture.predict([[0.0, 0.0], [9.0, 9.0]])))
    2
    """

    def __init__(
        self,
        *,
        n_components: int | str = 1,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: Any = "kmeans",
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | None = None,
        random_state: int | RandomState | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        tol_per_row: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.tol_per_row = tol_per_row
        self.n_jobs = n_jobs

    def fit(
        self,
        X: ArrayLike | Batches | ColumnSketch,
        y: object = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the mixture to rows, batches of rows, or the sketch of a column.

        NaN is missing: a row counts by the density of what is observed in it.

        Parameters
        ----------
        X : array-like or Batches of shape (n_samples, n_features), or ColumnSketch
            Rows, or all that is needed of one column's.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        BayesianGaussianMixture
            The mixture itself.

        Raises
        ------
        ValueError
            If an argument breaks its rule, ``X`` holds infinities, values beyond 1e150 in size or
            a column without values, there are fewer rows than components, a covariance collapses,
            or the fit comes to numbers that are not finite.
        """
        del y
        self._check_arguments()
        self._forget()
        n_threads = check_threads(self.n_jobs)
        with one_blas_thread():
            self._fit(self._evidence(X, sample_weight, n_threads))
        return self

    def fit_predict(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> IntArray:
        """Fit the mixture and return each row's most probable component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        components : ndarray of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight).predict(X)

    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows.

        One column adds to its sketch, and is fitted again when an attribute or method is next used:
        the result is that of all rows at once. Several columns take one stepwise step: the mean
        statistics of a row move towards the batch's by ``(t + 1) ** -0.6`` at the t-th batch; the
        priors are those of the first batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts as the row twice, 0 as not there.

        Returns
        -------
        BayesianGaussianMixture
            The mixture itself.
        """
        del y
        self._check_arguments()
        checked = self._checked(X, reset=not hasattr(self, "n_features_in_"))
        weights = (
            None if sample_weight is None else check_sample_weight(sample_weight, len(checked))
        )
        if checked.shape[1] == 1:
            check_magnitude(checked)
            sketch = self.__dict__.get("_sketch")
            sketch = ColumnSketch() if sketch is None else sketch
            self._sketch = sketch.update(checked[:, 0], weights)
            self._is_stale = True
            for name in [name for name in vars(self) if name.endswith("_")]:
                if name not in SEEN:
                    delattr(self, name)
        else:
            n_threads = check_threads(self.n_jobs)
            with one_blas_thread():
                self._step(Rows(lambda: [checked], weights, n_threads))
        return self

    def score_samples(self, X: ArrayLike) -> FloatArray:
        """Return the expected log density of each row under the posterior, as scikit-learn does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            In nats; of the observed columns, where some are missing.
        """
        return self._by_block(X, log_totals)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.
        y : ignored

        Returns
        -------
        float
            In nats a row.
        """
        del y
        return float(np.mean(self.score_samples(X)))

    def log_density(self, X: ArrayLike) -> FloatArray:
        """Return the log density of each row at the posterior's means: it integrates to 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            In nats; of the observed columns, where some are missing.
        """
        check_is_fitted(self)
        density = plug_in(self._posterior(self.mean_prior_), self._prior(), self.weights_)
        return self._by_block(X, log_totals, density)

    @property
    def scoring_weights_(self) -> FloatArray:
        """Weights of the Gaussians of ``means_`` and ``covariances_`` in :meth:`score_samples`.

        They add up to a little less than 1, as the expected log density does.
        """
        check_is_fitted(self)
        posterior, prior = self._posterior(self.mean_prior_), self._prior()
        of_estimate = plug_in(posterior, prior, np.ones(len(self.weights_)))
        weights: FloatArray = np.exp(component_peaks(posterior, prior) - of_estimate)
        return weights

    def predict(self, X: ArrayLike) -> IntArray:
        """Return each row's most probable component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.

        Returns
        -------
        components : ndarray of shape (n_samples,)
        """
        return self._by_block(X, lambda scores: scores.argmax(axis=1))

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the responsibilities, (n_samples, n_components).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value.

        Returns
        -------
        responsibilities : ndarray of shape (n_samples, n_components)
            Each row's add up to 1.
        """

        def resp(scores: FloatArray) -> FloatArray:
            return np.asarray(np.exp(scores - log_totals(scores)[:, np.newaxis]))

        return self._by_block(X, resp)

    def sample(self, n_samples: int = 1) -> tuple[FloatArray, IntArray]:
        """Draw rows, (n_samples, n_features), and their components; in the components' order.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
        components : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one "
                "sample."
            )
        rng = check_random_state(self.random_state)
        counts = rng.multinomial(n_samples, self.weights_)
        n_features = self.means_.shape[1]
        parts = []
        for k, count in enumerate(counts):
            mean = self.means_[k]
            if self.covariance_type in {"full", "tied"}:
                is_full = self.covariance_type == "full"
                covariance = self.covariances_[k] if is_full else self.covariances_
                parts.append(rng.multivariate_normal(mean, covariance, int(count)))
            else:
                normal = rng.standard_normal(size=(count, n_features))
                parts.append(mean + normal * np.sqrt(self.covariances_[k]))
        return np.vstack(parts), np.repeat(np.arange(len(counts)), counts)

    def save(self, path: Path | str) -> None:
        """Write the fitted mixture to ``path``: equal mixtures, equal bytes.

        A ``random_state`` that is a generator, and what :meth:`partial_fit` gathered, are left out.

        Parameters
        ----------
        path : Path or str
            The file, replaced as a whole.
        """
        check_is_fitted(self)
        arrays = {name: np.asarray(getattr(self, f"{name}_"), np.float64) for name in ARRAYS}
        learned = {
            "converged": bool(self.converged_),
            "lower_bound": float(self.lower_bound_) if self.n_iter_ else None,
            "n_components": int(self.n_components_),
            "n_iter": int(self.n_iter_),
            **{name: float(getattr(self, f"{name}_")) for name in NUMBERS},
        }
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the mixture that :meth:`save` wrote to ``path``.

        Parameters
        ----------
        path : Path or str
            The file.

        Returns
        -------
        BayesianGaussianMixture
            Fitted, as it was saved.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a mixture, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            mixture, learned = model_from(cls, params)
            mixture.n_iter_ = check_integer("n_iter", learned["n_iter"], 0)
            mixture.n_components_ = check_integer("n_components", learned["n_components"], 1)
            if mixture.n_components not in {"auto", mixture.n_components_}:
                raise ValueError(f"{mixture.n_components_} instead of {mixture.n_components}")
            mixture.converged_ = bool(learned["converged"])
            mixture.lower_bound_ = float(learned["lower_bound"]) if mixture.n_iter_ else -np.inf
            for name in NUMBERS:
                setattr(mixture, f"{name}_", float(learned[name]))
            is_process = mixture.weight_concentration_prior_type == PROCESS
            n_components, n_features = mixture.n_components_, mixture.n_features_in_
            shapes = shapes_of(mixture.covariance_type, is_process, n_components, n_features)
            require_arrays(arrays, shapes | {"lower_bounds": (mixture.n_iter_,)})
        for name, array in arrays.items():
            setattr(mixture, f"{name}_", array)
        mixture.lower_bounds_ = arrays["lower_bounds"].tolist()
        if is_process:
            mixture.weight_concentration_ = tuple(arrays["weight_concentration"])
        return mixture

    def __getattr__(self, name: str) -> Any:
        """Fit again what :meth:`partial_fit` added, once a learned attribute is asked for."""
        if name.endswith("_") and not name.startswith("_") and self.__dict__.get("_is_stale"):
            self._refit()
            return getattr(self, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_is_fitted__(self) -> bool:
        if self.__dict__.get("_is_stale"):
            self._refit()
        return "means_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_arguments(self) -> None:
        if self.n_components != "auto":
            check_integer("n_components", self.n_components, 1)
        check_choice("covariance_type", self.covariance_type, COVARIANCE_TYPES)
        check_number("tol", self.tol, 0.0, INFINITY)
        check_number("reg_covar", self.reg_covar, 0.0, INFINITY)
        check_integer("max_iter", self.max_iter, 0)
        check_integer("n_init", self.n_init, 1)
        kind = self.weight_concentration_prior_type
        check_choice("weight_concentration_prior_type", kind, CONCENTRATION_TYPES)
        if isinstance(self.init_params, str):
            check_choice("init_params", self.init_params, INIT_PARAMS)

    def _forget(self) -> None:
        """Forget what :meth:`partial_fit` gathered."""
        for name in ("_sketch", "_running", "_is_stale"):
            self.__dict__.pop(name, None)

    def _checked(self, X: Any, *, reset: bool) -> NDArray[Any]:
        if not reset and is_ready(X, self):
            return np.asarray(X)
        checked: NDArray[Any] = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite="allow-nan",
        )
        return checked

    def _evidence(self, X: Any, sample_weight: ArrayLike | None, n_threads: int) -> Evidence:
        if isinstance(X, ColumnSketch):
            self.n_features_in_ = 1
            self.__dict__.pop("feature_names_in_", None)
            return evidence_of_sketch(X)
        if isinstance(X, Batches):
            first = next(iter(X.batches()), None)
            if first is None:
                raise ValueError("X must have a batch with a row, got none")
            self._checked(first, reset=True)
            if isinstance(X, Spread):
                weights = None
                if sample_weight is not None:
                    weights = check_sample_weight(sample_weight, X.n_rows)
                self._check_samples(X.n_rows if weights is None else int((weights > 0).sum()))
                return evidence_of_spread(X, self.n_features_in_, weights, n_threads)
            if sample_weight is not None:
                raise ValueError("sample_weight must be None for batches, got weights")

            def parts() -> Iterator[NDArray[Any]]:
                for part in X.batches():
                    yield self._checked(part, reset=False)

            evidence = evidence_of_batches(parts, self.n_features_in_, n_threads)
            n_samples = getattr(evidence.sample, "n_samples", evidence.sample.total)
            self._check_samples(int(n_samples))
            return evidence
        checked = self._checked(X, reset=True)
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, len(checked))
        self._check_samples(len(checked) if weights is None else int((weights > 0).sum()))
        return evidence_of_array(checked, weights, n_threads)

    def _check_samples(self, n_samples: int) -> None:
        if self.n_components != "auto" and n_samples < int(self.n_components):
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {n_samples}"
            )

    def _fit(self, evidence: Evidence) -> None:
        """Fit the best of the starts and store it."""
        sample, random_state = evidence.sample, check_random_state(self.random_state)
        goes_on = self.warm_start and "converged_" in vars(self)
        if goes_on:
            n_components = self.n_components_
        else:
            n_components = self._chosen_components(sample, random_state)
        prior = self._store_prior(sample, n_components)
        tol = self.tol * (sample.total if self.tol_per_row else 1.0)
        settings = Settings(tol, self.max_iter, self._report if self.verbose else None)
        best: Fit | None = None
        for number in range(1 if goes_on else self.n_init):
            self._say(f"Initialization {number}\n")
            if goes_on:
                start, bound = self._posterior(sample.center), self.lower_bound_
            else:
                found = evidence.start(n_components, self.init_params, random_state)
                start, bound = updated(found, prior), -np.inf
            fit = iterated(sample, start, prior, settings, bound)
            if self.max_iter and self.verbose:
                state = "converged." if fit.converged else "did not converge."
                self._say(f"Initialization {state}\t lower bound {fit.bounds[-1]:.5f}\n")
            if best is None or not best.bounds or fit.bounds[-1] > best.bounds[-1]:
                best = fit
        assert best is not None  # noqa: S101  (n_init is at least 1)
        if not best.converged and self.max_iter:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self._store(best.posterior, prior, sample.center)
        self.converged_, self.n_iter_ = best.converged, len(best.bounds)
        self.lower_bounds_ = best.bounds
        self.lower_bound_: float = best.bounds[-1] if best.bounds else -np.inf

    def _chosen_components(self, sample: Sample, random_state: RandomState) -> int:
        if self.n_components != "auto":
            return int(self.n_components)
        prior = prior_of(self, sample, n_components=10)
        if isinstance(sample, Points):
            return components_of_points(sample, prior, random_state)
        assert isinstance(sample, Rows)  # noqa: S101  (for the type checker)
        return components_of_rows(sample, prior, random_state)

    def _store_prior(self, sample: Sample, n_components: int) -> Prior:
        prior = prior_of(self, sample, n_components)
        self.n_components_ = n_components
        self.weight_concentration_prior_ = prior.concentration
        self.mean_precision_prior_ = prior.mean_precision
        given = self.mean_prior
        self.mean_prior_ = sample.center.copy() if given is None else np.asarray(given, np.float64)
        self.degrees_of_freedom_prior_ = prior.degrees_of_freedom
        self.covariance_prior_ = prior.covariance
        return prior

    def _store(self, posterior: Posterior, prior: Prior, center: FloatArray) -> None:
        means, weights = posterior.means + center, expected_weights(posterior, prior)
        for name, learned in (
            ("means", means),
            ("weights", weights),
            ("covariances", posterior.covariances),
            ("precisions", posterior.cholesky),
        ):
            if not np.isfinite(learned).all():
                raise ValueError(f"{name} must be finite, got others: {HINT}")
        self.weight_concentration_ = posterior.concentration
        self.mean_precision_ = posterior.mean_precision
        self.means_ = means
        self.degrees_of_freedom_ = posterior.degrees_of_freedom
        self.covariances_ = posterior.covariances
        self.precisions_cholesky_ = posterior.cholesky
        self.weights_ = weights
        self.precisions_ = precisions(posterior, prior)

    def _prior(self) -> Prior:
        """Return the prior of the fit, in coordinates relative to its own mean."""
        return Prior(
            self.covariance_type,
            self.weight_concentration_prior_type,
            self.weight_concentration_prior_,
            self.mean_precision_prior_,
            np.zeros(len(self.mean_prior_)),
            self.degrees_of_freedom_prior_,
            np.asarray(self.covariance_prior_),
            self.reg_covar,
        )

    def _posterior(self, center: FloatArray) -> Posterior:
        return Posterior(
            self.weight_concentration_,
            self.mean_precision_,
            self.means_ - center,
            self.degrees_of_freedom_,
            self.covariances_,
            self.precisions_cholesky_,
        )

    def _by_block(self, X: ArrayLike, answer: Any, peaks: FloatArray | None = None) -> NDArray[Any]:
        """Return ``answer`` of the components' log densities, by default expected, by block."""
        check_fitted(self, "means_")
        checked = self._checked(X, reset=False)
        posterior, prior = self._posterior(self.mean_prior_), self._prior()
        answers = []
        with one_blas_thread() if needs_blas(checked) else nullcontext():
            for start in range(0, len(checked), BLOCK):
                rows = checked[start : start + BLOCK]
                check_magnitude(rows)
                answers.append(answer(scores_of(rows, self.mean_prior_, posterior, prior, peaks)))
        return np.concatenate(answers)

    def _refit(self) -> None:
        self._is_stale = False
        with one_blas_thread():
            self._fit(evidence_of_sketch(self._sketch))

    def _step(self, rows: Rows) -> None:
        """Take a stepwise step of several columns."""
        running: Stepwise | None = self.__dict__.get("_running")
        if running is None:
            random_state = check_random_state(self.random_state)
            n_components = self._chosen_components(rows, random_state)
            prior = self._store_prior(rows, n_components)
            start = Evidence(rows).start(n_components, self.init_params, random_state)
            posterior = updated(start, prior)
            self._origin = rows.center
        else:
            prior = self._prior()._replace(mean=self.mean_prior_ - self._origin)
            rows.center = self._origin
            posterior = self._posterior(self._origin)
        self._running = step = stepped(running, rows.step(posterior, prior), rows.total)
        statistics = step.statistics()
        self._store(updated(statistics, prior), prior, self._origin)
        self.converged_, self.n_iter_ = False, 0  # no bound is known of a step
        self.lower_bounds_, self.lower_bound_ = [], -np.inf

    def _report(self, n_iter: int, bound: float, change: float) -> None:
        if n_iter % self.verbose_interval == 0:
            more = f"\t lower bound {bound:.5f}\t change {change:.5f}" if self.verbose > 1 else ""
            self._say(f"  Iteration {n_iter}{more}\n")

    def _say(self, text: str) -> None:
        if self.verbose:
            sys.stdout.write(text)
