"""Columns that only a map sees, made from categories and time stamps.

A category becomes an indicator for each level that is listed, 1 where a row has the level and 0
elsewhere; rows of all other levels, and those without a value, have none and so lie together. A
part of a time goes round: it becomes the sine and cosine of its angle, both 0 where it is missing.
Of a time with a zone, parts are those of the zone's clocks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.errors import DataError

__all__ = [
    "PARTS",
    "derive",
    "derived_names",
    "level_texts",
    "listed_texts",
    "lists_truths",
    "zone_of",
]

FloatArray = NDArray[np.float64]
Categories = Mapping[str, Sequence[str]]
Times = Mapping[str, Sequence[str]]

TRUE, FALSE = ("true", "1"), ("false", "0")  # in any case
PARTS = {"hour": 24.0, "weekday": 7.0, "season": 366.0}  # and what goes round once


def derived_names(categories: Categories, times: Times) -> dict[str, str | None]:
    """Return the names of the derived columns, each with its category, None for parts of times."""
    names: dict[str, str | None] = {
        f"{name} = {level}": name for name, levels in categories.items() for level in levels
    }
    for name, parts in times.items():
        for part in parts:
            names |= dict.fromkeys((f"{name} {part} sin", f"{name} {part} cos"))
    return names


def derive(table: pa.Table, categories: Categories, times: Times) -> dict[str, FloatArray]:
    """Return the derived columns of ``table`` by name, in the order of :func:`derived_names`.

    A manifest does not keep that order: who reads one takes the columns by name.

    Raises
    ------
    DataError
        If a column of ``times`` holds no times, or one of true and false other values.
    """
    columns = []
    for name, levels in categories.items():
        texts = listed_texts(name, table[name], levels)
        for level in levels:
            has = pc.fill_null(pc.equal(texts, level), fill_value=False)
            columns.append(has.to_numpy().astype(np.float64))
    for name, parts in times.items():
        for part in parts:
            angle = _angle(name, table[name], part)
            columns += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
    return dict(zip(derived_names(categories, times), columns, strict=True))


def level_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values of a category as texts, a whole number without a fraction."""
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        whole = pc.all(pc.equal(values, pc.floor(values))).as_py()
        values = values.cast(pa.int64()) if whole else values
    return values.cast(pa.string())


def listed_texts(name: str, values: pa.ChunkedArray, listed: Sequence[str]) -> pa.ChunkedArray:
    """Return the values of category ``name`` as texts; true and false as ``listed`` spells them.

    Booleans, 0 and 1, and their names in any case are the same where the levels that are listed are
    true or false, or 0 or 1. The former has no other levels.

    Raises
    ------
    DataError
        If the listed levels are true or false and another value is found.
    """
    texts = level_texts(values)
    spelled = _truths(listed)
    if spelled is None:
        return texts
    yes, no = spelled
    lower = pc.utf8_lower(texts)
    is_yes, is_no = (pc.is_in(lower, pa.array(names)) for names in (TRUE, FALSE))
    if lists_truths(listed):
        _check_truths(name, texts.filter(pc.invert(pc.or_(is_yes, is_no))).drop_null())
    return pc.if_else(is_yes, yes, pc.if_else(is_no, no, texts))


def lists_truths(listed: Sequence[str]) -> bool:
    """Tell whether ``listed`` levels are true and false by name, or one of them."""
    return bool(listed) and {level.lower() for level in listed} <= {TRUE[0], FALSE[0]}


def _truths(listed: Sequence[str]) -> tuple[str, str] | None:
    """Return how ``listed`` levels spell true and false; None if they are other levels."""
    lower = {level.lower(): level for level in listed}
    for yes, no in zip(TRUE, FALSE, strict=True):
        if lower and lower.keys() <= {yes, no}:
            return lower.get(yes, yes), lower.get(no, no)
    return None


def _check_truths(name: str, others: pa.ChunkedArray) -> None:
    if len(others):
        raise DataError(
            f"column `{name}`",
            "must hold true or false, as its levels",
            found=repr(others[0].as_py())[:80],
            hint="write true or false; what is another level, list under prepare.categories",
        )


def zone_of(kind: pa.DataType) -> str | None:
    """Return the zone of a type of times, None where it has none."""
    return str(kind.tz) if pa.types.is_timestamp(kind) and kind.tz is not None else None


def _angle(name: str, values: pa.ChunkedArray, part: str) -> FloatArray:
    kind = values.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise DataError(
            f"column `{name}`",
            "a column in prepare.times must hold times",
            found=str(kind),
            hint="take it out of prepare.times",
        )
    if part == "hour" and pa.types.is_date(kind):
        values = values.cast(pa.timestamp("s"))
    if part == "hour":
        minutes = pc.add(pc.multiply(pc.hour(values), 60), pc.minute(values))
        turn = pc.divide(minutes.cast(pa.float64()), 60.0)
    else:
        turn = pc.day_of_week(values) if part == "weekday" else pc.day_of_year(values)
    numbers = pc.fill_null(turn.cast(pa.float64()), np.nan).to_numpy()
    return np.asarray(2 * np.pi * numbers / PARTS[part])
