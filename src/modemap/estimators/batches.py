"""Rows larger than memory: batches that can be read again and again."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from numpy.typing import ArrayLike

__all__ = ["Batches"]


@runtime_checkable
class Batches(Protocol):
    """Rows in batches that can be read again and again, always in the same order."""

    def batches(self) -> Iterable[ArrayLike]:
        """Return the batches, arrays or data frames of shape (n_samples, n_features)."""
        ...
