"""How far groups are those of labels, from how many rows of each label are in each group."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["adjusted_rand", "normalized_mutual_information", "purity"]

Counts = NDArray[np.int64]  # (n_labels, n_groups)


def adjusted_rand(counts: Counts) -> float:
    """Return the adjusted Rand index: 1 where groups are the labels, about 0 by chance.

    Parameters
    ----------
    counts : ndarray of int, shape (n_labels, n_groups)
        Rows of each label in each group.

    Returns
    -------
    float
        At most 1.0; below 0.0 where they agree less than by chance.

    References
    ----------
    L. Hubert and P. Arabie, Comparing partitions, Journal of Classification 2 (1985).

    Examples
    --------
    >>> adjusted_rand(np.array([[2, 0], [0, 2]]))
    1.0
    """
    n = int(counts.sum())
    both = sum(int(count) ** 2 for count in counts.ravel()) - n  # pairs, each counted twice
    in_label, in_group = (
        sum(int(count) ** 2 for count in counts.sum(axis=axis)) - n for axis in (1, 0)
    )
    apart = n * (n - 1) - in_label - in_group + both
    if both == in_label == in_group:
        return 1.0
    one, other = in_label - both, in_group - both
    chances = (both + one) * (one + apart) + (both + other) * (other + apart)
    return 2.0 * (both * apart - one * other) / chances


def normalized_mutual_information(counts: Counts) -> float:
    """Return what labels and groups tell of each other: 1 where either tells the other, or 0.

    It is divided by the mean of both entropies.

    Parameters
    ----------
    counts : ndarray of int, shape (n_labels, n_groups)
        Rows of each label in each group.

    Returns
    -------
    float

    Examples
    --------
    >>> normalized_mutual_information(np.array([[2, 2], [2, 2]]))
    0.0
    """
    shares = counts / counts.sum()
    by_label, by_group = shares.sum(axis=1), shares.sum(axis=0)
    entropies = _entropy(by_label) + _entropy(by_group)
    if entropies == 0.0:
        return 1.0
    mutual = entropies - _entropy(shares.ravel())
    return min(max(2.0 * mutual / entropies, 0.0), 1.0)


def _entropy(shares: NDArray[np.float64]) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum()) + 0.0


def purity(counts: Counts) -> float:
    """Return the share of rows that have the commonest label of their group.

    Parameters
    ----------
    counts : ndarray of int, shape (n_labels, n_groups)
        Rows of each label in each group.

    Returns
    -------
    float
        Above 0.0, at most 1.0.

    Examples
    --------
    >>> purity(np.array([[3, 0], [1, 4]]))
    0.875
    """
    return float(counts.max(axis=0).sum() / counts.sum())
