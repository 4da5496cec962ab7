"""Where the most probable component of a one-dimensional mixture changes.

The score of component k at x is ``peaks[k] - halves[k] * (x - means[k])^2``. A component may win
several intervals, so nothing is assumed about their order.
"""

from itertools import pairwise

import numpy as np

from modemap.kernels.arrays import FloatArray, IntArray

__all__ = ["decision_boundaries"]

LOWEST = -(2**63)


def decision_boundaries(
    peaks: FloatArray, means: FloatArray, halves: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return the cuts, rising, and the winners: ``winners[j]`` wins up to ``cuts[j]``, exclusive.

    The crossings of all pairs only propose where to look. Winners are evaluated between them, and
    each cut is bisected to the very float64 at which the winner changes.
    """

    def winner(x: float) -> int:
        return int(np.argmax(peaks - halves * (x - means) ** 2))

    roots = np.unique([*means, *_crossings(peaks, means, halves)])
    reach = np.ptp(roots) + np.abs(roots).max() + 1.0
    between = (roots[1:] + roots[:-1]) / 2
    tests = np.unique(np.concatenate(([roots[0] - reach, roots[-1] + reach], between, means)))
    cuts: list[float] = []
    winners = [winner(float(tests[0]))]
    for start, end in pairwise(tests):
        low = _ordered(float(start))
        while winner(float(end)) != winners[-1]:
            high = _ordered(float(end))
            while low + 1 < high:
                middle = (low + high) // 2
                if winner(_number(middle)) == winners[-1]:
                    low = middle
                else:
                    high = middle
            cuts.append(_number(high))
            winners.append(winner(cuts[-1]))
            low = high
    return np.array(cuts), np.array(winners)


def _crossings(peaks: FloatArray, means: FloatArray, halves: FloatArray) -> list[float]:
    """Return where the scores of any two components meet.

    About the mean of the narrower one, whose interval may be tiny.
    """
    found = []
    for i in range(len(peaks)):
        for j in range(len(peaks)):
            if i == j or halves[j] < halves[i]:
                continue
            apart = means[i] - means[j]
            a, h = halves[j] - halves[i], halves[i] * apart  # a t^2 + 2 h t + c = 0
            c = peaks[i] - peaks[j] - halves[i] * apart * apart
            square = h * h - a * c
            if square >= 0:
                q = -(h + np.copysign(np.sqrt(square), h))
                found += [means[j] + root for root in ([q / a] if a else [])]
                found += [means[j] + root for root in ([c / q] if q else [])]
    return [root for root in found if np.isfinite(root)]


def _ordered(x: float) -> int:
    """Return a float64 as an integer in the same order."""
    bits = int(np.float64(x).view(np.int64))
    return bits if bits >= 0 else LOWEST - bits


def _number(ordered: int) -> float:
    bits = ordered if ordered >= 0 else LOWEST - ordered
    return float(np.int64(bits).view(np.float64))
