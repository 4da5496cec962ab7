"""The model card of a version: what a stranger should know before using it.

The sections follow M. Mitchell et al., Model Cards for Model Reporting, FAT* (2019).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modemap.reporting.markdown import code, table
from modemap.reporting.page import rendered_page
from modemap.reporting.story import Batch, Column, Metric, Promoted, RuleResult, Verdict
from modemap.reporting.words import METRICS, count, moment, number

__all__ = ["MOST", "Card", "card_html", "card_markdown", "card_note"]

MOST = 5000  # characters of a note: MLflow on PostgreSQL takes no more
REST = "The whole card is among the files of the version's run: `card/card.html`.\n"

BEHAVIOUR = ("row_order", "duplicated_rows", "rescaled_units")
GROUPS = ("group_anomalies", "group_errors")
SIGNS = "\\`*_{}[]<>()#+!|~&@$^"  # of Markdown
LIMITS = (
    "It knows rows like those of its training: far from the map a segment says little.",
    "Unusual means rare among the training rows. It does not mean wrong, or bad.",
    "Segments have no names and no order; another training may number them otherwise.",
    "What changes in the data after training is found by `modemap drift`, not by the models.",
)


@dataclass(frozen=True)
class Card:
    """What the record says of a version."""

    project: str
    version: int
    digest: str
    rendered: str  # when
    params: Mapping[str, Any]  # dotted name -> setting
    columns: Sequence[Column]
    batches: Sequence[Batch]
    judged: tuple[int, int]  # results of the data contract, and how many of them were failures
    metrics: Sequence[Metric]
    verdict: Verdict | None
    promotions: Sequence[Promoted]  # that made it the champion, the oldest first
    lineage: Mapping[str, str]

    @property
    def purpose(self) -> str:
        """What it is for, in a sentence."""
        names = ", ".join(column.name for column in self.columns)
        return (
            f"A self-organising map and a Bayesian Gaussian mixture of {names}. It tells of a row "
            "which unit and segment of the map it belongs to, how unusual it is and why, and the "
            "mode of each of its values."
        )

    @property
    def data(self) -> str:
        """What it was trained on, in a sentence."""
        if not self.batches:
            return "Nothing is on record of its data."
        rows = count(sum(batch.rows for batch in self.batches), "row")
        n, n_failures = self.judged
        kept = "which all were kept" if n and not n_failures else f"{n_failures} of them failures"
        return (
            f"{count(len(self.batches), 'batch', 'batches')} of {rows}; the data contract was "
            f"asked for {count(n, 'result')}, {kept}."
        )

    @property
    def state(self) -> str:
        """What the gate and the history say of it."""
        if self.promotions:
            last = self.promotions[-1]
            return f"Promoted {moment(last.when)} by {last.who}: {last.why}."
        if self.verdict is None:
            return "The gate has not judged it."
        return "It passed the gate." if self.verdict.passed else "The gate stopped it."

    def results(self, names: Sequence[str]) -> list[RuleResult]:
        """Return what the gate said by some of its rules."""
        found = self.verdict.results if self.verdict else ()
        return [result for result in found if result.rule in names]

    @property
    def other_results(self) -> list[RuleResult]:
        """Return what the gate said by the rules that no section of their own tells of."""
        found = self.verdict.results if self.verdict else ()
        return [result for result in found if result.rule not in (*BEHAVIOUR, *GROUPS)]


def card_markdown(card: Card) -> str:
    """Return the card as Markdown; every value from the record is a code span."""
    return "\n\n".join(_blocks(card)) + "\n"


def card_note(card: Card) -> str:
    """Return the card as a note of at most :data:`MOST` characters, and where the rest is."""
    whole = card_markdown(card)
    if len(whole) <= MOST:
        return whole
    note = ""
    for block in _blocks(card):
        if len(note) + len(block) + len("\n\n") + len(REST) > MOST:
            break
        note += f"{block}\n\n"
    return note + REST


def card_html(card: Card) -> str:
    """Return the card as one HTML page that fetches nothing."""
    return rendered_page("card.html", card, limits=LIMITS, sections=_sections(card))


def _blocks(card: Card) -> Iterator[str]:
    yield f"# {code(card.project)}, version {card.version}"
    yield f"Release {code(card.digest)}. {_plain(card.state)}"
    yield f"## What it is for\n\n{_plain(card.purpose)}"
    yield "## What it was trained on"
    yield card.data
    batches = ((code(b.source), code(b.rows), code(b.digest[:16])) for b in card.batches)
    yield table(("batch", "rows", "digest"), batches)
    columns = ((code(c.name), code(c.policy), code(c.center), code(c.scale)) for c in card.columns)
    yield table(("column", "missing value", "centre", "one robust unit"), columns)
    yield "## How good it is, on test rows"
    metrics = (
        (METRICS.get(m.name, (m.name, "", ""))[0], code(m.value), code(m.other))
        for m in card.metrics
    )
    against = card.verdict.against if card.verdict else None
    yield table(("metric", "this version", f"version {against}" if against else "-"), metrics)
    for title, results in _sections(card):
        yield f"## {title}"
        yield _rules(results) if results else "It was not judged."
    yield "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS)
    yield "## Promotions and approvals"
    yield _promotions(card.promotions)
    yield "## Where it comes from"
    yield table(("what", "which"), ((code(k), code(v)) for k, v in card.lineage.items()))
    yield table(("setting", "value"), ((code(k), code(v)) for k, v in card.params.items()))


def _sections(card: Card) -> list[tuple[str, list[RuleResult]]]:
    """Return what the gate said, part by part."""
    return [
        ("What the gate said", card.other_results),
        ("How it behaves", card.results(BEHAVIOUR)),
        ("Groups", card.results(GROUPS)),
    ]


def _rules(results: Sequence[RuleResult]) -> str:
    return table(
        ("rule", "outcome", "found", "bound", "why"),
        (
            (r.rule, code(r.outcome), code(number(r.value)), code(number(r.bound)), code(r.why))
            for r in results
        ),
    )


def _promotions(promotions: Sequence[Promoted]) -> str:
    if not promotions:
        return "It has never been the champion."
    rows = (
        (code(p.kind), code(p.when), code(p.who), code(p.why), code(p.approval or None))
        for p in promotions
    )
    return table(("entry", "when", "who", "why", "approved by"), rows)


def _plain(text: str) -> str:
    """Return a sentence with names from the record in which no sign means anything to Markdown."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in " ".join(text.split()))
