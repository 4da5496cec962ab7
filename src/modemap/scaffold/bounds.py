"""The data contract that a profile suggests: bounds widened, each with its reason."""

import math
from collections.abc import Iterator
from typing import Any

from modemap.data.profile import ColumnProfile, Profile
from modemap.scaffold.decisions import Decisions

__all__ = ["rules"]

Rule = dict[str, Any]

MAX_SET = 50  # levels that are listed one by one
ROOM = 1.0  # of a range, on each side: times its width
KNOWN_SHARE = 0.95  # of a category's values that must be known levels

_TYPES = {  # as Great Expectations calls what Arrow's types become
    "bool": "bool",
    "double": "float64",
    "float": "float32",
    "string": "str",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def rules(found: Profile, decisions: Decisions) -> list[tuple[str, list[Rule]]]:
    """Return the rules under their headings, each rule with type, kwargs and why."""
    columns = {column.name: column for column in found.columns}
    used = [decision for decision in decisions.all if decision.use != "left out"]
    sections = [
        ("rows and columns", [*_table(found), *_key(decisions)]),
        ("types", [rule for d in decisions.all for rule in _type(d.column)]),
        ("values that may be missing", [rule for d in used for rule in _missing(d.column)]),
        ("ranges", [rule for name in decisions.numbers for rule in _range(columns[name])]),
        ("levels", [rule for name in decisions.categories for rule in _levels(columns[name])]),
    ]
    return [(heading, listed) for heading, listed in sections if listed]


def _table(found: Profile) -> Iterator[Rule]:
    least = min(found.parts.values())
    kind = "file" if len(found.parts) == 1 else "smallest file"
    yield _rule(
        "table_row_count_to_be_between",
        {"min_value": max(least // 2, 1)},
        f"the {kind} had {least:,} rows; less than half of that is a broken export",
    )
    yield _rule(
        "table_columns_to_match_set",
        {"column_set": [column.name for column in found.columns], "exact_match": True},
        "a column that went or came means that the export changed",
    )


def _key(decisions: Decisions) -> Iterator[Rule]:
    key = list(decisions.key)
    why = "a row that came twice would count twice"
    if len(key) == 1:
        yield _rule("column_values_to_be_unique", {"column": key[0]}, why) | {"over": "all"}
    elif key:
        yield _rule("compound_columns_to_be_unique", {"column_list": key}, why) | {"over": "all"}


def _type(column: ColumnProfile) -> Iterator[Rule]:
    name = _TYPES.get(column.type)
    if column.kind == "time":
        name = "Timestamp" if "tz=" in column.type else "datetime64"
    if name is not None and column.present:
        why = f"{column.type} in the source"
        yield _rule("column_values_to_be_of_type", {"column": column.name, "type_": name}, why)


def _missing(column: ColumnProfile) -> Iterator[Rule]:
    kwargs: dict[str, Any] = {"column": column.name}
    if column.missing == 0:
        why = f"none was missing in {column.rows:,} rows"
    else:
        allowed = min(2 * column.missing_share + 0.02, 0.99)
        kwargs["mostly"] = math.floor(100 * (1 - allowed)) / 100
        why = f"{column.missing_share:.2%} were missing; twice that and a little more may be"
    yield _rule("column_values_to_not_be_null", kwargs, why)


def _range(column: ColumnProfile) -> Iterator[Rule]:
    if column.low is None or column.high is None:
        return
    room = ROOM * (column.high - column.low)
    low, high = column.low - (room or 1.0), column.high + (room or 1.0)
    step = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    low, high = _rounded(math.floor(low / step), step), _rounded(math.ceil(high / step), step)
    why = f"seen were {column.low:g} to {column.high:g}; as much room again on each side"
    if column.low >= 0 > low:
        low, why = 0.0, f"seen were {column.low:g} to {column.high:g}, never below 0"
    is_whole = column.kind == "integer"
    ends = {
        "min_value": int(low) if is_whole else low,
        "max_value": int(high) if is_whole else high,
    }
    yield _rule("column_values_to_be_between", {"column": column.name, **ends}, why)


def _rounded(steps: int, step: float) -> float:
    return float(f"{steps * step:.12g}")


def _levels(column: ColumnProfile) -> Iterator[Rule]:
    if column.kind != "text" or len(column.levels) > MAX_SET:
        return
    yield _rule(
        "column_values_to_be_in_set",
        {"column": column.name, "value_set": sorted(column.levels), "mostly": KNOWN_SHARE},
        "a few new levels are pooled with the rare ones; many mean that the codes changed",
    )


def _rule(name: str, kwargs: dict[str, Any], why: str) -> Rule:
    return {"type": f"expect_{name}", "kwargs": kwargs, "why": why}
