"""What becomes of each column of a table, and why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modemap.data.derived import lists_truths
from modemap.data.profile import ColumnProfile, Profile
from modemap.errors import DataError, ParamsError

__all__ = ["BOTH", "Decision", "Decisions", "decide"]

MIN_ROWS = 50  # fewer cannot be split into three parts
MIN_TO_TELL = 20  # rows from which on distinct values name a row
MAX_MISSING = 0.5  # share beyond which a column says too little
MAX_DROPPED = 0.05  # share of rows that may be left out for a missing value
ALMOST_ALL = 0.98  # share of one value from which on a column is as good as constant
RARE = 0.01  # share below which a level is pooled with others
MAX_LEVELS = 30
MIN_COVERED = 0.5  # share of rows that the listed levels must cover
MANY_WORDS = 3.0  # spaces in a text, in the mean
DAYS = {"weekday": 14, "season": 365}  # that the times must span
MIXED = 0.8  # share of numbers from which on a text column is a broken one of numbers

BOTH, MAP, OUT = "map and mixture", "map", "left out"
NAMED_ID = re.compile(r"(^|[_\W])(id|uuid|guid|index|rowid|rownum)($|[_\W])|[a-z]I[dD]$", re.ASCII)


@dataclass(frozen=True)
class Decision:
    """What a column is taken for, what uses it, and why."""

    column: ColumnProfile
    kind: str
    use: str
    why: str
    levels: tuple[str, ...] = ()  # of a category
    parts: tuple[str, ...] = ()  # of a time

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name


@dataclass(frozen=True)
class Decisions:
    """The decisions on all columns, in the columns' order."""

    all: tuple[Decision, ...]
    key: tuple[str, ...]
    label: str | None
    numbers: Mapping[str, str] = field(default_factory=dict)  # column -> policy for missing values

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The listed levels of each category."""
        return {d.name: d.levels for d in self.all if d.use == MAP and d.levels}

    @property
    def times(self) -> dict[str, tuple[str, ...]]:
        """The parts of each time that the map sees."""
        return {d.name: d.parts for d in self.all if d.use == MAP and d.parts}


def decide(
    source: str, found: Profile, key: Sequence[str], time: str | None, label: str | None
) -> Decisions:
    """Return what becomes of each column.

    Raises
    ------
    DataError
        If the rows are too few, a column is damaged, or no column is left for a mixture.
    ParamsError
        If ``key``, ``time`` or ``label`` is none of the columns, or of no use as such.
    """
    _check_arguments(source, found, key, time, label)
    if found.rows < MIN_ROWS:
        rule, hint = f"must hold at least {MIN_ROWS} rows to learn from", "name a larger table"
        raise DataError(source, rule, found=f"{found.rows}", hint=hint)
    named = dict.fromkeys(key, "names a row, as asked") if key else _suggested_key(found)
    time = time or next((column.name for column in found.columns if column.kind == "time"), None)
    decisions = []
    for column in found.columns:
        if column.name == label:
            why = "judges what the models find; nothing learns from it"
            decisions.append(Decision(column, "label", "evaluation", why))
        elif column.name in named:
            decisions.append(Decision(column, "identifier", "key", named[column.name]))
        else:
            _check_one_type(source, column)
            decisions.append(_decision(column, is_time=column.name == time))
    numbers = [d.column for d in decisions if d.use == BOTH]
    if not numbers:
        raise DataError(
            source,
            "must have a column of numbers that vary",
            found="; ".join(f"{d.name!r}: {d.kind}, {d.why}" for d in decisions[:10]),
            hint=_mending(decisions),
        )
    return Decisions(tuple(decisions), tuple(named), label, _policies(numbers))


def _mending(decisions: Sequence[Decision]) -> str:
    """Return how a column that is none of numbers becomes one."""
    if any(_is_decimal_comma(d.column) for d in decisions):
        return "write numbers with a point, 12.34, and no separator of thousands"
    if any(d.column.too_large for d in decisions):
        return "mend the values that are infinite or too large, or leave their cells empty"
    return "add a measured column; a mixture is of numbers"


def _decision(column: ColumnProfile, *, is_time: bool) -> Decision:
    if column.present == 0:
        return Decision(column, "empty", OUT, "has no value")
    if column.missing_share > MAX_MISSING:
        why = f"missing in {column.missing_share:.0%} of the rows"
        return Decision(column, column.kind, OUT, why)
    if column.kind in ("number", "integer"):
        return _number(column)
    if column.kind in ("boolean", "text"):
        return _mistaken(column) or _category(column)
    if column.kind == "time":
        return _time(column, is_time=is_time)
    why = f"no model takes {column.type}; derive numbers from it in the source"
    return Decision(column, column.kind, OUT, why)


def _number(column: ColumnProfile) -> Decision:
    kind = "integer" if column.kind == "integer" else "continuous"
    if unusable := _unusable(column, kind):
        return unusable
    if column.distinct == 2 and column.kind == "integer":  # noqa: PLR2004
        first, second = sorted(column.levels, key=int)
        levels = (first, second) if column.missing_share else (second,)
        why = "two values, so it indicates; a density of two points is none"
        return Decision(column, "boolean", MAP, why, levels=levels)
    count = "more than 65,536" if column.distinct is None else f"{column.distinct:,}"
    return Decision(column, kind, BOTH, f"{count} values from {column.low:g} to {column.high:g}")


def _unusable(column: ColumnProfile, kind: str) -> Decision | None:
    """Return the decision to leave a column of numbers out, if there is a reason."""
    top, share = _commonest(column)
    found = None
    if column.too_large:
        n = column.too_large
        what = f"{n:,} values that are" if n > 1 else "1 value that is"
        where = f"in row {column.first_too_large}, counted from 0"
        why = f"holds {what} infinite or beyond what models take, {'the first ' * (n > 1)}{where}"
        found = kind, why
    elif column.distinct == 1:
        found = "constant", f"always {top}"
    elif _is_counter(column):
        found = "identifier", "numbers the rows and measures nothing"
    elif column.kind == "integer" and NAMED_ID.search(column.name):
        found = "identifier", "named like an identifier"
    elif share > ALMOST_ALL:
        found = "nearly constant", f"{top} in {share:.1%} of the rows"
    return Decision(column, found[0], OUT, found[1]) if found else None


def _is_decimal_comma(column: ColumnProfile) -> bool:
    found = column.commas + column.numbers
    return column.commas > 0 and found >= MIXED * column.present


def _mistaken(column: ColumnProfile) -> Decision | None:
    """Return the decision to leave out a column of texts that were meant to be something else."""
    if _is_decimal_comma(column):
        why = "looks like numbers with a decimal comma; write them with a point"
        return Decision(column, "text", OUT, why)
    if column.dates > 0 and column.dates >= MIXED * column.present:
        why = "looks like dates; write them as ISO 8601, 2024-01-31"
        return Decision(column, "text", OUT, why)
    return None


def _category(column: ColumnProfile) -> Decision:
    is_boolean = column.kind == "boolean"
    kind = "boolean" if is_boolean else "category"
    if column.distinct == 1:
        return Decision(column, "constant", OUT, f"always {next(iter(column.levels))!r}")
    is_many = column.distinct is None or column.distinct > column.present / 2
    if not is_boolean and is_many and column.present >= MIN_TO_TELL:
        if column.words >= MANY_WORDS:
            return Decision(column, "free text", OUT, "sentences, not levels")
        return Decision(column, "identifier", OUT, "hardly a value occurs twice")
    top, share = _commonest(column)
    if share > ALMOST_ALL:
        return Decision(column, "nearly constant", OUT, f"{top!r} in {share:.1%} of the rows")
    levels = [text for text, count in column.levels.items() if count >= RARE * column.rows]
    truths = ["false", "true"] if column.missing_share else ["true"]  # what is missing is neither
    levels = truths if is_boolean else levels[:MAX_LEVELS]
    others = [text for text in column.levels if not lists_truths([text])]
    if not is_boolean and others and lists_truths(levels):
        levels = [*levels[: MAX_LEVELS - 1], others[0]]  # so that it is no boolean
    covered = sum(column.levels.get(level, 0) for level in levels) / column.present
    if covered < MIN_COVERED and not is_boolean:
        why = (
            f"{column.distinct:,} levels, of which the common ones cover {covered:.0%} of the rows"
        )
        return Decision(column, "category", OUT, why)
    return Decision(column, kind, MAP, _levels_said(column, levels), levels=tuple(levels))


def _levels_said(column: ColumnProfile, levels: Sequence[str]) -> str:
    if column.kind == "boolean":
        return "yes or no; a density of two points is none"
    pooled = len(column.levels) - len(levels)
    rest = f", {pooled} rare ones pooled" if pooled else ""
    return f"{len(levels)} level{'s' * (len(levels) != 1)}{rest}; a mixture is of numbers"


def _time(column: ColumnProfile, *, is_time: bool) -> Decision:
    if not is_time:
        why = "another column is the time; list parts of this one under prepare.times"
        return Decision(column, "time", OUT, why)
    parts = [part for part in ("hour", "weekday", "season") if _varies(column, part)]
    if not parts:
        return Decision(column, "time", OUT, "spans too little for hours, weekdays or seasons")
    return Decision(column, "time", MAP, f"its {', '.join(parts)} go round", parts=tuple(parts))


def _varies(column: ColumnProfile, part: str) -> bool:
    days = (column.times[1] - column.times[0]).days if column.times else 0
    return column.parts.get(part, 0) > 1 and days >= DAYS.get(part, 0)


def _commonest(column: ColumnProfile) -> tuple[str, float]:
    text, count = next(iter(column.levels.items()), ("", 0))
    return text, count / column.present


def _is_counter(column: ColumnProfile) -> bool:
    if not column.is_unique or column.rows < MIN_TO_TELL or column.low is None:
        return False
    is_named = bool(NAMED_ID.search(column.name))
    return is_named or (column.high or 0) - column.low == column.rows - 1


def _suggested_key(found: Profile) -> dict[str, str]:
    unique = [column for column in found.columns if column.is_unique]
    counters = [column for column in unique if column.kind == "integer" and _is_counter(column)]
    texts = [c for c in unique if c.kind == "text" and c.words < MANY_WORDS and not _mistaken(c)]
    for column in [*counters, *texts][: found.rows >= MIN_TO_TELL]:
        return {column.name: "names a row: no value is missing or occurs twice"}
    return {}


def _policies(numbers: Sequence[ColumnProfile]) -> dict[str, str]:
    """Return what becomes of missing values: rows are left out while few lack something."""
    is_rare = sum(column.missing_share for column in numbers) <= MAX_DROPPED
    policy = "drop" if is_rare else "median"
    return {column.name: policy if column.missing else "error" for column in numbers}


def _check_one_type(source: str, column: ColumnProfile) -> None:
    is_mixed = MIXED * column.present <= column.numbers < column.present
    if column.kind == "text" and is_mixed and not _is_decimal_comma(column):
        others = column.present - column.numbers
        raise DataError(
            f"{source}: column {column.name!r}",
            "must hold values of one type",
            found=f"{column.numbers} numbers and {others} others, first {column.first_text!r}",
            hint="mend the values, or leave cells without a number empty",
        )


def _check_arguments(
    source: str, found: Profile, key: Sequence[str], time: str | None, label: str | None
) -> None:
    columns = {column.name: column for column in found.columns}
    asked = [("--key", name) for name in key]
    asked += [(what, name) for what, name in (("--time", time), ("--label", label)) if name]
    for option, name in asked:
        if name not in columns:
            known = ", ".join(list(columns)[:20])
            rule, hint = f"must be a column of {source}", f"choose among {known}"
            raise ParamsError(option, rule, found=name, hint=hint)
    names = [name for _, name in asked]
    for option, name in asked:
        if names.count(name) > 1 and option == "--label":
            hint = "name another column, or leave one out"
            raise ParamsError(option, "must be no other option's column", found=name, hint=hint)
    if time is not None and columns[time].kind != "time":
        rule, hint = "must hold times", "write them as ISO 8601, or leave --time out"
        raise ParamsError(f"--time {time}", rule, found=columns[time].type, hint=hint)
    if len(key) == 1 and columns[key[0]].is_unique is False:
        rule, hint = "must name each row once", "name more columns by --key, or none"
        raise ParamsError(f"--key {key[0]}", rule, found="values that repeat or lack", hint=hint)
