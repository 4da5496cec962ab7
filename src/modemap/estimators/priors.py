"""The prior of a mixture, from its arguments and from the rows where they say nothing."""

from typing import Any

import numpy as np

from modemap.estimators.checks import check_number
from modemap.estimators.iteration import Sample
from modemap.estimators.posterior import Prior
from modemap.kernels.arrays import FloatArray

__all__ = ["prior_of", "shapes_of"]

SMALLEST = np.finfo(np.float64).tiny
INFINITY = float("inf")


def prior_of(mixture: Any, sample: Sample, n_components: int) -> Prior:
    """Return the prior for ``mixture``, in coordinates relative to the sample's center.

    Raises
    ------
    ValueError
        If an argument of a prior has another shape or lies outside its range.
    """
    d = sample.n_features
    concentration = _positive(
        "weight_concentration_prior", mixture.weight_concentration_prior, 1.0 / n_components
    )
    precision = _positive("mean_precision_prior", mixture.mean_precision_prior, 1.0)
    freedom = _positive("degrees_of_freedom_prior", mixture.degrees_of_freedom_prior, float(d))
    if freedom <= d - 1:
        raise ValueError(
            f"The parameter 'degrees_of_freedom_prior' should be greater than {d - 1}, "
            f"but got {freedom:.3f}."
        )
    mean = np.zeros(d)
    if mixture.mean_prior is not None:
        mean = _shaped("mean_prior", mixture.mean_prior, (d,)) - sample.center
    covariance = _covariance_prior(mixture, sample)
    return Prior(
        mixture.covariance_type,
        mixture.weight_concentration_prior_type,
        concentration,
        precision,
        mean,
        freedom,
        covariance,
        mixture.reg_covar,
    )


def shapes_of(
    covariance_type: str, is_process: bool, n_components: int, n_features: int
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each learned array."""
    square = (n_features, n_features)
    covariance_prior, covariances = {
        "full": (square, (n_components, *square)),
        "tied": (square, square),
        "diag": ((n_features,), (n_components, n_features)),
        "spherical": ((), (n_components,)),
    }[covariance_type]
    return {
        "covariance_prior": covariance_prior,
        "covariances": covariances,
        "degrees_of_freedom": () if covariance_type == "tied" else (n_components,),
        "mean_precision": (n_components,),
        "mean_prior": (n_features,),
        "means": (n_components, n_features),
        "precisions": covariances,
        "precisions_cholesky": covariances,
        "weight_concentration": (2, n_components) if is_process else (n_components,),
        "weights": (n_components,),
    }


def _covariance_prior(mixture: Any, sample: Sample) -> FloatArray:
    kind, d, given = mixture.covariance_type, sample.n_features, mixture.covariance_prior
    if given is None:
        covariance = sample.covariance()
        if kind in {"full", "tied"}:
            return covariance
        variances = np.diag(covariance).copy()
        return variances if kind == "diag" else np.asarray(variances.mean())
    shape = {"full": (d, d), "tied": (d, d), "diag": (d,), "spherical": ()}[kind]
    prior = _shaped("covariance_prior", given, shape)
    if kind in {"full", "tied"}:
        is_fine = np.allclose(prior, prior.T) and bool((np.linalg.eigvalsh(prior) > 0).all())
    else:
        is_fine = bool((prior > 0).all())
    if not is_fine:
        raise ValueError(f"covariance_prior must be positive (definite), got {given!r}")
    return prior


def _positive(name: str, value: Any, default: float) -> float:
    return default if value is None else check_number(name, value, SMALLEST, INFINITY)


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(value, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite and have shape {shape}, got shape {array.shape}")
    return array
