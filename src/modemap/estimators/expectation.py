"""Expectation steps of a mixture on chunks of rows: compiled, or in NumPy for few or wide ones."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from modemap.estimators.posterior import (
    Posterior,
    Prior,
    Statistics,
    component_peaks,
    log_weights,
)
from modemap.kernels import has_missing
from modemap.kernels.arrays import FloatArray
from modemap.kernels.compilation import is_compiled

__all__ = ["Chunk", "Step", "Sums", "log_totals", "needs_blas", "scores_of"]

MAX_UNROLLED = 16  # features for which a pass is compiled
MIN_COMPILED = 1 << 13  # rows that pay for compiling it
AT_ONCE = 1 << 15  # values that stay in the cache
LOG_2_PI = float(np.log(2 * np.pi))


class Chunk(NamedTuple):
    """Some rows, complete in the columns ``observed``, which is None for all of them."""

    X: NDArray[Any]
    weights: FloatArray  # (n,), or empty for ones
    observed: NDArray[np.intp] | None


class Step:
    """An expectation step on chunks of rows; those that miss the same columns share a plan.

    Parameters
    ----------
    posterior, prior
        The fit so far.
    center : ndarray of shape (n_features,)
        That of the rows.
    n_samples : int
        All rows, by which it pays to compile or not.
    """

    def __init__(
        self, posterior: Posterior, prior: Prior, center: FloatArray, n_samples: int
    ) -> None:
        self._posterior, self._prior = posterior, prior
        self._center, self._n_samples = center, n_samples
        self._plans: dict[bytes, _Plan] = {}

    def sums(self, results: Iterable[Statistics]) -> "Sums":
        """Return the statistics of chunks added up, in their order."""
        return _summed(results, self._posterior.means, self._prior.covariance_type)

    def total(self, found: "Sums") -> Statistics:
        """Return the sums of all rows as statistics about the means."""
        return _about_means(found, self._posterior.means, self._prior.covariance_type)

    def statistics(self, chunk: Chunk) -> Statistics:
        """Return the statistics of a chunk."""
        key = b"" if chunk.observed is None else chunk.observed.tobytes()
        if key not in self._plans:
            self._plans[key] = _Plan(self._posterior, self._prior, chunk.observed)
        return self._plans[key].statistics(chunk, self._center, self._n_samples)


class _Plan:
    """An expectation step on rows of which the columns ``observed`` are there."""

    def __init__(
        self,
        posterior: Posterior,
        prior: Prior,
        observed: NDArray[np.intp] | None,
        peaks: FloatArray | None = None,
    ) -> None:
        peaks = component_peaks(posterior, prior) if peaks is None else peaks
        self.kind, self.means = prior.covariance_type, posterior.means
        n_components, d = self.means.shape
        self.observed = observed
        if observed is None:
            self.peaks = peaks
            self.roots = _roots(posterior.cholesky, self.kind, n_components, d)
            return
        missing = np.setdiff1d(np.arange(d), observed)
        covariances = _full_covariances(posterior.covariances, self.kind, n_components, d)
        inner = covariances[:, observed[:, np.newaxis], observed]
        cross = covariances[:, observed[:, np.newaxis], missing]
        lower = np.linalg.cholesky(inner)
        self.roots = np.swapaxes(np.linalg.inv(lower), 1, 2)
        full_roots = _full_roots(posterior.cholesky, self.kind, n_components, d)
        log_precision = 2 * np.log(np.diagonal(full_roots, axis1=1, axis2=2)).sum(axis=1)
        log_inner = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        log_missing = log_precision + log_inner  # of the precision of what is missing
        n_missing = len(missing)
        filled = 0.5 * (n_missing * LOG_2_PI - log_missing)
        self.peaks = peaks + filled
        self.entropies = filled + 0.5 * n_missing
        slopes = np.swapaxes(np.linalg.solve(inner, cross), 1, 2)
        self.missing, self.slopes = missing, slopes
        self.rest = covariances[:, missing[:, np.newaxis], missing] - slopes @ cross

    def statistics(self, chunk: Chunk, center: FloatArray, n_samples: int) -> Statistics:
        """Return the statistics of a chunk about the center."""
        observed = self.observed
        means = self.means if observed is None else self.means[:, observed]
        shift = center if observed is None else center[observed]
        is_diagonal = self.kind in {"diag", "spherical"} and observed is None
        is_narrow = chunk.X.shape[1] <= MAX_UNROLLED and n_samples >= MIN_COMPILED
        if is_compiled() and is_narrow:
            found = _compiled_statistics(chunk, shift, self.peaks, means, self.roots)
        else:
            found = _plain_statistics(
                chunk, shift, self.peaks, means, self.roots, is_diagonal=is_diagonal
            )
        return found if observed is None else self._completed(found)

    def _completed(self, found: Statistics) -> Statistics:
        """Add the moments of what is missing, expected from what is observed."""
        n, d = found.counts, self.means.shape[1]
        observed, missing = self.observed, self.missing
        assert observed is not None  # noqa: S101  (for the type checker)
        n_components = len(n)
        moved = found.sums + n[:, np.newaxis] * (found.centers - self.means[:, observed])
        off = self.means[:, observed] - found.centers
        scatter = found.scatters - (
            found.sums[:, :, np.newaxis] * off[:, np.newaxis]
            + off[:, :, np.newaxis] * found.sums[:, np.newaxis]
        )
        scatter = (
            scatter + n[:, np.newaxis, np.newaxis] * off[:, :, np.newaxis] * off[:, np.newaxis]
        )
        lift = np.zeros((n_components, d, len(observed)))
        lift[:, observed, np.arange(len(observed))] = 1.0
        lift[:, missing] = self.slopes
        sums = np.einsum("kio,ko->ki", lift, moved)
        scatters = lift @ scatter @ np.swapaxes(lift, 1, 2)
        scatters[:, missing[:, np.newaxis], missing] += n[:, np.newaxis, np.newaxis] * self.rest
        entropy = found.entropy - float(np.dot(n, self.entropies))
        if self.kind in {"diag", "spherical"}:
            scatters = np.ascontiguousarray(np.diagonal(scatters, axis1=1, axis2=2))
        return Statistics(n, self.means, sums, scatters, entropy, found.log_likelihood)


def needs_blas(X: NDArray[Any]) -> bool:
    """Return whether :func:`scores_of` multiplies matrices: for wide rows, and those with gaps.

    To hold BLAS to a thread takes longer than to score a row that needs none.
    """
    return X.shape[1] > MAX_UNROLLED or has_missing(X)


def scores_of(
    X: NDArray[Any],
    center: FloatArray,
    posterior: Posterior,
    prior: Prior,
    peaks: FloatArray | None = None,
) -> FloatArray:
    """Return weighted log densities of rows, (n_samples, n_components).

    They are expected ones, unless ``peaks`` gives those at the means.

    Where values are missing it is the density of those observed; of a row without any, 1.
    """
    n_components, d = posterior.means.shape
    scores = np.empty((len(X), n_components))
    seen = ~np.isnan(X)
    if seen.all():
        groups: list[Any] = [slice(None)]
    else:
        codes = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1)
        groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    for rows in groups:
        part = X[rows]
        observed = np.flatnonzero(seen[rows][0]) if len(part) else np.arange(d)
        if len(observed) == 0:
            logs = log_weights(posterior, prior)
            scores[rows] = logs - logsumexp(logs)
            continue
        plan = _Plan(posterior, prior, None if len(observed) == d else observed, peaks)
        tops, means, shift = plan.peaks, posterior.means[:, observed], center[observed]
        part = part[:, observed]
        if is_compiled() and len(observed) <= MAX_UNROLLED and len(part) >= MIN_COMPILED:
            from modemap.kernels.joint import row_scores  # noqa: PLC0415

            found = np.empty((len(part), n_components))
            coefficients = _coefficients(tops, means, plan.roots)
            X_part = np.ascontiguousarray(part)
            row_scores(X_part, (0,) * len(observed), shift, coefficients, found)
        else:
            found = _plain_scores(np.asarray(part, np.float64) - shift, tops, means, plan.roots)
        scores[rows] = found
    return scores


def log_totals(scores: FloatArray) -> FloatArray:
    """Return the logarithm of each row's sum of ``exp(scores)``, without overflow, (n_rows,).

    The bits are those of ``scipy.special.logsumexp``, which takes a tenth of a millisecond before
    it begins.
    """
    top = scores.max(axis=1, keepdims=True)
    is_top = scores == top
    others = np.where(is_top, -np.inf, scores) - np.where(np.isinf(top), 0.0, top)
    n_top = is_top.sum(axis=1)
    totals: FloatArray = np.log1p(np.exp(others).sum(axis=1) / n_top) + np.log(n_top) + top[:, 0]
    return totals


def _plain_scores(
    rows: FloatArray, peaks: FloatArray, means: FloatArray, roots: FloatArray
) -> FloatArray:
    """Return scores of rows, each of which has the same bits among however many others."""
    scores = np.empty((len(rows), len(peaks)))
    step = max(1, AT_ONCE // means.size)
    for start in range(0, len(rows), step):
        off = rows[start : start + step, np.newaxis] - means  # (rows, components, features)
        y = off * roots if roots.ndim == means.ndim else _times(off, roots)
        scores[start : start + step] = peaks - 0.5 * np.square(y).sum(axis=2)
    return scores


def _times(off: FloatArray, roots: FloatArray) -> FloatArray:
    """Return offsets from each mean times the component's root, (rows, components, features).

    Not by BLAS, whose order depends on the number of rows, unless it is wide.
    """
    if len(roots[0]) > MAX_UNROLLED:
        return np.stack([off[:, k] @ root for k, root in enumerate(roots)], axis=1)
    total: FloatArray = off[..., :1] * roots[:, 0]
    for j in range(1, len(roots[0])):
        total += off[..., j : j + 1] * roots[:, j]
    return total


def _plain_statistics(
    chunk: Chunk,
    shift: FloatArray,
    peaks: FloatArray,
    means: FloatArray,
    roots: FloatArray,
    *,
    is_diagonal: bool,
) -> Statistics:
    """Take the step in NumPy: the twin of the compiled pass, and its stand-in for few rows."""
    rows = np.asarray(chunk.X, np.float64) - shift
    scores = _plain_scores(rows, peaks, means, roots)
    top = scores.max(axis=1)
    norms = top + np.log(np.exp(scores - top[:, np.newaxis]).sum(axis=1))
    log_resp = scores - norms[:, np.newaxis]
    resp = np.exp(log_resp)
    weights = chunk.weights if len(chunk.weights) else np.ones(len(rows))
    entropy = float(weights @ (resp * log_resp).sum(axis=1))
    resp *= weights[:, np.newaxis]
    n_components, d = means.shape
    sums = np.empty((n_components, d))
    scatters = np.empty((n_components, d) if is_diagonal else (n_components, d, d))
    for k, mean in enumerate(means):
        off = rows - mean
        weighted = resp[:, k, np.newaxis] * off
        sums[k] = weighted.sum(axis=0)
        scatters[k] = (weighted * off).sum(axis=0) if is_diagonal else weighted.T @ off
    return Statistics(
        resp.sum(axis=0), means, sums, scatters, entropy, float(np.dot(weights, norms))
    )


def _compiled_statistics(
    chunk: Chunk, shift: FloatArray, peaks: FloatArray, means: FloatArray, roots: FloatArray
) -> Statistics:
    from modemap.kernels.joint import add_statistics, lanes_of  # noqa: PLC0415

    n_components, d = means.shape
    size = -(-d // lanes_of(d)) * lanes_of(d)
    found, totals = np.zeros((n_components, 1 + size + d * size)), np.zeros(2)
    X = np.ascontiguousarray(chunk.X)
    coefficients = _coefficients(peaks, means, roots)
    add_statistics(X, chunk.weights, (0,) * d, shift, coefficients, found, totals)
    upper = found[:, 1 + size :].reshape(n_components, d, size)[:, :, :d]
    is_upper = np.triu(np.ones((d, d), bool))
    scatters = np.where(is_upper, upper, np.swapaxes(upper, 1, 2))
    return Statistics(
        found[:, 0],
        np.zeros((n_components, d)),
        found[:, 1 : 1 + d],
        scatters,
        float(totals[0]),
        float(totals[1]),
    )


def _coefficients(peaks: FloatArray, means: FloatArray, roots: FloatArray) -> FloatArray:
    """Return what the compiled pass reads: the peak, then -h_j and P_0j to P_jj of each feature."""
    if roots.ndim == means.ndim:
        roots = roots[:, :, np.newaxis] * np.eye(means.shape[1])
    offsets = np.einsum("kij,ki->kj", roots, means)
    columns = [peaks[:, np.newaxis]]
    for j in range(means.shape[1]):
        columns += [-offsets[:, j : j + 1], roots[:, : j + 1, j]]
    return np.ascontiguousarray(np.hstack(columns))


class Sums(NamedTuple):
    """Statistics of chunks, as they came: some about the means, some about the center."""

    counts: FloatArray  # (n_components,)
    sums: FloatArray  # (n_components, n_features)
    scatters: FloatArray  # (n_components, n_features, n_features), or of the diagonals alone
    raw_counts: FloatArray  # about the center
    raw_sums: FloatArray
    raw_scatters: FloatArray
    entropy: float
    log_likelihood: float


def _summed(results: Iterable[Statistics], means: FloatArray, kind: str) -> Sums:
    """Add statistics up, in their order."""
    n_components, d = means.shape
    is_diagonal = kind in {"diag", "spherical"}
    counts, sums = np.zeros(n_components), np.zeros((n_components, d))
    scatters = np.zeros((n_components, d) if is_diagonal else (n_components, d, d))
    raw_sums, raw = np.zeros((n_components, d)), np.zeros((n_components, d, d))
    raw_counts, entropy, likelihood = np.zeros(n_components), 0.0, 0.0
    for part in results:
        entropy += part.entropy
        likelihood += part.log_likelihood
        if part.centers is means:
            counts += part.counts
            sums += part.sums
            scatters += part.scatters
        else:
            raw_counts += part.counts
            raw_sums += part.sums
            raw += part.scatters
    return Sums(counts, sums, scatters, raw_counts, raw_sums, raw, entropy, likelihood)


def _about_means(found: Sums, means: FloatArray, kind: str) -> Statistics:
    """Return all of it about the means."""
    raw_sums, n = found.raw_sums, found.raw_counts
    outer = raw_sums[:, :, np.newaxis] * means[:, np.newaxis]
    moved = found.raw_scatters - outer - np.swapaxes(outer, 1, 2)
    moved += n[:, np.newaxis, np.newaxis] * (means[:, :, np.newaxis] * means[:, np.newaxis])
    if kind in {"diag", "spherical"}:
        moved = np.diagonal(moved, axis1=1, axis2=2)
    return Statistics(
        found.counts + n,
        means,
        found.sums + raw_sums - n[:, np.newaxis] * means,
        found.scatters + moved,
        found.entropy,
        found.log_likelihood,
    )


def _full_roots(roots: FloatArray, kind: str, n_components: int, d: int) -> FloatArray:
    if kind == "full":
        return roots
    if kind == "tied":
        return np.broadcast_to(roots, (n_components, d, d))
    diagonal = roots if kind == "diag" else roots[:, np.newaxis]
    return np.asarray(np.broadcast_to(diagonal, (n_components, d))[:, :, np.newaxis] * np.eye(d))


def _roots(roots: FloatArray, kind: str, n_components: int, d: int) -> FloatArray:
    """Return the roots of all components: triangles, or diagonals where that is all they have."""
    if kind in {"diag", "spherical"}:
        diagonal = roots if kind == "diag" else roots[:, np.newaxis]
        return np.ascontiguousarray(np.broadcast_to(diagonal, (n_components, d)))
    return _full_roots(roots, kind, n_components, d)


def _full_covariances(covariances: FloatArray, kind: str, n_components: int, d: int) -> FloatArray:
    return _full_roots(covariances, kind, n_components, d)
