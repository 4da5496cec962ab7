"""Rows of several columns, in memory or in batches, as expectation steps of a mixture see them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
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
from modemap.kernels.arrays import FloatArray
from modemap.kernels.compilation import is_compiled

__all__ = ["Rows", "scores_of"]

GRID = 1 << 14  # rows of a chunk: fixed, so that threads and sums have one order
MAX_UNROLLED = 16  # features for which a pass is compiled
MIN_COMPILED = 1 << 13  # rows that pay for compiling it
LOG_2_PI = float(np.log(2 * np.pi))


class Chunk(NamedTuple):
    """Some rows, complete in the columns ``observed``, which is None for all of them."""

    X: NDArray[Any]
    weights: FloatArray  # (n,), or empty for ones
    observed: NDArray[np.intp] | None


class Rows:
    """Rows and their weights.

    Parameters
    ----------
    parts : callable
        Returns the rows in parts, (n_rows, n_features) of floats, each time in the same order.
    weights : ndarray of shape (n_samples,) or None
    n_threads : int
        They change no digit: chunks and the order of their sums are fixed.
    center : ndarray of shape (n_features,) or None
        Weighted mean of complete rows, where it is known already.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        Weighted mean of what is observed; statistics are taken relative to it.
    n_samples, n_features : int
    total : float
        Sum of the weights of rows in which anything is observed.
    """

    def __init__(
        self,
        parts: Callable[[], Iterable[NDArray[Any]]],
        weights: FloatArray | None = None,
        n_threads: int = 1,
        center: FloatArray | None = None,
    ) -> None:
        self._parts, self._weights, self._n_threads = parts, weights, n_threads
        if center is None:
            self._survey()
        else:
            self.center, self.n_features, self.is_complete = center, len(center), True
            self.n_samples = sum(len(part) for part in parts())
            self.total = float(self.n_samples) if weights is None else float(weights.sum())

    def _survey(self) -> None:
        """Take the mean in one pass, relative to the first row that can be."""
        origin: FloatArray | None = None
        self.n_samples, self.total = 0, 0.0
        for X, weights in self._pieces():
            self.n_samples += len(X)
            rows = np.asarray(X, np.float64)
            if origin is None:
                origin = np.nan_to_num(rows[0])
                sums, masses = np.zeros(len(origin)), np.zeros(len(origin))
            seen = ~np.isnan(rows)
            w = np.ones(len(rows)) if weights is None else weights
            sums += w @ np.where(seen, rows - origin, 0.0)
            masses += w @ seen
            self.total += float(w[seen.any(axis=1)].sum())
        if origin is None:
            raise ValueError("X must have at least one row, got none")
        if not (masses > 0).all():
            column = int(np.argmin(masses))
            raise ValueError(f"each column of X must hold a value, got none in column {column}")
        self.n_features = len(origin)
        self.is_complete = bool(np.ptp(masses) == 0) and bool(masses[0] == self.total)
        self.center = origin + sums / masses

    def covariance(self) -> FloatArray:
        """Return the covariance of the rows, each pair of columns from where both are observed."""
        d = self.n_features
        scatter, masses = np.zeros((d, d)), np.zeros((d, d))
        for X, weights in self._pieces():
            rows = np.asarray(X, np.float64) - self.center
            seen = ~np.isnan(rows)
            rows = np.where(seen, rows, 0.0)
            w = np.ones(len(rows)) if weights is None else weights
            scatter += (rows * w[:, np.newaxis]).T @ rows
            masses += (seen * w[:, np.newaxis]).T @ seen
        if self.is_complete:
            return scatter / max(self.total - 1.0, 1.0)
        variances = np.diag(np.diag(scatter) / np.maximum(np.diag(masses) - 1.0, 1.0))
        full = scatter / np.maximum(masses - 1.0, 1.0)
        return full if _is_definite(full) else variances

    def step(self, posterior: Posterior, prior: Prior) -> Statistics:
        """Take an expectation step."""
        plans: dict[bytes, _Plan] = {}

        def work(chunk: Chunk) -> Statistics:
            key = b"" if chunk.observed is None else chunk.observed.tobytes()
            if key not in plans:
                plans[key] = _Plan(posterior, prior, chunk.observed)
            return plans[key].statistics(chunk, self.center, self.n_samples)

        results = self._mapped(work, self._chunks())
        return _summed(results, posterior.means, prior.covariance_type)

    def gathered(
        self, shares: Callable[[int, int, FloatArray], NDArray[Any]], n_components: int
    ) -> Statistics:
        """Return the statistics of responsibilities or labels, ``shares(start, stop, rows)``.

        The rows are relative to the center; what is missing stands at the mean of its column.
        """
        d, start = self.n_features, 0
        counts, sums = np.zeros(n_components), np.zeros((n_components, d))
        scatters = np.zeros((n_components, d, d))
        for X, weights in self._pieces():
            rows = np.nan_to_num(np.asarray(X, np.float64) - self.center)
            resp = shares(start, start + len(rows), rows)
            if resp.ndim == 1:
                found = _labelled(rows, resp, weights, n_components)
                counts, sums, scatters = counts + found[0], sums + found[1], scatters + found[2]
                start += len(rows)
                continue
            if weights is not None:
                resp = resp * weights[:, np.newaxis]
            counts += resp.sum(axis=0)
            sums += resp.T @ rows
            for k in range(n_components):
                scatters[k] += (resp[:, k] * rows.T) @ rows
            start += len(rows)
        return Statistics(counts, np.zeros((n_components, d)), sums, scatters)

    def thinned(self, limit: int) -> tuple[FloatArray, FloatArray | None, int]:
        """Return at most ``limit`` rows, evenly apart, their weights, and the step between them.

        What is missing stands at the mean of its column.
        """
        step = -(-self.n_samples // limit)
        rows, weights, start = [], [], 0
        for X, w in self._pieces():
            picked = slice(-start % step, None, step)
            part = np.asarray(X[picked], np.float64)
            rows.append(np.where(np.isnan(part), self.center, part))
            weights.append(None if w is None else w[picked])
            start += len(X)
        if self._weights is None:
            return np.concatenate(rows), None, step
        return np.concatenate(rows), np.concatenate([w for w in weights if w is not None]), step

    def _pieces(self) -> Iterator[tuple[NDArray[Any], FloatArray | None]]:
        start = 0
        for part in self._parts():
            for first in range(0, len(part), GRID):
                X = part[first : first + GRID]
                stop = start + len(X)
                yield X, None if self._weights is None else self._weights[start:stop]
                start = stop

    def _chunks(self) -> Iterator[Chunk]:
        nothing = np.empty(0)
        for X, weights in self._pieces():
            w = nothing if weights is None else weights
            if self.is_complete:
                yield Chunk(X, w, None)
                continue
            seen = ~np.isnan(X)
            codes = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1)
            order = np.argsort(codes, kind="stable")
            cuts = [0, *(np.flatnonzero(np.diff(codes[order])) + 1).tolist(), len(order)]
            for low, high in pairwise(cuts):
                rows = order[low:high]
                observed = np.flatnonzero(seen[rows[0]])
                if len(observed):  # a row with nothing observed says nothing
                    is_all = len(observed) == self.n_features
                    picked = np.ascontiguousarray(X[np.ix_(rows, observed)])
                    yield Chunk(picked, w[rows] if len(w) else w, None if is_all else observed)

    def _mapped(
        self, work: Callable[[Chunk], Statistics], chunks: Iterator[Chunk]
    ) -> Iterator[Statistics]:
        """Yield results in order, with at most a few chunks in flight."""
        if self._n_threads == 1:
            yield from map(work, chunks)
            return
        with ThreadPoolExecutor(self._n_threads) as pool:
            waiting = []
            for chunk in chunks:
                waiting.append(pool.submit(work, chunk))
                if len(waiting) > 2 * self._n_threads:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()


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


def _plain_scores(
    rows: FloatArray, peaks: FloatArray, means: FloatArray, roots: FloatArray
) -> FloatArray:
    scores = np.empty((len(rows), len(peaks)))
    for k, (mean, root) in enumerate(zip(means, roots, strict=True)):
        off = rows - mean
        y = off * root if root.ndim == 1 else off @ root
        scores[:, k] = peaks[k] - 0.5 * np.square(y).sum(axis=1)
    return scores


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


def _summed(results: Iterable[Statistics], means: FloatArray, kind: str) -> Statistics:
    """Add statistics up about the means, in their order."""
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
    outer = raw_sums[:, :, np.newaxis] * means[:, np.newaxis]
    moved = raw - outer - np.swapaxes(outer, 1, 2)
    moved += raw_counts[:, np.newaxis, np.newaxis] * (
        means[:, :, np.newaxis] * means[:, np.newaxis]
    )
    if is_diagonal:
        moved = np.diagonal(moved, axis1=1, axis2=2)
    return Statistics(
        counts + raw_counts,
        means,
        sums + raw_sums - raw_counts[:, np.newaxis] * means,
        scatters + moved,
        entropy,
        likelihood,
    )


def _labelled(
    rows: FloatArray, labels: NDArray[Any], weights: FloatArray | None, n_components: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return counts, sums and scatters of rows by label."""
    d = rows.shape[1]
    counts = np.bincount(labels, weights, n_components).astype(np.float64)
    sums, scatters = np.empty((n_components, d)), np.empty((n_components, d, d))
    for i in range(d):
        weighted = rows[:, i] if weights is None else rows[:, i] * weights
        sums[:, i] = np.bincount(labels, weighted, n_components)
        for j in range(i, d):
            found = np.bincount(labels, weighted * rows[:, j], n_components)
            scatters[:, i, j] = scatters[:, j, i] = found
    return counts, sums, scatters


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


def _is_definite(matrix: FloatArray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
