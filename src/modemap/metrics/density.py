"""How good a density is, in one number."""

import numpy as np

from modemap.kernels import FloatArray, IntArray

__all__ = ["calibration_error"]


def calibration_error(pit: FloatArray, counts: IntArray | None = None) -> float:
    """Kolmogorov distance of probability integral transforms from the uniform distribution.

    A density is calibrated when the shares it puts below held-out values, the transforms, are
    uniform. Values that are rounded, to whole minutes say, tie, and a tie is a jump of the
    empirical distribution that no density could follow. So a tie is measured at its middle
    (the mid-distribution): the samples below count whole, the tied ones half. Without ties this
    differs from the usual distance by at most ``1 / (2 * n_samples)``.

    Parameters
    ----------
    pit : ndarray of shape (n_samples,)
        The model's cumulative distribution at each value, from 0 to 1.
    counts : ndarray of int, shape (n_samples,), optional
        How often each value occurs; once if not given.

    Returns
    -------
    float
        From 0.0, perfectly calibrated, to 1.0.

    Raises
    ------
    ValueError
        If ``pit`` is empty, leaves the range from 0 to 1, or has another shape than ``counts``.

    Examples
    --------
    >>> calibration_error(np.array([0.25, 0.75]))
    0.0
    >>> calibration_error(np.array([0.5, 1.0]))
    0.25
    >>> calibration_error(np.array([0.5, 1.0]), np.array([3, 1]))
    0.125
    """
    pit = np.asarray(pit, dtype=np.float64)
    if pit.ndim != 1 or not pit.size:
        raise ValueError(f"pit must have shape (n_samples,) and a sample, got {pit.shape}")
    if not ((pit >= 0) & (pit <= 1)).all():
        raise ValueError(f"pit must be from 0 to 1, got {pit.min()} to {pit.max()}")
    counts = np.ones(len(pit), np.int64) if counts is None else np.asarray(counts)
    if counts.shape != pit.shape:
        raise ValueError(f"counts must have shape {pit.shape} like pit, got {counts.shape}")
    places, groups = np.unique(pit, return_inverse=True)
    tied = np.zeros(len(places), np.int64)
    np.add.at(tied, groups, counts)
    middles = (np.cumsum(tied) - tied / 2) / tied.sum()
    return float(np.abs(middles - places).max())
