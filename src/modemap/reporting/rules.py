"""Rules of the data contract as people say them."""

from collections.abc import Mapping, Sequence
from typing import Any

from modemap.reporting.story import Judged, RuleStory
from modemap.reporting.words import count, number, percent, short

__all__ = ["extent", "listed", "plain", "sentence"]

SUBJECTS = ("column values ", "column pair values ", "column ", "table ")
LIMITS = ("min_value", "max_value")
ASIDE = ("mostly", "row_condition", "condition_parser", "ignore_row_if", "column_A", "column_B")


def sentence(rule: RuleStory) -> str:
    """Return what the rule expects: ``to be between 0 and 23, for at least 90 %``."""
    values = dict(rule.arguments)
    said = rule.type.removeprefix("expect_").replace("_", " ")
    for subject in SUBJECTS:
        said = said.removeprefix(subject)
    limits = [values.pop(name, None) for name in LIMITS]
    mostly, condition = values.get("mostly"), values.get("row_condition")
    rest = {name: value for name, value in values.items() if name not in ASIDE}
    said += _between(*limits)
    if len(rest) == 1:
        said += f" {plain(next(iter(rest.values())))}"
    elif rest:
        said += f" ({listed(rest)})"
    if isinstance(condition, Mapping):
        said += f", {_where(condition)}"
    return said + (f", for at least {percent(mostly)}" if isinstance(mostly, float) else "")


def extent(result: Judged) -> str:
    """Return how a rule was broken."""
    if result.failure != "broken":
        return str(result.failure)
    if result.unexpected is None:
        return f"observed {short(plain(result.observed))}"
    share = result.unexpected / result.evaluated if result.evaluated else 0.0
    values = count(result.evaluated, "value")
    return f"{result.unexpected:,} of {values} ({percent(share)})"


def listed(values: Mapping[str, Any]) -> str:
    """Return names and values on one line."""
    return ", ".join(f"{name} {plain(value)}" for name, value in values.items())


def _between(low: Any, high: Any) -> str:
    if low is not None and high is not None:
        return f" {_limit(low)} and {_limit(high)}"
    if low is not None:
        return f" {_limit(low)} and more"
    return "" if high is None else f" {_limit(high)} and less"


def _limit(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else plain(value)


def _where(condition: Mapping[str, Any]) -> str:
    column = condition.get("column")
    name = plain(column.get("name") if isinstance(column, Mapping) else column)
    if condition.get("type") == "nullity":
        return f"where {name} is {'missing' if condition.get('is_null') else 'there'}"
    if condition.get("type") == "comparison":
        return f"where {name} {condition.get('operator')} {plain(condition.get('parameter'))}"
    return f"where {listed(condition)}"


def plain(value: Any) -> str:
    """Return a value of JSON without its brackets."""
    if isinstance(value, Mapping):
        return f"({listed(value)})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(plain, value))
    return str(value)
