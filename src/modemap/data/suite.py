"""The contract's file: which expectations the rows must meet, in a form that people edit.

::

    key: [id]                       # names a row in messages; may be left out
    expectations:
      - type: expect_column_values_to_be_between    # Great Expectations' own name
        kwargs: {column: age, min_value: 0}         # and its own arguments
        why: nobody is younger than nothing         # may be left out
        may_be_empty: true                          # else a rule that evaluated no row has failed
        over: batch                                 # or all: over the rows of all batches at once
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from modemap.errors import ParamsError

__all__ = ["Rule", "Suite", "read_suite", "unknown_name"]

SUITE_KEYS = ("key", "expectations")
RULE_KEYS = ("type", "kwargs", "why", "may_be_empty", "over")


@dataclass(frozen=True)
class Rule:
    """One entry of the suite."""

    place: str  # file and line
    type: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    may_be_empty: bool = False
    over: Literal["batch", "all"] = "batch"

    @property
    def columns(self) -> list[str]:
        """Return the columns that the rule speaks of."""
        named = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        listed = self.kwargs.get("column_list") or []
        return [str(name) for name in [*named, *listed] if name is not None]

    @property
    def condition_columns(self) -> list[str]:
        """Return the columns that decide which rows the rule speaks of."""
        return list(_condition_columns(self.kwargs.get("row_condition")))


@dataclass(frozen=True)
class Suite:
    """The whole contract."""

    path: Path
    key: tuple[str, ...]
    rules: tuple[Rule, ...]


def read_suite(path: Path) -> Suite:
    """Read the contract in ``path``.

    Raises
    ------
    ParamsError
        If the file is missing, is not YAML, holds no expectation, or has a key or value that says
        nothing here; the message names file and line, and the nearest valid key.
    """
    document = _load(path)
    _check_keys(path, document, SUITE_KEYS)
    entries = document.get("expectations")
    if not isinstance(entries, CommentedSeq) or not entries:
        raise ParamsError(
            path,
            "a contract must hold at least one expectation",
            found="none under `expectations:`",
            hint="add `- type: expect_table_row_count_to_be_between` and its kwargs",
        )
    key = _plain(document.get("key") or [])
    if not isinstance(key, list) or not all(isinstance(name, str) for name in key):
        raise _wrong(f"{path}:{_line(document, 'key')}: key", "must be a list of columns", key)
    rules = [_rule(path, entries.lc.item(i)[0] + 1, entry) for i, entry in enumerate(entries)]
    return Suite(path, tuple(key), tuple(rules))


def unknown_name(place: str, what: str, name: object, known: Iterable[str]) -> ParamsError:
    """Return the error for a name that is not among the ``known`` ones."""
    names = sorted(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.0)
    listed = f"; valid: {', '.join(names)}" if len(names) <= 12 else ""  # noqa: PLR2004
    return ParamsError(
        place, f"unknown {what}", found=name, hint=f"did you mean `{near[0]}`?{listed}"
    )


def _rule(path: Path, line: int, entry: Any) -> Rule:
    if not isinstance(entry, CommentedMap):
        raise _wrong(f"{path}:{line}", "an expectation must be a mapping with `type:`", entry)
    _check_keys(path, entry, RULE_KEYS)
    values = _plain(entry)
    checks: list[tuple[str, bool, str]] = [
        ("type", isinstance(values.get("type"), str), "must name an expectation"),
        ("kwargs", isinstance(values.get("kwargs", {}), dict), "must be a mapping"),
        ("why", isinstance(values.get("why", ""), str), "must be text"),
        ("may_be_empty", isinstance(values.get("may_be_empty", False), bool), "must be a boolean"),
        ("over", values.get("over", "batch") in ("batch", "all"), "must be `batch` or `all`"),
    ]
    for key, holds, rule in checks:
        if not holds:
            place = f"{path}:{_line(entry, key) or line}: {key}"
            raise _wrong(place, rule, values.get(key))
    return Rule(place=f"{path}:{line}", **values)


def _load(path: Path) -> CommentedMap:
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(
            path,
            "the contract must be a readable file",
            found=error.strerror,
            hint="check validate.suite in params.yaml",
        ) from None
    except UnicodeDecodeError as error:
        raise ParamsError(
            path, "must be UTF-8 text", found=error.reason, hint="save the file as UTF-8"
        ) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ParamsError(
            f"{path}:{line}", "must be YAML", found=error.problem, hint="mend the line"
        ) from None
    except YAMLError as error:
        found = str(error).splitlines()[0]
        raise ParamsError(path, "must be YAML", found=found, hint="take it out") from None
    if not isinstance(document, CommentedMap):
        found = "an empty file" if document is None else type(document).__name__
        raise ParamsError(
            path,
            "must be a mapping with `expectations:`",
            found=found,
            hint=f"valid keys: {', '.join(SUITE_KEYS)}",
        )
    return document


def _check_keys(path: Path, mapping: CommentedMap, known: tuple[str, ...]) -> None:
    for key in mapping:
        if key not in known:
            raise unknown_name(f"{path}:{_line(mapping, key)}: {key}", "key", key, known)


def _line(mapping: CommentedMap, key: str) -> int | None:
    return int(mapping.lc.key(key)[0]) + 1 if key in mapping else None


def _wrong(place: str, rule: str, found: object) -> ParamsError:
    return ParamsError(place, rule, found=repr(_plain(found)), hint="change it and run again")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, ScalarFloat):
        return float(value)
    return int(value) if isinstance(value, ScalarInt) else value


def _condition_columns(condition: Any) -> Iterable[str]:
    if isinstance(condition, Mapping):
        column = condition.get("column")
        if isinstance(column, Mapping):
            yield str(column.get("name"))
        for part in condition.get("conditions") or ():
            yield from _condition_columns(part)
