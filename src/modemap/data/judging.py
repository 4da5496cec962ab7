"""Rules judged by aggregates where these settle the matter, and by rows where they do not.

Great Expectations judges both: the witnesses of columns, the table of counted shares, and rows.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modemap.data.aggregates import TO_BE_NULL, Aggregates, Count, questions
from modemap.data.batches import Batch, read_batch
from modemap.data.expectations import FIRST, Contract, Outcome
from modemap.data.kept import Kept
from modemap.data.memory import Memory
from modemap.data.repeated import Key, repeated_hashes
from modemap.data.suite import Rule
from modemap.errors import DataError
from modemap.estimators.alongside import alongside
from modemap.files import canonical_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Judge", "Unit"]

UNIQUE = "expect_column_values_to_be_unique"
UNIQUE_TOGETHER = "expect_compound_columns_to_be_unique"
IGNORED = {"all_values_are_missing": "all", "any_value_is_missing": "any", "never": "none"}
COUNT_BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")


@dataclass(frozen=True)
class Unit:
    """Rows that are judged together: those of one batch, or of all."""

    batches: tuple[Batch, ...]
    aggregates: Aggregates | None  # None where the batches differ in their columns

    @property
    def is_settled(self) -> bool:
        """Whether there are aggregates of some rows."""
        return self.aggregates is not None and self.aggregates.rows > 0


class Judge:
    """Rules of one scope, and the folder with the batches."""

    def __init__(self, directory: Path, rules: Sequence[Rule], memory: Memory) -> None:
        self._directory, self._rules, self._memory = directory, list(rules), memory
        self._contract = Contract(self._rules)
        self.questions = questions(self._rules)

    def outcomes(self, units: Sequence[Unit], kept: Kept) -> Iterator[list[Outcome]]:
        """Yield for each unit the outcome of each rule."""
        beyond = self._beyond(units)
        by_witness: dict[pa.Schema, dict[int, Outcome]] = {}
        for number, unit in enumerate(units):
            found: dict[int, Outcome] = {}
            if unit.aggregates is not None and unit.is_settled:
                schema = unit.aggregates.schema
                if schema not in by_witness:
                    by_witness[schema] = self._by_witnesses(_merged(units, schema))
                found = self._settled(unit.aggregates, by_witness[schema])
                found |= self._counted(unit.aggregates, number, beyond)
            rest = [i for i in range(len(self._rules)) if i not in found]
            found |= self._by_rows(unit, rest, kept)
            yield [found[i] for i in range(len(self._rules))]

    def _by_witnesses(self, aggregates: Aggregates) -> dict[int, Outcome]:
        """Return the outcomes of the rules about witnesses, over these."""
        numbers = [
            i
            for i, question in enumerate(self.questions)
            if question is not None
            and question.is_of_witnesses
            and aggregates.count(question) is not None
        ]
        if not numbers:
            return {}
        outcomes = self._contract.check(data_frame(aggregates.witnesses()), numbers)
        return dict(zip(numbers, outcomes, strict=True))

    def _settled(self, aggregates: Aggregates, merged: dict[int, Outcome]) -> dict[int, Outcome]:
        """Return what is known of rules about witnesses; a doubt is looked at in these alone."""
        doubtful = {i for i, outcome in merged.items() if not self._is_final(i, outcome)}
        known = {i: outcome for i, outcome in merged.items() if i not in doubtful}
        if doubtful:
            own = self._by_witnesses(aggregates)
            known |= {i: own[i] for i in doubtful & set(own) if self._is_final(i, own[i])}
        found = {}
        for i, outcome in known.items():
            count = self._count(i, aggregates)
            if count is not None:
                found[i] = replace(outcome, evaluated=count.evaluated)
        return found

    def _is_final(self, number: int, outcome: Outcome) -> bool:
        question = self.questions[number]
        is_of_schema = question is not None and question.kind == "schema"
        return is_of_schema or (outcome.failure is None and not outcome.unexpected)

    def _count(self, number: int, aggregates: Aggregates) -> Count | None:
        question = self.questions[number]
        count = None if question is None else aggregates.count(question)
        if count is None or not count.evaluated:
            return None
        if self._rules[number].type == TO_BE_NULL:
            return Count(count.evaluated, count.evaluated - count.unexpected)
        return count

    def _counting(self) -> list[int]:
        return [i for i, q in enumerate(self.questions) if q is not None and not q.is_of_witnesses]

    def _beyond(self, units: Sequence[Unit]) -> dict[int, set[int]]:
        """Return for each rule that counts the units, by their places, that it may refuse."""
        import pandas as pd  # noqa: PLC0415  # takes half a second

        numbers = self._counting()
        if not numbers:
            return {}
        table = [[self._observed(i, unit) for i in numbers] for unit in units]
        frame = pd.DataFrame(np.array(table, np.float64), columns=[str(i) for i in numbers])
        bounds = [self._bounds(i) for i in numbers]
        return dict(zip(numbers, self._contract.outside(frame, bounds), strict=True))

    def _observed(self, number: int, unit: Unit) -> float:
        count = None if unit.aggregates is None else self._count(number, unit.aggregates)
        if count is None:
            return np.nan
        return count.evaluated if self._is_of_rows(number) else count.met_share

    def _bounds(self, number: int) -> dict[str, Any]:
        kwargs = self._rules[number].kwargs
        if self._is_of_rows(number):
            return {name: kwargs[name] for name in COUNT_BOUNDS if name in kwargs}
        return {"min_value": kwargs.get("mostly", 1.0)}

    def _is_of_rows(self, number: int) -> bool:
        question = self.questions[number]
        return question is not None and question.kind == "rows"

    def _counted(
        self, aggregates: Aggregates, unit: int, beyond: dict[int, set[int]]
    ) -> dict[int, Outcome]:
        """Return the outcomes of rules that count and are met; of the others rows are needed."""
        found = {}
        for i, refused in beyond.items():
            rule, count = self._rules[i], self._count(i, aggregates)
            if count is None or unit in refused:
                continue
            if self._is_of_rows(i):
                found[i] = Outcome(rule, None, count.evaluated, None, [], count.evaluated, [])
            elif not count.unexpected or rule.type.endswith("not_be_null"):
                first: list[Any] = [None] * min(FIRST, count.unexpected)
                found[i] = Outcome(rule, None, count.evaluated, count.unexpected, first, None, [])
        return found

    def _by_rows(self, unit: Unit, numbers: Sequence[int], kept: Kept) -> dict[int, Outcome]:
        found = {}
        for i in numbers:
            known = kept.get(*self._about(unit, i))
            if known is not None:
                found[i] = Outcome(rule=self._rules[i], failure=None, rows=[], **json.loads(known))
            elif len(unit.batches) > 1 and (outcome := self._unique(unit, i, kept)):
                found[i] = outcome
        rest = [i for i in numbers if i not in found]
        if rest:
            frame = data_frame(self._rows(unit, rest))
            found |= dict(zip(rest, self._contract.check(frame, rest), strict=True))
        for i in rest:
            outcome = found[i]
            if outcome.failure is None:
                names = ("evaluated", "unexpected", "first", "observed")
                told = {name: getattr(outcome, name) for name in names}
                kept.remember(canonical_json(told), *self._about(unit, i))
        return found

    def _about(self, unit: Unit, number: int) -> tuple[object, ...]:
        rule = self._rules[number]
        digests = [batch.digest for batch in unit.batches]
        return "outcome", digests, rule.type, rule.kwargs, rule.may_be_empty

    def _rows(self, unit: Unit, numbers: Sequence[int]) -> pa.Table:
        """Return the columns that the rules name of all rows; one column where they name none."""
        rules = [self._rules[i] for i in numbers]
        names = sorted({name for rule in rules for name in rule.columns + rule.condition_columns})
        n_rows = sum(batch.rows for batch in unit.batches)
        self._memory.check_frame(rules[0].place, n_rows, max(len(names), 1))
        tables = [read_batch(self._directory, batch, names) for batch in unit.batches]
        if not tables[0].num_columns:  # rules that only count rows still need rows
            tables = [read_batch(self._directory, batch).select([0]) for batch in unit.batches]
        return pa.concat_tables(tables, promote_options="permissive")

    def _unique(self, unit: Unit, number: int, kept: Kept) -> Outcome | None:
        """Return the outcome of a rule about keys over all batches; None if it needs all rows."""
        rule = self._rules[number]
        key = _key(rule)
        if key is None or not unit.is_settled:
            return None
        try:
            run = partial(key.run, self._directory, kept)
            paths = list(alongside(run, unit.batches, self._memory.n_threads))
        except (DataError, KeyError):
            return None
        evaluated, hashes = repeated_hashes(paths, self._memory.hashes)
        if not evaluated:
            return None
        if not len(hashes):
            return Outcome(rule, None, evaluated, 0, [], None, [])
        found = list(key.rows(self._directory, unit.batches, hashes))
        places = np.concatenate([numbers for numbers, _ in found])
        frame = data_frame(pa.concat_tables([table for _, table in found]))
        [outcome] = self._contract.check(frame, [number])
        share = (evaluated - (outcome.unexpected or 0)) / evaluated
        is_met = share >= rule.kwargs.get("mostly", 1.0)
        rows = [] if is_met else places[outcome.rows].tolist()
        failure = None if is_met else outcome.failure
        return replace(outcome, evaluated=evaluated, failure=failure, rows=rows)


def _key(rule: Rule) -> Key | None:
    if rule.kwargs.get("row_condition") is not None:
        return None
    if rule.type == UNIQUE:
        return Key(tuple(rule.columns), "any")
    if rule.type == UNIQUE_TOGETHER:
        ignored = rule.kwargs.get("ignore_row_if", "all_values_are_missing")
        return Key(tuple(rule.columns), IGNORED[ignored]) if ignored in IGNORED else None
    return None


def _merged(units: Sequence[Unit], schema: pa.Schema) -> Aggregates:
    same = [
        u.aggregates for u in units if u.aggregates is not None and u.aggregates.schema == schema
    ]
    return Aggregates.of(same)


def data_frame(table: pa.Table) -> "pd.DataFrame":
    """Return ``table`` for Great Expectations, with integers that stay integers beside nulls."""
    import pandas as pd  # noqa: PLC0415  # takes half a second

    integers = [
        (pa.int8(), pd.Int8Dtype()),
        (pa.int16(), pd.Int16Dtype()),
        (pa.int32(), pd.Int32Dtype()),
        (pa.int64(), pd.Int64Dtype()),
        (pa.uint8(), pd.UInt8Dtype()),
        (pa.uint16(), pd.UInt16Dtype()),
        (pa.uint32(), pd.UInt32Dtype()),
        (pa.uint64(), pd.UInt64Dtype()),
    ]
    nullable = dict([*integers, (pa.bool_(), pd.BooleanDtype())])
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get, date_as_object=False)
    return frame
