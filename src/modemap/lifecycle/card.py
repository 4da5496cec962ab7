"""The model card of a version, made from the record alone: nobody writes it by hand."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modemap.errors import RegistryError, ReleaseError
from modemap.files import read_json
from modemap.lifecycle.candidate import EVALUATION, RAW_MANIFEST, VALIDATION
from modemap.lifecycle.report.history import find_promoted
from modemap.lifecycle.report.standing import told_verdict
from modemap.lifecycle.rules import REQUIRED_METRICS
from modemap.params import load_params
from modemap.release import MANIFEST
from modemap.reporting.card import Card, card_html, card_markdown, card_note
from modemap.reporting.story import Batch, Column, Metric
from modemap.tracking.registry import Registry, Version
from modemap.tracking.runs import flat
from modemap.tracking.store import open_store

__all__ = ["CARDS", "keep_card", "make_card"]

CARDS = {"card.md": card_markdown, "card.html": card_html}  # as files
LINEAGE = "modemap."  # the tags that say where a version comes from


def make_card(root: Path, number: int | None = None) -> Card:
    """Return the card of version ``number``, by default the newest.

    Raises
    ------
    RegistryError
        If the version, its papers or the history cannot be read.
    ReleaseError
        If its files are not those of its digest.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    version = registry.get(number)
    try:
        return _card(root, registry, version)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise RegistryError(
            f"version {version.number}",
            "its papers must be as they were registered",
            found=f"{type(error).__name__}: {error}",
            hint="`modemap verify` names what is damaged",
        ) from error


def _card(root: Path, registry: Registry, version: Version) -> Card:
    with tempfile.TemporaryDirectory(prefix="modemap-card-") as folder:
        release = registry.download(version, _made(Path(folder, "release")))
        manifest = read_json(release / MANIFEST)
        evidence = registry.evidence(version, _made(Path(folder, "papers")))
        papers = {path.name: read_json(path) for path in evidence.glob("*.json")}
    verdict = told_verdict(registry.read_verdict(version))
    evaluation = papers.get(EVALUATION, {})
    others = _evaluated(registry, verdict.against if verdict else None)
    return Card(
        project=registry.model,
        version=version.number,
        digest=version.digest,
        rendered=datetime.now(UTC).isoformat(timespec="seconds"),
        params=flat(manifest["params"]),
        columns=_columns(manifest),
        batches=_batches(papers),
        judged=_judged(papers),
        metrics=[Metric(name, evaluation.get(name), others.get(name)) for name in REQUIRED_METRICS],
        verdict=verdict,
        promotions=[
            entry
            for entry, _ in find_promoted(root)
            if entry.is_valid and entry.after == version.number
        ],
        lineage=_lineage(version),
    )


def keep_card(root: Path, number: int | None = None) -> None:
    """Keep the card with the version: as files of its run, and as what MLflow's page says of it.

    A version of which one cannot be made, being damaged, gets none: the gate says what is wrong.

    Raises
    ------
    RegistryError
        If the store refuses to keep it.
    """
    try:
        card = make_card(root, number)
    except (RegistryError, ReleaseError):
        return
    registry = Registry(open_store(root, card.project))
    texts = {name: write(card) for name, write in CARDS.items()}
    registry.keep_card(registry.get(card.version), texts, card_note(card))


def _columns(manifest: Mapping[str, Any]) -> list[Column]:
    prepared = ((name, manifest["preparation"][name]) for name in manifest["columns"])
    return [Column(name, p["missing"], 0, p["center"], p["scale"]) for name, p in prepared]


def _batches(papers: Mapping[str, Any]) -> list[Batch]:
    batches = papers.get(RAW_MANIFEST, {}).get("batches", [])
    return [Batch(str(b.get("source")), str(b["digest"]), int(b["rows"])) for b in batches]


def _judged(papers: Mapping[str, Any]) -> tuple[int, int]:
    results = [
        result
        for judgement in papers.get(VALIDATION, {}).get("judgements", [])
        for result in judgement["results"]
    ]
    return len(results), sum(result["failure"] is not None for result in results)


def _evaluated(registry: Registry, number: int | None) -> dict[str, float]:
    if number is None:
        return {}
    found = registry.metrics(registry.get(number))
    return {name.removeprefix("evaluate."): value for name, value in found.items()}


def _lineage(version: Version) -> dict[str, str]:
    return {
        name.removeprefix(LINEAGE): value
        for name, value in sorted(version.tags.items())
        if name.startswith(LINEAGE) and name != "modemap.verdict"
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
