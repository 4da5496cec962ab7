"""Where rows go that broke the contract, and the message that says so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modemap.data.batches import Batch, read_batch, write_parquet
from modemap.data.contract import Judgement
from modemap.data.expectations import FIRST, Outcome, plain_value
from modemap.data.suite import Suite
from modemap.errors import DataError
from modemap.files import staged_directory, write_json

__all__ = ["contract_error", "quarantine"]

SHOWN = 3  # broken rules and batches in a message; the report has all
BATCH, ROW, RULES = "quarantine.batch", "quarantine.row", "quarantine.rules"


def quarantine(directory: Path, raw: Path, suite: Suite, judgement: Judgement) -> dict[str, Any]:
    """Copy the rows that broke a rule to a folder of ``directory``; return the report beside them.

    The folder is named by the batch's short digest, or ``all`` for rules over all batches. Each row
    comes with its batch, its number in it, and the rules it broke. ``raw`` is only read.
    """
    positions = sorted({row for outcome in judgement.broken for row in outcome.rows})
    rows = _rows(raw, judgement, positions)
    index = {position: i for i, position in enumerate(positions)}
    report = {
        "suite": suite.path.name,
        **{key: value for key, value in judgement.document().items() if key != "results"},
        "offending_rows": len(positions),
        "offending_batches": _digests(judgement, rows),
        "broken": [
            {
                **outcome.document(),
                "kwargs": plain_value(outcome.rule.kwargs),
                "why": outcome.rule.why,
                "first_rows": _names(rows, [index[row] for row in outcome.rows[:FIRST]], suite.key),
            }
            for outcome in judgement.broken
        ],
    }
    with staged_directory(directory / judgement.name) as staged:
        if positions:
            write_parquet(staged / "rows.parquet", rows)
        write_json(staged / "report.json", report)
    return report


def contract_error(
    directory: Path, suite: Suite, broken: Sequence[tuple[Judgement, dict[str, Any]]]
) -> DataError:
    """Return the error that names the first broken rules, where they broke and what to do."""
    lines = [
        _line(judgement, outcome, entry)
        for judgement, report in broken
        for outcome, entry in zip(judgement.broken, report["broken"], strict=True)
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    digests = sorted({digest for _, report in broken for digest in report["offending_batches"]})
    exclude = f", or list under ingest.exclude: {', '.join(digests[:SHOWN])}" if digests else ""
    folders = ", ".join(str(directory / judgement.name) for judgement, _ in broken[:SHOWN])
    return DataError(
        suite.path,
        "every batch must keep the contract",
        found="\n    ".join([_counted(len(lines), "broken rule"), *lines[:SHOWN], *more]),
        hint=f"see {folders}; mend the source{exclude}",
    )


def _rows(raw: Path, judgement: Judgement, positions: Sequence[int]) -> pa.Table:
    """Return the rows at ``positions``, counted through the judgement's batches."""
    rules: dict[int, list[str]] = {}
    for outcome in judgement.broken:
        for row in outcome.rows:
            rules.setdefault(row, []).append(outcome.rule.type)
    parts, start = [], 0
    for batch in judgement.batches:
        mine = [row for row in positions if start <= row < start + batch.rows]
        if mine:
            parts.append(_part(raw, batch, np.array(mine) - start, [rules[row] for row in mine]))
        start += batch.rows
    return pa.concat_tables(parts, promote_options="permissive") if parts else pa.table({})


def _part(raw: Path, batch: Batch, rows: Any, rules: Sequence[Sequence[str]]) -> pa.Table:
    table = read_batch(raw, batch).take(pa.array(rows))
    about = {
        BATCH: pa.array([batch.digest] * len(rows)),
        ROW: pa.array(rows, pa.int64()),
        RULES: pa.array([", ".join(broken) for broken in rules]),
    }
    columns = {name: table[name] for name in table.column_names if name not in about}
    return pa.table({**about, **columns})


def _digests(judgement: Judgement, rows: pa.Table) -> list[str]:
    if judgement.is_one:
        return [judgement.batches[0].digest]
    return sorted(set(rows[BATCH].to_pylist())) if rows.num_rows else []


def _names(rows: pa.Table, picked: Sequence[int], key: Sequence[str]) -> list[dict[str, Any]]:
    """Return what names each picked row: its number in its batch, and its key columns."""
    names = [ROW, *(name for name in key if name in rows.column_names)] if picked else []
    chosen = rows.select(names).take(pa.array(picked, pa.int64())).to_pylist()
    return [
        {name.removeprefix("quarantine."): plain_value(value) for name, value in row.items()}
        for row in chosen
    ]


def _line(judgement: Judgement, outcome: Outcome, entry: dict[str, Any]) -> str:
    where = judgement.batches[0].source if judgement.is_one else "all batches together"
    rule = f"{outcome.rule.place}: {outcome.rule.type}({', '.join(outcome.rule.columns)})"
    what = _extent(outcome) if outcome.failure == "broken" else str(outcome.failure)
    found = zip(outcome.first, entry["first_rows"], strict=False)
    places = [f"{_text(value)} at {_text(row)}" for value, row in found]
    return ", ".join([f"{rule} in {where}: {what}", *places[:SHOWN]])


def _text(value: Any) -> str:
    """Return a plain value as people write it."""
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_text(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list):
        return "(" + ", ".join(map(_text, value)) + ")"
    return "nothing" if value is None else str(value)


def _extent(outcome: Outcome) -> str:
    if outcome.unexpected is None:
        return f"observed {_text(outcome.observed)}"
    share = outcome.unexpected / outcome.evaluated if outcome.evaluated else 0.0
    return f"{outcome.unexpected:,} of {outcome.evaluated:,} values ({100 * share:.3g} %)"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
