"""What the gate judges by: read from the registered version, measured on verified copies."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modemap.data.matrix import read_matrix
from modemap.errors import ModemapError, RegistryError
from modemap.files import read_json
from modemap.lifecycle.clean_load import load_cleanly
from modemap.lifecycle.history import Head
from modemap.lifecycle.rules import Comparison, Evidence, Measured
from modemap.params import GateParams
from modemap.release import Release, load_release
from modemap.tracking.registry import Registry, Version

__all__ = ["EVALUATION", "RAW_MANIFEST", "VALIDATION", "collect_evidence"]

EVALUATION, VALIDATION, RAW_MANIFEST = "evaluate.json", "validate.json", "raw_manifest.json"
TEST_ROWS = Path("data", "prepared", "test.parquet")


def collect_evidence(
    registry: Registry,
    version: Version,
    head: Head,
    *,
    accept_change: str | None,
    params: GateParams,
    folder: Path,
) -> tuple[Evidence, dict[str, float]]:
    """Return the evidence about ``version`` and what loading it cost; ``folder`` is for copies.

    What cannot be read is None or told in words: it is for the rules to refuse.
    """
    papers = _read_papers(registry, version, folder / "papers")
    manifest = papers.get(RAW_MANIFEST)
    with ThreadPoolExecutor(1) as beside:  # another process loads while this one measures
        loading = beside.submit(_load, registry, version, folder / "loaded")
        comparison = _compare(registry, version, head, folder)
        failure, costs = loading.result()
    evidence = Evidence(
        digest=version.digest,
        evaluation=papers.get(EVALUATION),
        validation=papers.get(VALIDATION),
        batches=_digests(manifest) if manifest else None,
        load_failure=failure,
        comparison=comparison,
        accept_change=accept_change,
        params=params,
    )
    return evidence, costs


def _read_papers(registry: Registry, version: Version, folder: Path) -> dict[str, Any]:
    """Return the JSON files registered with the version that can be read."""
    papers = {}
    try:
        found = registry.evidence(version, _made(folder))
        for path in found.glob("*.json"):
            document = read_json(path)
            if isinstance(document, dict):
                papers[path.name] = document
    except (RegistryError, OSError, ValueError):
        pass  # what is missing then is refused by the rules that need it
    return papers


def _digests(manifest: Mapping[str, Any]) -> list[str] | None:
    batches = manifest.get("batches")
    if not isinstance(batches, list):
        return None
    return [str(batch.get("digest")) for batch in batches if isinstance(batch, dict)]


def _load(
    registry: Registry, version: Version, folder: Path
) -> tuple[str | None, dict[str, float]]:
    """Return why the version does not load in a clean process, or None and what it took."""
    try:
        release = registry.download(version, _made(folder))
        report = load_cleanly(release, version.digest)
    except ModemapError as error:
        return _one_line(error), {}
    return None, {name: float(cost) for name, cost in report.items() if name != "digest"}


def _compare(
    registry: Registry, version: Version, head: Head, folder: Path
) -> Comparison | str | None:
    """Measure candidate and champion on the test rows; return in words why that failed."""
    if head.champion is None:
        return None
    try:
        ours = load_release(registry.download(version, _made(folder / "ours")), version.digest)
        champion = registry.download(registry.get(head.champion), _made(folder / "champion"))
        theirs = load_release(champion, head.entry["digest"])
        rows = registry.store.root / TEST_ROWS
        candidate = _measure(rows, ours)
        is_same = ours.digest == theirs.digest
        return Comparison(
            head.champion, candidate, candidate if is_same else _measure(rows, theirs)
        )
    except (ModemapError, OSError, LookupError, ValueError) as error:
        return f"candidate and champion could not be measured: {_one_line(error)}"


def _measure(path: Path, release: Release) -> Measured:
    rows = read_matrix(path, release.columns)
    return Measured(
        columns=release.columns,
        n_units=len(release.som.codebook_),
        quantization_error=release.quantization_error(rows),
        log_likelihood=float(np.mean(release.score(rows).log_likelihood)),
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
