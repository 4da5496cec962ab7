"""Columns of whatever holds rows: arrays, frames, Arrow tables; and columns put back into them."""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "columns_of", "container_of"]


class Columns(NamedTuple):
    """Columns one by one, each in its own dtype."""

    arrays: list[NDArray[Any]]
    names: tuple[str, ...] | None
    container: str  # "array", "pandas" or "arrow"


def columns_of(X: Any) -> Columns | None:
    """Return the columns of a pandas frame or Arrow table, None of anything else.

    Raises
    ------
    ValueError
        If a column does not hold numbers.
    """
    if hasattr(X, "column_names") and hasattr(X, "schema"):
        names = tuple(map(str, X.column_names))
        arrays = [_numbers(X.column(name).to_numpy(), name) for name in names]
        return Columns(arrays, names, "arrow")
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:  # noqa: PLR2004
        names = tuple(map(str, X.columns))
        arrays = [_numbers(X.iloc[:, j].to_numpy(), names[j]) for j in range(len(names))]
        return Columns(arrays, names, "pandas")
    return None


def container_of(
    arrays: Sequence[NDArray[Any]], names: tuple[str, ...] | None, container: str
) -> Any:
    """Return columns as the container they came in."""
    if container == "array" or names is None:
        return np.column_stack(arrays) if len(arrays) > 1 else arrays[0][:, np.newaxis]
    named = dict(zip(names, arrays, strict=True))
    if container == "pandas":
        return importlib.import_module("pandas").DataFrame(named)
    return importlib.import_module("pyarrow").table(named)


def _numbers(column: NDArray[Any], name: str) -> NDArray[Any]:
    if column.dtype == object:
        try:
            return np.array(
                [np.nan if _is_nothing(value) else value for value in column], np.float64
            )
        except (TypeError, ValueError):
            raise ValueError(f"column {name} must hold numbers, got {column[:1]!r}") from None
    if column.dtype.kind not in "biuf":
        raise ValueError(f"column {name} must hold numbers, got {column.dtype}")
    return column


def _is_nothing(value: object) -> bool:
    return value is None or type(value).__name__ == "NAType"  # pandas' own mark of a missing value
