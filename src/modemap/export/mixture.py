"""The mixture as a graph: raw rows in; log-likelihood and anomaly percentile out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modemap.estimators.posterior import Posterior, Prior, component_peaks
from modemap.export.nodes import Nodes
from modemap.export.rows import prepared_rows

if TYPE_CHECKING:
    from onnx import GraphProto

    from modemap.estimators import BayesianGaussianMixture
    from modemap.kernels import FloatArray
    from modemap.release import Release

__all__ = ["mixture_graph"]


def mixture_graph(release: Release) -> GraphProto:
    """Return the graph that answers for the mixture of ``release``."""
    nodes = Nodes()
    rows = prepared_rows(nodes, release, measured=True)
    scores = _scores(nodes, release.mixture, rows.values)
    density = nodes.add("Sub", _log_total(nodes, scores), release.preparation.log_jacobian_)
    text = "log-density of the row in raw units, NaN of a row not taken"
    nodes.output(rows.numbers(nodes, density), "log_likelihood", "double", [], text)
    percentile = nodes.add("Sub", 100.0, _rank(nodes, density, release.anomaly))
    text = "share of training rows that are likelier, in percent"
    nodes.output(rows.numbers(nodes, percentile), "anomaly_percentile", "double", [], text)
    return nodes.graph("mixture")


def _scores(nodes: Nodes, mixture: BayesianGaussianMixture, rows: str) -> str:
    """Return the expected log weights and densities, (n_components, n_rows)."""
    means, roots = mixture.means_[:, np.newaxis], _roots(mixture)
    off = nodes.add("Sub", nodes.add("Unsqueeze", rows, [0]), means)
    y = nodes.add("MatMul", off, roots)
    squares = nodes.add("ReduceSum", nodes.add("Mul", y, y), [2], keepdims=0)
    return nodes.add("Sub", _peaks(mixture)[:, np.newaxis], nodes.add("Mul", squares, 0.5))


def _log_total(nodes: Nodes, scores: str) -> str:
    """Return the logarithm of the sum of ``exp(scores)`` over components, without overflow.

    A row so far away that all are minus infinity gets that.
    """
    lowest = float(np.finfo(np.float64).min)
    top = nodes.add("Max", nodes.add("ReduceMax", scores, [0], keepdims=1), lowest)
    parts = nodes.add("Exp", nodes.add("Sub", scores, top))
    total = nodes.add("Log", nodes.add("ReduceSum", parts, [0], keepdims=0))
    return nodes.add("Add", total, nodes.add("Squeeze", top, [0]))


def _rank(nodes: Nodes, density: str, quantiles: FloatArray) -> str:
    """Return the percentile of ``density`` among ascending quantiles, between them linearly.

    How many quantiles do not exceed it says which line it lies on: of the lines before the first
    and after the last, and of those between equals, the slope is 0.
    """
    ranks = np.linspace(0, 100, len(quantiles))
    rises, widths = np.diff(ranks), np.diff(quantiles)
    slopes = np.divide(rises, widths, out=np.zeros_like(rises), where=widths > 0)
    slopes = np.concatenate([[0.0], slopes, [0.0]])
    starts = np.concatenate([quantiles[:1], quantiles])
    bases = np.concatenate([ranks[:1], ranks])
    is_passed = nodes.add("GreaterOrEqual", nodes.add("Unsqueeze", density, [1]), quantiles)
    counted = nodes.cast(is_passed, "int64")
    line = nodes.add("ReduceSum", counted, [1], keepdims=0)
    beyond = nodes.add("Sub", nodes.add("Max", density, quantiles[0]), _of(nodes, starts, line))
    return nodes.add(
        "Add", nodes.add("Mul", _of(nodes, slopes, line), beyond), _of(nodes, bases, line)
    )


def _of(nodes: Nodes, table: FloatArray, line: str) -> str:
    return nodes.add("Gather", table, line, axis=0)


def _roots(mixture: BayesianGaussianMixture) -> FloatArray:
    """Return the roots of the precisions, (n_components, n_columns, n_columns), of any type."""
    roots = mixture.precisions_cholesky_
    n_components, d = mixture.means_.shape
    if mixture.covariance_type == "diag":
        roots = roots[:, :, np.newaxis] * np.eye(d)
    elif mixture.covariance_type == "spherical":
        roots = roots[:, np.newaxis, np.newaxis] * np.eye(d)
    return np.array(np.broadcast_to(roots, (n_components, d, d)))


def _peaks(mixture: BayesianGaussianMixture) -> FloatArray:
    """Return what each component adds to the density at its mean, as a logarithm.

    ``scoring_weights_`` would lose components whose weight is below 1e-300; far from all rows
    they are the likeliest.
    """
    center = mixture.mean_prior_
    posterior = Posterior(
        mixture.weight_concentration_,
        mixture.mean_precision_,
        mixture.means_ - center,
        mixture.degrees_of_freedom_,
        mixture.covariances_,
        mixture.precisions_cholesky_,
    )
    prior = Prior(
        mixture.covariance_type,
        mixture.weight_concentration_prior_type,
        mixture.weight_concentration_prior_,
        mixture.mean_precision_prior_,
        np.zeros(len(center)),
        mixture.degrees_of_freedom_prior_,
        np.asarray(mixture.covariance_prior_),
        mixture.reg_covar,
    )
    return component_peaks(posterior, prior)
