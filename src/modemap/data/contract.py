"""The data contract over all batches: what holds, what is broken, and which rows broke it.

One pass of ours makes a table of aggregates, which Great Expectations judges. Only where that
leaves a doubt it is given rows: the columns that a rule names, of the batch in doubt.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from modemap.data.aggregates import Aggregates, Question
from modemap.data.batches import Batch, batch_file, read_manifest, read_pieces
from modemap.data.expectations import Outcome
from modemap.data.judging import Judge, Unit
from modemap.data.kept import Kept, keeping
from modemap.data.memory import Memory, memory_of
from modemap.data.seen import Seen
from modemap.data.suite import Suite
from modemap.estimators.alongside import alongside

__all__ = ["Judgement", "check_contract"]

Watch = Callable[[Sequence[Batch]], Iterable[Batch]]


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


def check_contract(
    directory: Path,
    suite: Suite,
    kept: Kept | None = None,
    watch: Watch = iter,
    memory: Memory | None = None,
) -> Iterator[Judgement]:
    """Yield a judgement for each batch in ``directory``, then one over all of them together.

    Only pieces of a few batches are in memory at a time, or the columns that rules name which only
    rows can answer; of such rules over all batches, the columns of all of them.

    Parameters
    ----------
    kept : Kept, optional
        Where to find and keep what was learned of batches; by default nothing is kept.
    watch : callable, optional
        Sees the batches go by.
    memory : Memory, optional
        How much of it there is for rows; by default half of what the machine has.

    Raises
    ------
    DataError
        If a batch cannot be read.
    ParamsError
        If Great Expectations does not know a rule or its arguments.
    """
    for_batch = [rule for rule in suite.rules if rule.over == "batch"]
    for_all = [rule for rule in suite.rules if rule.over == "all"]
    memory = memory or memory_of()
    each, together = (Judge(directory, rules, memory) for rules in (for_batch, for_all))
    batches = read_manifest(directory).batches
    questions = {question for question in (*each.questions, *together.questions) if question}
    asked = sorted(questions, key=lambda question: question.name)
    with keeping(kept) as store:
        learn = partial(_aggregates, directory, asked, store, memory.shared())
        found = list(alongside(learn, watch(batches), memory.n_threads))
        if for_batch:
            units = [Unit((batch,), about) for batch, about in zip(batches, found, strict=True)]
            for batch, outcomes in zip(batches, each.outcomes(units, store), strict=True):
                yield Judgement((batch,), tuple(outcomes))
        if for_all:
            is_alike = all(about.schema == found[0].schema for about in found)
            unit = Unit(batches, Aggregates.of(found) if is_alike else None)
            [outcomes] = together.outcomes([unit], store)
            yield Judgement(batches, tuple(outcomes))


def _aggregates(
    directory: Path, asked: Sequence[Question], kept: Kept, memory: Memory, batch: Batch
) -> Aggregates:
    about = ("aggregates", batch.digest, [question.name for question in asked])
    known = kept.get(*about)
    if known is not None:
        batch_file(directory, batch, Seen(kept).sha256)
        return Aggregates.from_bytes(known, asked)
    found: Aggregates | None = None
    for table in read_pieces(directory, batch, memory=memory, sha256=Seen(kept).sha256):
        found = (found or Aggregates(table.schema, asked)).add(table)
    assert found is not None  # noqa: S101  # there is a piece, if without rows
    kept.remember(found.to_bytes(), *about)
    return found
