"""Checks of arguments that scikit-learn's public helpers do not cover, with our messages."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from modemap.kernels import FloatArray

__all__ = [
    "FLOATS",
    "LARGEST",
    "check_choice",
    "check_extremes",
    "check_fitted",
    "check_integer",
    "check_magnitude",
    "check_no_text",
    "check_number",
    "check_sample_weight",
    "check_size",
    "check_threads",
    "is_ready",
]

LARGEST = 1e150  # squares of larger numbers overflow
SMALLEST = 1e-150  # squares of smaller numbers underflow
FEW = 1 << 12  # values
FLOATS = (np.float64, np.float32)


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return ``value`` if it is an integer within bounds, else raise ``ValueError``."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if is_integer and value >= low and (high is None or value <= high):
        return int(value)
    bounds = f">= {low}" if high is None else f"from {low} to {high}"
    raise ValueError(f"{name} must be an integer {bounds}, got {value!r}")


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """Return ``value`` if ``low <= value < high``, else raise ``ValueError``."""
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if is_number and low <= value < high:
        return float(value)
    raise ValueError(f"{name} must be a number >= {low} and < {high}, got {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``, else raise ``ValueError``."""
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_fitted(model: Any, attribute: str) -> None:
    """Refuse a model that lacks a learned ``attribute``.

    Where it is there, scikit-learn's check would take as long as finding a row's nearest unit.
    """
    if not hasattr(model, attribute):
        check_is_fitted(model, attribute)


def is_ready(X: Any, model: Any = None) -> bool:
    """Whether scikit-learn's checks would hand back ``X`` as it is: they cost a single row most.

    That is an array of finite floats in C order, without names, as wide as what ``model`` knows.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or not X.size:  # noqa: PLR2004
        return False
    if X.dtype not in FLOATS or not X.flags.c_contiguous or hasattr(model, "feature_names_in_"):
        return False
    if model is not None and getattr(model, "n_features_in_", 0) != X.shape[1]:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def check_magnitude(X: NDArray[Any], name: str = "X") -> None:
    """Refuse numbers whose squares overflow; NaN passes."""
    if X.size <= FEW:
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(np.vdot(X, X))  # takes less time than the extremes of a row
        if squares < LARGEST * LARGEST:
            return
    least, greatest = (extreme.reduce(X, axis=None, initial=0) for extreme in (np.fmin, np.fmax))
    check_extremes(float(least), float(greatest), name)


def check_extremes(least: float, greatest: float, name: str = "X") -> None:
    """Refuse numbers from ``least`` to ``greatest`` if squares of theirs overflow."""
    largest = max(-least, greatest)
    if largest > LARGEST:
        raise ValueError(f"{name} must lie between -{LARGEST} and {LARGEST}, got {largest} in size")


def check_no_text(X: Any) -> None:
    """Refuse numbers as text, which NumPy would turn into numbers."""
    dtype = np.asarray(X).dtype if isinstance(X, list | tuple) else getattr(X, "dtype", None)
    if getattr(dtype, "kind", "") in {"U", "S", "T"}:
        raise ValueError(f"X must hold numbers, got text of dtype {dtype}: convert it")


def check_size(largest: float, name: str = "X") -> None:
    """Refuse numbers of which the ``largest`` in size is not 0, and yet has no square."""
    if 0 < largest < SMALLEST:
        raise ValueError(
            f"{name} must hold a value of {SMALLEST} or more in size, or zeros alone, got "
            f"{largest} at most: scale it"
        )


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> FloatArray:
    """Return one weight for each sample, ones if none are given."""
    if sample_weight is None:
        return np.ones(n_samples)
    weights: FloatArray = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, order="C", input_name="sample_weight"
    )
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), got {weights.shape}")
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            "sample_weight must be >= 0, and not zero everywhere, "
            f"got values from {weights.min()} to {weights.max()}"
        )
    check_magnitude(weights, "sample_weight")
    return weights


def check_threads(n_jobs: int | None) -> int:
    """Return the number of threads that ``n_jobs`` asks for, -1 being one for each core."""
    if n_jobs is None:
        return 1
    if isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool) and n_jobs != 0:
        return int(n_jobs) if n_jobs > 0 else max(1, _n_cores() + 1 + int(n_jobs))
    raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}")


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what this process may use, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
