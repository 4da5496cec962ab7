"""What one pass over a batch tells of it, small enough for Great Expectations to judge.

A rule about single values holds for all of a column if it holds for its witnesses: any value for a
rule about types, the least and the greatest for one about a range, the distinct ones for one about
levels or texts. Missing values, and pairs of columns, are counted.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from modemap.data.suite import Rule

__all__ = ["TO_BE_NULL", "Aggregates", "Count", "Question", "questions"]

MAX_DISTINCT = 10_000  # values that are looked at one by one
TO_BE_NULL = "expect_column_values_to_be_null"
NULLS = ("expect_column_values_to_not_be_null", TO_BE_NULL)
PAIRS = "expect_column_pair_values_a_to_be_greater_than_b"
BETWEEN = "expect_column_values_to_be_between"
OF_TYPE = "expect_column_values_to_be_of_type"
BY_VALUE = (
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_not_be_in_set",
    "expect_column_values_to_match_",
    "expect_column_values_to_not_match_",
    "expect_column_value_lengths_",
)
OF_SCHEMA = ("expect_table_column", "expect_column_to_exist")
ROW_COUNT = "expect_table_row_count_to_be_between"


@dataclass(frozen=True)
class Question:
    """What has to be known of the rows to judge a rule without them."""

    kind: str  # nulls, pairs, schema, rows, or of witnesses: type, range, values
    columns: tuple[str, ...] = ()
    condition: tuple[str, bool] | None = None  # a column and whether it is to be missing

    @property
    def is_of_witnesses(self) -> bool:
        """Whether the rule itself is judged, over witnesses."""
        return self.kind in {"type", "range", "values", "schema"}

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Return the columns that must be there for an answer."""
        return self.columns if self.condition is None else (*self.columns, self.condition[0])

    @property
    def name(self) -> str:
        """Return a text that differs from that of other questions."""
        return json.dumps([self.kind, self.columns, self.condition])


@dataclass(frozen=True)
class Count:
    """How many values a rule had to judge, and how many of them it refuses."""

    evaluated: int
    unexpected: int

    @property
    def met_share(self) -> float:
        """Return the share of values that the rule accepts."""
        return (self.evaluated - self.unexpected) / self.evaluated


Answer = Any  # a Count, or an array of witnesses


def questions(rules: Sequence[Rule]) -> list[Question | None]:
    """Return what each rule asks, None for those that only the rows can answer."""
    return [_question(rule) for rule in rules]


def _question(rule: Rule) -> Question | None:
    kind, columns = _kind(rule), tuple(rule.columns)
    condition = rule.kwargs.get("row_condition")
    if kind == "nulls" and condition is not None:
        nullity = _nullity(condition)
        return None if nullity is None else Question(kind, columns, nullity)
    if kind is None or condition is not None:
        return None
    return Question(kind, () if kind in {"schema", "rows"} else columns)


def _kind(rule: Rule) -> str | None:
    if rule.type in NULLS:
        return "nulls"
    if rule.type == PAIRS:
        is_plain = rule.kwargs.get("ignore_row_if") == "either_value_is_missing"
        return "pairs" if is_plain and not rule.kwargs.get("or_equal") else None
    if rule.type.startswith(OF_SCHEMA):
        return "schema"
    simple = {BETWEEN: "range", OF_TYPE: "type", ROW_COUNT: "rows"}
    return simple.get(rule.type) or ("values" if rule.type.startswith(BY_VALUE) else None)


def _nullity(condition: Any) -> tuple[str, bool] | None:
    if isinstance(condition, Mapping) and condition.get("type") == "nullity":
        column, is_null = condition.get("column"), condition.get("is_null")
        if isinstance(column, Mapping) and isinstance(is_null, bool):
            return str(column.get("name")), is_null
    return None


class Aggregates:
    """Counts and witnesses of rows with one schema.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the rows.
    asked : collection of Question
        What will be asked of them.
    """

    def __init__(self, schema: pa.Schema, asked: Collection[Question]) -> None:
        self.schema, self.rows = schema, 0
        self._missing = dict.fromkeys(schema.names, 0)
        self._answers: dict[Question, Answer] = {
            question: None
            for question in asked
            if question.columns and set(question.all_columns) <= set(schema.names)
        }

    @classmethod
    def of(cls, parts: Sequence["Aggregates"]) -> Self:
        """Return the aggregates of the rows of one or more ``parts``, which have one schema."""
        together = cls(parts[0].schema, ())
        together._answers = dict(parts[0]._answers)
        together.rows, together._missing = parts[0].rows, dict(parts[0]._missing)
        for part in parts[1:]:
            together.merge(part)
        return together

    def add(self, table: pa.Table) -> Self:
        """Take a piece of the rows; return the aggregates."""
        plain = {name: _without_nan(table[name]) for name in table.column_names}
        self.rows += len(table)
        for name, values in plain.items():
            self._missing[name] += values.null_count
        for question in list(self._answers):
            self._take(question, _answer(question, plain))
        return self

    def merge(self, other: "Aggregates") -> Self:
        """Take all rows of ``other``, which has the same schema and was asked the same."""
        self.rows += other.rows
        for name, count in other._missing.items():
            self._missing[name] += count
        for question in list(self._answers):
            self._take(question, other._answers.get(question))
        return self

    def count(self, question: Question) -> Count | None:
        """Return the numbers behind ``question``; None where only the rows can tell."""
        if question.kind in {"rows", "schema"}:
            return Count(self.rows, 0)
        answer = self._answers.get(question)
        if answer is None or isinstance(answer, Count):
            return answer
        evaluated = self.rows - self._missing[question.columns[0]]
        return Count(evaluated, 0) if evaluated else None

    def witnesses(self) -> pa.Table:
        """Return the witnesses as rows of the same schema, filled up with missing values."""
        found: dict[str, list[pa.Array]] = {name: [] for name in self.schema.names}
        for question, answer in self._answers.items():
            if isinstance(answer, pa.Array):
                found[question.columns[0]].append(answer)
        longest = max([1, *(sum(map(len, arrays)) for arrays in found.values())])
        columns = []
        for known in self.schema:
            lacking = longest - sum(map(len, found[known.name]))
            columns.append(pa.concat_arrays([*found[known.name], pa.nulls(lacking, known.type)]))
        return pa.table(columns, schema=self.schema)

    def to_bytes(self) -> bytes:
        """Return the aggregates as bytes."""
        arrays = [answer for answer in self._answers.values() if isinstance(answer, pa.Array)]
        longest = max(map(len, arrays), default=0)
        answers: list[Any] = []
        for question, answer in self._answers.items():
            is_count = isinstance(answer, Count)
            told = [answer.evaluated, answer.unexpected] if is_count else len(answer)
            answers.append([question.name, told])
        about = {"rows": self.rows, "missing": self._missing, "answers": answers}
        full = [pa.concat_arrays([a, pa.nulls(longest - len(a), a.type)]) for a in arrays]
        names = [str(i) for i in range(len(full))]
        table = pa.table(full, names).replace_schema_metadata({"about": json.dumps(about)})
        sink = pa.BufferOutputStream()
        for each in (self.schema.empty_table(), table):
            with pa.ipc.new_stream(sink, each.schema) as stream:
                stream.write_table(each)
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes, asked: Collection[Question]) -> Self:
        """Return what :meth:`to_bytes` wrote when the same was asked."""
        reader = pa.BufferReader(data)
        schema = pa.ipc.open_stream(reader).read_all().schema
        table = pa.ipc.open_stream(reader).read_all()
        about = json.loads(table.schema.metadata[b"about"])
        questions = {question.name: question for question in asked}
        found = cls(schema, ())
        found.rows, found._missing = about["rows"], about["missing"]
        arrays = iter(table.columns)
        for name, told in about["answers"]:
            is_count = isinstance(told, list)
            answer = Count(*told) if is_count else next(arrays).combine_chunks()[:told]
            found._answers[questions[name]] = answer
        return found

    def _take(self, question: Question, new: Answer) -> None:
        old = self._answers[question]
        both = new if old is None or new is None else _combined(question, old, new)
        if both is None:
            del self._answers[question]
        else:
            self._answers[question] = both


def _answer(question: Question, plain: Mapping[str, pa.ChunkedArray]) -> Answer:
    """Return what a piece of the rows answers, None where it cannot."""
    values = [plain[name] for name in question.columns]
    match question.kind:
        case "nulls":
            return _nulls(question, values[0], plain)
        case "pairs":
            return _pairs(*values)
        case "type":
            return _first(values[0])
        case "range":
            return _range(values[0])
        case "values":
            return _distinct(values[0])
        case _:
            return None


def _combined(question: Question, old: Answer, new: Answer) -> Answer:
    if isinstance(old, Count) and isinstance(new, Count):
        return Count(old.evaluated + new.evaluated, old.unexpected + new.unexpected)
    if question.kind == "type":
        return old if len(old) else new
    together = pa.chunked_array([old, new])
    return _range(together) if question.kind == "range" else _distinct(together)


def _nulls(
    question: Question, values: pa.ChunkedArray, plain: Mapping[str, pa.ChunkedArray]
) -> Count:
    if question.condition is not None:
        name, is_null = question.condition
        holds = plain[name].is_null() if is_null else plain[name].is_valid()
        values = values.filter(holds)
    return Count(len(values), values.null_count)


def _pairs(one: pa.ChunkedArray, other: pa.ChunkedArray) -> Count | None:
    if not (_is_number(one.type) and _is_number(other.type)):
        return None
    is_greater = pc.greater(one, other)  # missing where one of them is
    met = pc.sum(is_greater).as_py() or 0
    evaluated = len(one) - is_greater.null_count
    return Count(evaluated, evaluated - met)


def _range(values: pa.ChunkedArray) -> pa.Array | None:
    if not (_is_number(values.type) or pa.types.is_timestamp(values.type)):
        return _distinct(values)
    ends = pc.min_max(values)
    return pa.array([ends["min"], ends["max"]], values.type).drop_null()


def _first(values: pa.ChunkedArray) -> pa.Array:
    present = values.drop_null() if values.null_count else values
    return present[:1].combine_chunks()


def _distinct(values: pa.ChunkedArray) -> pa.Array | None:
    found = pc.unique(values).drop_null()
    return found if len(found) <= MAX_DISTINCT else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values with nothing in place of NaN, as data frames have it."""
    if not pa.types.is_floating(values.type):
        return values
    is_nan = pc.is_nan(values)
    return pc.if_else(is_nan, None, values) if pc.any(is_nan).as_py() else values
