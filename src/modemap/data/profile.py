"""What a source holds, column by column, learned in one pass over its pieces."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.derived import PARTS
from modemap.data.split import row_hashes
from modemap.estimators.checks import LARGEST
from modemap.sketch import ColumnSketch

__all__ = ["ColumnProfile", "Profile", "profile"]

MAX_LEVELS = 10_000  # distinct texts that are counted one by one
MAX_UNIQUE = 1 << 25  # rows among which repeated values are looked for
NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
DECIMAL_COMMA = r"^\s*[-+]?\d[\d.]*,\d+\s*$"
DAY_FIRST = r"^\s*\d{1,2}([./-])\d{1,2}[./-](\d{2}|\d{4})([ T]+\d{1,2}:\d{2}.*)?\s*$"  # or month
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds; a number is None where the column's kind has no such thing."""

    name: str
    type: str  # Arrow's
    kind: str  # number, integer, boolean, text, time or other
    rows: int
    missing: int
    distinct: int | None  # None: more than can be counted
    is_unique: bool | None  # None: more rows than can be compared
    low: float | None = None
    high: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)  # the commonest first, if countable
    too_large: int = 0  # infinite values, and those that no model takes
    first_too_large: int | None = None  # the row of the first of them, from 0
    words: float = 0.0  # spaces in a text, in the mean
    numbers: int = 0  # texts that are numbers
    first_text: str | None = None  # the first that is none
    commas: int = 0  # texts that are numbers with a decimal comma
    dates: int = 0  # texts that are dates with the year at the end
    parts: Mapping[str, int] = field(default_factory=dict)  # of a time: how many values each has
    times: tuple[datetime, datetime] | None = None

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """Share of rows without a value."""
        return self.missing / self.rows


@dataclass(frozen=True)
class Profile:
    """The source's parts with their rows, and its columns in their order."""

    parts: Mapping[str, int]
    columns: tuple[ColumnProfile, ...]

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(self.parts.values())


def profile(pieces: Iterable[tuple[str, pa.Table]]) -> Profile:
    """Return the profile of all pieces, each with the name of its part."""
    parts: Counter[str] = Counter()
    columns: dict[str, _Column] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part, table in pieces:
            parts[part] += table.num_rows
            for name in table.column_names:
                columns.setdefault(name, _new_column(name, table[name].type))
            looking = [
                pool.submit(columns[name].add, table[name].combine_chunks())
                for name in table.column_names
            ]
            for look in looking:
                look.result()
    return Profile(dict(parts), tuple(column.profile() for column in columns.values()))


class _Column:
    """Counts rows, missing values and repeated ones; its subclasses look at the values."""

    kind = "other"

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        self.name, self.type = name, arrow_type
        self.rows = self.missing = 0
        self.hashes: list[NDArray[np.uint64]] | None = []  # None: not unique, or not to be known
        self.is_unique: bool | None = None

    def add(self, values: pa.Array) -> None:
        self.rows += len(values)
        self.missing += values.null_count
        if self.hashes is not None:
            self._look_for_repeated(values)
        self.look(values)

    def look(self, values: pa.Array) -> None:
        """Take the values of one piece."""

    def found(self) -> dict[str, Any]:
        """Return the fields of the profile that the kind has."""
        return {"distinct": None}

    def profile(self) -> ColumnProfile:
        return ColumnProfile(
            name=self.name,
            type=str(self.type),
            kind=self.kind,
            rows=self.rows,
            missing=self.missing,
            is_unique=self._unique(),
            **self.found(),
        )

    def _look_for_repeated(self, values: pa.Array) -> None:
        if not self.can_be_key() or values.null_count or len(pc.unique(values)) < len(values):
            self.hashes, self.is_unique = None, False
        elif self.rows > MAX_UNIQUE:
            self.hashes, self.is_unique = None, None
        elif self.hashes is not None:
            self.hashes.append(row_hashes(pa.table({"value": values}), ["value"]))

    def can_be_key(self) -> bool:
        """Whether a row may be known by such a value."""
        return False

    def _unique(self) -> bool | None:
        if self.hashes is None:
            return self.is_unique
        hashes = np.concatenate([*self.hashes, np.empty(0, np.uint64)])
        hashes.sort()
        return len(hashes) > 0 and bool((hashes[1:] != hashes[:-1]).all())


class _Number(_Column):
    kind = "number"

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        super().__init__(name, arrow_type)
        self.sketch, self.too_large = ColumnSketch(), 0
        self.first_too_large: int | None = None

    def look(self, values: pa.Array) -> None:
        numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        is_too_large = np.abs(numbers) > LARGEST
        if is_too_large.any():
            if self.first_too_large is None:
                self.first_too_large = self.rows - len(values) + int(is_too_large.argmax())
            self.too_large += int(is_too_large.sum())
            numbers = np.where(is_too_large, np.nan, numbers)
        self.sketch.update(numbers)

    def found(self) -> dict[str, Any]:
        sketch = self.sketch
        if not sketch.n:
            return {"distinct": 0, **self._too_large()}
        values, counts = sketch.values_and_counts()
        n_levels = MAX_LEVELS if sketch.is_exact else 0
        order = np.argsort(-counts, kind="stable")[:n_levels]
        return {
            "distinct": len(values) if sketch.is_exact else None,
            "low": sketch.min,
            "high": sketch.max,
            "quantiles": dict(zip(QUANTILES, sketch.quantiles(QUANTILES).tolist(), strict=True)),
            "levels": {_number_text(values[i]): int(counts[i]) for i in order},
            **self._too_large(),
        }

    def _too_large(self) -> dict[str, Any]:
        return {"too_large": self.too_large, "first_too_large": self.first_too_large}


class _Integer(_Number):
    kind = "integer"

    def can_be_key(self) -> bool:
        return True


class _Boolean(_Column):
    kind = "boolean"

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        super().__init__(name, arrow_type)
        self.true = 0

    def look(self, values: pa.Array) -> None:
        self.true += pc.sum(values).as_py() or 0

    def found(self) -> dict[str, Any]:
        counts = {"true": self.true, "false": self.rows - self.missing - self.true}
        levels = {level: count for level, count in counts.items() if count}
        return {"distinct": len(levels), "levels": levels}


class _Text(_Column):
    kind = "text"

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        super().__init__(name, arrow_type)
        self.counts: Counter[str] | None = Counter()
        self.words = self.numbers = self.commas = self.dates = 0
        self.first_text: str | None = None

    def can_be_key(self) -> bool:
        return True

    def look(self, values: pa.Array) -> None:
        counted = values.drop_null().value_counts()
        texts, counts = counted.field("values"), counted.field("counts")
        spaces = pc.multiply(pc.count_substring(texts, " "), counts)
        self.words += pc.sum(spaces).as_py() or 0
        is_number = pc.match_substring_regex(texts, NUMBER)
        self.numbers += _sum_where(is_number, counts)
        self.commas += _sum_where(pc.match_substring_regex(texts, DECIMAL_COMMA), counts)
        self.dates += _sum_where(pc.match_substring_regex(texts, DAY_FIRST), counts)
        if self.first_text is None:
            others = texts.filter(pc.invert(is_number))
            self.first_text = others[0].as_py() if len(others) else None
        if self.counts is not None:
            self.counts.update(dict(zip(texts.to_pylist(), counts.to_pylist(), strict=True)))
            if len(self.counts) > MAX_LEVELS:
                self.counts = None

    def found(self) -> dict[str, Any]:
        levels = [] if self.counts is None else sorted(self.counts.items(), key=_commonest)
        return {
            "distinct": None if self.counts is None else len(levels),
            "levels": dict(levels),
            "words": self.words / max(self.rows - self.missing, 1),
            "numbers": self.numbers,
            "first_text": self.first_text,
            "commas": self.commas,
            "dates": self.dates,
        }


class _Time(_Column):
    kind = "time"

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        super().__init__(name, arrow_type)
        self.parts: dict[str, set[int]] = {part: set() for part in PARTS}
        self.ends: list[datetime] = []

    def can_be_key(self) -> bool:
        return True

    def look(self, values: pa.Array) -> None:
        stamps = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)), safe=False)
        reads = {"hour": pc.hour, "weekday": pc.day_of_week, "season": pc.month}
        for part, read in reads.items():
            self.parts[part].update(pc.unique(read(stamps).drop_null()).to_pylist())
        self.ends += [end for end in pc.min_max(stamps).as_py().values() if end is not None]

    def found(self) -> dict[str, Any]:
        times = (min(self.ends), max(self.ends)) if self.ends else None
        parts = {part: len(values) for part, values in self.parts.items()}
        return {"distinct": None, "parts": parts, "times": times}


def _new_column(name: str, kind: pa.DataType) -> _Column:
    makers: list[tuple[Any, type[_Column]]] = [
        (pa.types.is_integer, _Integer),
        (pa.types.is_floating, _Number),
        (pa.types.is_decimal, _Number),
        (pa.types.is_boolean, _Boolean),
        (pa.types.is_string, _Text),
        (pa.types.is_timestamp, _Time),
        (pa.types.is_date, _Time),
    ]
    found = next((maker for is_kind, maker in makers if is_kind(kind)), _Column)
    return found(name, kind)


def _sum_where(is_it: pa.Array, counts: pa.Array) -> int:
    return int(pc.sum(pc.if_else(is_it, counts, 0)).as_py() or 0)


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _commonest(level: tuple[str, int]) -> tuple[int, str]:
    text, count = level
    return -count, text
