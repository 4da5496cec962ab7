"""Rows that come in parts: anything that can be iterated again and again in the same order."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeGuard

from numpy.typing import ArrayLike

__all__ = ["Batches", "is_batches"]

ARRAY_MARKS = ("__array__", "__arrow_c_stream__", "__len__", "shape")


class Batches(Protocol):
    """Rows in parts, (n_rows, n_features) each: again and again the same, in the same order."""

    def __iter__(self) -> Iterator[ArrayLike]:
        """Yield the parts."""


def is_batches(X: Any) -> TypeGuard[Batches]:
    """Whether ``X`` is no array or frame, but something that gives its rows in parts.

    Raises
    ------
    ValueError
        If it can be iterated once only.
    """
    if any(hasattr(X, mark) for mark in ARRAY_MARKS) or not hasattr(X, "__iter__"):
        return False
    if iter(X) is X:
        raise ValueError("batches must give their rows again and again, got an iterator")
    return True
