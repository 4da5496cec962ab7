"""Names of columns: one for each, and short enough for their place."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

__all__ = ["checked_names", "chosen", "names_of", "shortened"]

ELLIPSIS = "…"


def checked_names(names: Sequence[str] | None, n_columns: int) -> list[str]:
    """Return one name for each column, ``x0``, ``x1`` and so on if none are given.

    Raises
    ------
    ValueError
        If there are more or fewer names than columns.
    """
    if names is None:
        return [f"x{j}" for j in range(n_columns)]
    found = [str(name) for name in names]
    if len(found) != n_columns:
        raise ValueError(
            f"names must have one entry for each of {n_columns} columns, got {len(found)}: {found}"
        )
    return found


def names_of(estimator: Any, names: Sequence[str] | None, n_columns: int) -> list[str]:
    """Return the names given, else those that the estimator saw in ``fit``."""
    seen = getattr(estimator, "feature_names_in_", None)
    return checked_names(seen if names is None else names, n_columns)


def chosen(columns: Sequence[str | int] | None, names: Sequence[str]) -> list[int]:
    """Return the places of ``columns``, names or numbers, among ``names``; of all if None.

    Raises
    ------
    ValueError
        If none are chosen, or one is not there.
    """
    if columns is None:
        return list(range(len(names)))
    if isinstance(columns, str) or not len(columns):
        raise ValueError(f"columns must be a list of names or numbers, got {columns!r}")
    return [_place(column, names) for column in columns]


def _place(column: str | int, names: Sequence[str]) -> int:
    if isinstance(column, Integral) and 0 <= column < len(names):
        return int(column)
    if column in names:
        return list(names).index(str(column))
    raise ValueError(f"columns must be among {list(names)}, got {column!r}")


def shortened(name: str, length: int) -> str:
    """Return ``name`` in at most ``length`` characters, start and end kept.

    Examples
    --------
    >>> shortened("departure_delay_minutes", 12)
    'departu…utes'
    """
    if len(name) <= length:
        return name
    end = (length - 1) // 3 + (length > 3)  # noqa: PLR2004  (a start alone says more)
    start = length - 1 - end
    return name[:start] + ELLIPSIS + name[len(name) - end :]
