"""Lineage: what a version was made from, and which versions were made from a batch of data."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ModemapError, RegistryError
from modemap.files import read_json
from modemap.lifecycle.candidate import RAW_MANIFEST, VALIDATION
from modemap.lifecycle.history import Entry, History
from modemap.params import load_params
from modemap.tracking.lineage import FILE_TAG, UNKNOWN
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = ["lineage"]

RUN = "modemap.run."
SHORTEST = 8  # characters of a digest


def lineage(root: Path, name: str) -> dict[str, Any]:
    """Return where a version comes from; for a batch of data, which versions come from it.

    Parameters
    ----------
    root : Path
        The project's folder.
    name : str
        A version's number, or the digest, or its beginning, of a release or a batch.

    Returns
    -------
    dict
        Plain data: ``{"version": {...}}`` or ``{"batch": digest, "versions": [...]}``.

    Raises
    ------
    RegistryError
        If nothing or more than one thing has that name.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    entries = list(History(registry).walk())
    if name.isdecimal() and len(name) < SHORTEST:
        return {"version": _backward(registry, registry.get(int(name)), entries)}
    if len(name) < SHORTEST:
        _refuse(name, f"a digest must have at least {SHORTEST} characters", name)
    versions = registry.versions()
    releases = [version for version in versions if version.digest.startswith(name)]
    used = {version.number: _batches(registry, version) for version in versions}
    batches = {batch["digest"] for found in used.values() for batch in found}
    batches = {digest for digest in batches if digest.startswith(name)}
    if len({version.digest for version in releases} | batches) > 1:
        _refuse(name, "must be the beginning of one digest", "several")
    if releases:
        return {"version": _backward(registry, releases[0], entries)}
    if not batches:
        _refuse(name, "must name a version, a release or a batch", "none of these")
    (digest,) = batches
    numbers = {n for n, found in used.items() if digest in {batch["digest"] for batch in found}}
    return {
        "batch": digest,
        "versions": [
            _forward(version, entries) for version in versions if version.number in numbers
        ],
    }


def _backward(registry: Registry, version: Version, entries: list[Entry]) -> dict[str, Any]:
    tags = version.tags
    validation = _paper(registry, version, VALIDATION)
    return {
        "version": version.number,
        "digest": version.digest,
        "batches": _batches(registry, version),
        "contract": {
            "judgements": len(validation.get("judgements", [])),
            "expectations": validation.get("expectations"),
        },
        "params": tags.get("modemap.params_digest", UNKNOWN),
        "commit": tags.get("modemap.commit", UNKNOWN),
        "dirty": tags.get("modemap.dirty", UNKNOWN),
        "package": tags.get("modemap.package_version", UNKNOWN),
        "files": _begun(tags, FILE_TAG),
        "outputs": dict(sorted(version.outputs.items())),
        "runs": {"release": version.run_id} | _begun(tags, RUN),
        "flow_run": tags.get("modemap.flow_run", UNKNOWN),
        "gate": version.verdict,
        "history": _places(version, entries),
    }


def _forward(version: Version, entries: list[Entry]) -> dict[str, Any]:
    places = _places(version, entries)
    return {"version": version.number, "digest": version.digest, "history": places}


def _places(version: Version, entries: list[Entry]) -> list[dict[str, Any]]:
    """Return when the version became champion, and which version it replaced."""
    return [
        {
            "entry": entry.number,
            "kind": entry.kind,
            "when": entry.tags["when"],
            "replaced": int(entry.tags["from"]) or None,
        }
        for entry in entries
        if entry.makes_champion and int(entry.tags["to"]) == version.number
    ]


def _batches(registry: Registry, version: Version) -> list[dict[str, Any]]:
    batches = _paper(registry, version, RAW_MANIFEST).get("batches", [])
    return [batch for batch in batches if isinstance(batch, dict) and "digest" in batch]


def _paper(registry: Registry, version: Version, name: str) -> Mapping[str, Any]:
    """Return what was registered beside a version; nothing if it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="modemap-lineage-") as folder:
        try:
            paper = read_json(registry.evidence(version, Path(folder)) / name)
        except (ModemapError, OSError, ValueError):
            return {}
    return paper if isinstance(paper, dict) else {}


def _begun(tags: Mapping[str, str], beginning: str) -> dict[str, str]:
    return {
        name.removeprefix(beginning): value
        for name, value in sorted(tags.items())
        if name.startswith(beginning)
    }


def _refuse(name: str, rule: str, found: str) -> NoReturn:
    hint = "`modemap history` names versions and releases, data/raw/manifest.json the batches"
    raise RegistryError(f"modemap lineage {name}", rule, found=found, hint=hint)
