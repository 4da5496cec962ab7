"""The Bayesian Gaussian mixture of whole rows: scikit-learn's, with files that unpickle nothing."""

from pathlib import Path
from typing import Self

import numpy as np
from sklearn.mixture import BayesianGaussianMixture as SklearnBayesianGaussianMixture
from sklearn.utils.validation import check_is_fitted

from modemap.estimators.checks import check_integer
from modemap.estimators.saving import model_from, params_of, require_arrays
from modemap.estimators.state import load_state, reading, save_state

__all__ = ["BayesianGaussianMixture"]

KIND = "bayesian_gaussian_mixture"
DIRICHLET_PROCESS = "dirichlet_process"
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


class BayesianGaussianMixture(SklearnBayesianGaussianMixture):
    """Variational Bayesian Gaussian mixture.

    The algorithm, arguments and attributes are those of
    :class:`sklearn.mixture.BayesianGaussianMixture`, ``lower_bounds_`` among them: the evidence
    lower bound after each iteration of the best start. :meth:`save` and :meth:`load` are added.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate((rng.normal(0, 1, (99, 2)), rng.normal(9, 1, (99, 2))))
    >>> mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
    >>> len(set(mixture.predict([[0.0, 0.0], [9.0, 9.0]])))
    2
    """

    def save(self, path: Path | str) -> None:
        """Write the fitted mixture to ``path``: equal mixtures, equal bytes.

        A ``random_state`` that is a generator is left out.
        """
        check_is_fitted(self)
        arrays = {name: np.asarray(getattr(self, f"{name}_"), np.float64) for name in ARRAYS}
        arrays["lower_bounds"] = arrays["lower_bounds"].ravel()  # of shape (1,) each where tied
        learned = {
            "converged": bool(self.converged_),
            "lower_bound": np.asarray(self.lower_bound_).item() if self.n_iter_ else None,
            "n_iter": int(self.n_iter_),
            **{name: float(getattr(self, f"{name}_")) for name in NUMBERS},
        }
        save_state(path, KIND, params_of(self, learned), arrays)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the mixture that :meth:`save` wrote to ``path``.

        Raises
        ------
        ReleaseError
            If the file is missing or is not such a mixture, whole and consistent.
        """
        params, arrays = load_state(path, KIND)
        with reading(path, KIND):
            mixture, learned = model_from(cls, params)
            mixture.n_iter_ = check_integer("n_iter", learned["n_iter"], 0)
            mixture.converged_ = bool(learned["converged"])
            mixture.lower_bound_ = float(learned["lower_bound"]) if mixture.n_iter_ else -np.inf
            for name in NUMBERS:
                setattr(mixture, f"{name}_", float(learned[name]))
            require_arrays(arrays, mixture._shapes())
        for name, array in arrays.items():
            setattr(mixture, f"{name}_", array)
        mixture.lower_bounds_ = arrays["lower_bounds"].tolist()
        if mixture.weight_concentration_prior_type == DIRICHLET_PROCESS:
            mixture.weight_concentration_ = tuple(arrays["weight_concentration"])
        return mixture

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array in the file, by the arguments."""
        n_components, n_features = int(self.n_components), int(self.n_features_in_)
        square = (n_features, n_features)
        covariance_prior, covariances = {
            "full": (square, (n_components, *square)),
            "tied": (square, square),
            "diag": ((n_features,), (n_components, n_features)),
            "spherical": ((), (n_components,)),
        }[self.covariance_type]
        is_process = self.weight_concentration_prior_type == DIRICHLET_PROCESS
        return {
            "covariance_prior": covariance_prior,
            "covariances": covariances,
            "degrees_of_freedom": () if self.covariance_type == "tied" else (n_components,),
            "lower_bounds": (self.n_iter_,),
            "mean_precision": (n_components,),
            "mean_prior": (n_features,),
            "means": (n_components, n_features),
            "precisions": covariances,
            "precisions_cholesky": covariances,
            "weight_concentration": (2, n_components) if is_process else (n_components,),
            "weights": (n_components,),
        }
