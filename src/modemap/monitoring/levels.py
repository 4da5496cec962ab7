"""The levels of a category: which became rarer or commoner, and which were never seen before."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modemap.monitoring.stability import LEAST_EXPECTED, Stability, compare

__all__ = ["MAX_LEVELS", "Levels", "compare_levels", "unseen"]

MAX_LEVELS = 10_000  # beyond these a text names rows rather than groups of them


@dataclass
class Levels:
    """How often each level of a category occurs."""

    counts: dict[str, int] = field(default_factory=dict)
    n_others: int = 0  # rows of levels that are not kept by name

    @property
    def n(self) -> int:
        """Rows with a level."""
        return sum(self.counts.values()) + self.n_others

    @property
    def is_category(self) -> bool:
        """Whether rows share levels, rather than each having a name of its own."""
        return len(self.counts) <= MAX_LEVELS and 2 * len(self.counts) <= max(self.n, 2)

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more rows."""
        for level, count in counts.items():
            self.counts[level] = self.counts.get(level, 0) + count

    def commonest(self, n_levels: int) -> "Levels":
        """Return the same rows with that many levels by name, the others together."""
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(count for _, count in ranked[n_levels:])
        return Levels(dict(sorted(ranked[:n_levels])), self.n_others + rest)


def compare_levels(reference: Levels, current: Levels) -> Stability:
    """Compare the shares of levels; those that both hold rarely together count as one.

    Both samples together say what is rare, so many rare levels are no drift by themselves.
    """
    share = min(reference.n, current.n) / (reference.n + current.n)
    named = reference.counts.keys() | current.counts.keys()
    if reference.n_others:
        named = set(reference.counts)
    pairs = {name: (reference.counts.get(name, 0), current.counts.get(name, 0)) for name in named}
    kept = sorted(name for name, pair in pairs.items() if sum(pair) * share >= LEAST_EXPECTED)
    first, second = (np.array([pairs[name][i] for name in kept], np.int64) for i in (0, 1))
    rest = np.array([reference.n - first.sum(), current.n - second.sum()], np.int64)
    if rest.sum() * share >= LEAST_EXPECTED or not kept:
        first, second = np.append(first, rest[0]), np.append(second, rest[1])
    elif rest.sum():
        rarest = int(np.argmin(first + second))
        first[rarest] += rest[0]
        second[rarest] += rest[1]
    return compare(first, second)


def unseen(reference: Levels, current: Levels) -> dict[str, int]:
    """Return the current levels that the reference lacks, the commonest first."""
    if reference.n_others:
        return {}
    new = {name: n for name, n in current.counts.items() if name not in reference.counts}
    return dict(sorted(new.items(), key=lambda item: (-item[1], item[0])))
