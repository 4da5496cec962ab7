"""The data contract over all batches: what holds, what is broken, and which rows broke it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modemap.data.batches import Batch, read_batch, read_manifest
from modemap.data.expectations import Contract, Outcome
from modemap.data.suite import Rule, Suite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Judgement", "check_contract"]


@dataclass(frozen=True)
class Judgement:
    """The outcomes of the rules over one batch, or over all batches at once."""

    batches: tuple[Batch, ...]  # one, or all of them
    outcomes: tuple[Outcome, ...]

    @property
    def name(self) -> str:
        """Return the batch's short digest, or ``all``."""
        return self.batches[0].digest[:16] if self.is_one else "all"

    @property
    def is_one(self) -> bool:
        """Whether the rules were checked over one batch by itself."""
        return all(outcome.rule.over == "batch" for outcome in self.outcomes)

    @property
    def broken(self) -> list[Outcome]:
        """Return the outcomes of the broken rules."""
        return [outcome for outcome in self.outcomes if outcome.failure]

    def document(self) -> dict[str, Any]:
        """Return the judgement as plain values, equal for equal data and rules."""
        about = {"digest": self.batches[0].digest, "source": self.batches[0].source}
        return {
            **(about if self.is_one else {"digest": None, "source": None}),
            "rows": sum(batch.rows for batch in self.batches),
            "results": [outcome.document() for outcome in self.outcomes],
        }


def check_contract(directory: Path, suite: Suite) -> Iterator[Judgement]:
    """Yield a judgement for each batch in ``directory``, then one over all of them together.

    Only one batch is in memory at a time; a rule over all batches loads the columns it names.

    Raises
    ------
    DataError
        If a batch cannot be read.
    ParamsError
        If Great Expectations does not know a rule or its arguments.
    """
    for_batch = [rule for rule in suite.rules if rule.over == "batch"]
    for_all = [rule for rule in suite.rules if rule.over == "all"]
    batch_contract, all_contract = Contract(for_batch), Contract(for_all)
    batches = read_manifest(directory).batches
    for batch in batches:
        if for_batch:
            outcomes = batch_contract.check(_frame(read_batch(directory, batch)))
            yield Judgement((batch,), tuple(outcomes))
    if for_all:
        frame = _frame(_columns_of_all(directory, batches, for_all))
        yield Judgement(batches, tuple(all_contract.check(frame)))


def _columns_of_all(directory: Path, batches: Sequence[Batch], rules: Sequence[Rule]) -> pa.Table:
    names = sorted({name for rule in rules for name in rule.columns + rule.condition_columns})
    tables = [read_batch(directory, batch, names) for batch in batches]
    if not tables[0].num_columns:  # rules that only count rows still need rows
        tables = [read_batch(directory, batch).select([0]) for batch in batches]
    return pa.concat_tables(tables, promote_options="permissive")


def _frame(table: pa.Table) -> "pd.DataFrame":
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
