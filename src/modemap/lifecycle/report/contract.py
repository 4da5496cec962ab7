"""The data contract and how the batches kept it, told for the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modemap.data.batches import Manifest
from modemap.data.expectations import plain_value
from modemap.data.suite import Suite
from modemap.files import read_json
from modemap.reporting.story import Batch, Contract, Judged, RuleStory

__all__ = ["tell_contract"]

ALL = "all batches together"


def tell_contract(result: Path, rejected: Path, manifest: Manifest, suite: Suite) -> Contract:
    """Return what ``result``, which a kept contract leaves behind, says of each rule.

    Without that file the contract was broken: then the reports in ``rejected`` on these very
    batches say by what. Files that somebody damaged raise ValueError, LookupError or TypeError.
    """
    is_kept = result.is_file()
    told = dict(_kept(read_json(result), suite) if is_kept else _broken(rejected, manifest, suite))
    rules = [
        RuleStory(
            type=rule.type,
            columns=rule.columns,
            arguments={k: v for k, v in rule.kwargs.items() if k not in ("column", "column_list")},
            why=rule.why,
            may_be_empty=rule.may_be_empty,
            results=told.get(number, []),
        )
        for number, rule in enumerate(suite.rules)
    ]
    batches = [Batch(batch.source, batch.digest, batch.rows) for batch in manifest.batches]
    return Contract(suite.path.name, rules, batches, is_complete=is_kept)


def _kept(document: Mapping[str, Any], suite: Suite) -> Mapping[int, list[Judged]]:
    """Return the results of each rule by its place in the suite: their order is the suite's."""
    told: dict[int, list[Judged]] = {}
    for judgement in document["judgements"]:
        over = "batch" if judgement["digest"] else "all"
        numbers = [i for i, rule in enumerate(suite.rules) if rule.over == over]
        for number, entry in zip(numbers, judgement["results"], strict=True):
            if entry["type"] != suite.rules[number].type:
                raise ValueError(f"{entry['type']} is not what {suite.path} has in its place")
            told.setdefault(number, []).append(_judged(judgement, entry))
    return told


def _broken(rejected: Path, manifest: Manifest, suite: Suite) -> Mapping[int, list[Judged]]:
    told: dict[int, list[Judged]] = {}
    known = {batch.digest for batch in manifest.batches}
    for path in sorted(rejected.glob("*/report.json")):
        report = read_json(path)
        if known.issuperset(report["offending_batches"]):
            for entry in report["broken"]:
                told.setdefault(_place(entry, suite), []).append(_judged(report, entry))
    return told


def _place(entry: Mapping[str, Any], suite: Suite) -> int:
    for number, rule in enumerate(suite.rules):
        if (rule.type, plain_value(rule.kwargs)) == (entry["type"], entry["kwargs"]):
            return number
    raise ValueError(f"{entry['type']} is no longer in {suite.path}")


def _judged(about: Mapping[str, Any], entry: Mapping[str, Any]) -> Judged:
    return Judged(
        source=about["source"] or ALL,
        digest=about["digest"] or "",
        evaluated=int(entry["evaluated"]),
        unexpected=entry["unexpected"],
        failure=entry["failure"],
        observed=entry["observed"],
        first=entry["first_unexpected"],
        first_rows=entry.get("first_rows", []),
    )
