"""What the gate judges by: read from the candidate's papers, measured on verified copies."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modemap.data.matrix import read_matrix
from modemap.errors import ModemapError, RegistryError
from modemap.files import read_json
from modemap.lifecycle.candidate import (
    EVALUATION,
    RAW_MANIFEST,
    VALIDATION,
    Candidate,
    Promoted,
)
from modemap.lifecycle.clean_load import load_cleanly
from modemap.lifecycle.rules import Comparison, Evidence, Measured
from modemap.params import GateParams
from modemap.release import Release, load_release

__all__ = ["collect_evidence"]


def collect_evidence(
    candidate: Candidate,
    champion: Promoted | None,
    *,
    rows: Path,
    accept_change: str | None,
    params: GateParams,
    folder: Path,
) -> tuple[Evidence, dict[str, float]]:
    """Return the evidence about ``candidate`` and what loading it cost.

    On ``rows`` it is measured beside the champion; ``folder`` is for copies. What cannot be read is
    None or told in words: it is for the rules to refuse.
    """
    papers = _read_papers(candidate, folder / "papers")
    manifest = papers.get(RAW_MANIFEST)
    with ThreadPoolExecutor(1) as beside:  # another process loads while this one measures
        loading = beside.submit(_load, candidate, folder / "loaded")
        comparison = _compare(candidate, champion, rows, folder)
        failure, costs = loading.result()
    evidence = Evidence(
        digest=candidate.digest,
        evaluation=papers.get(EVALUATION),
        validation=papers.get(VALIDATION),
        batches=_digests(manifest) if manifest else None,
        load_failure=failure,
        comparison=comparison,
        accept_change=accept_change,
        params=params,
    )
    return evidence, costs


def _read_papers(candidate: Candidate, folder: Path) -> dict[str, Any]:
    """Return the JSON files that speak of the candidate and can be read."""
    papers = {}
    try:
        found = candidate.papers(_made(folder))
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


def _load(candidate: Candidate, folder: Path) -> tuple[str | None, dict[str, float]]:
    """Return why the candidate does not load in a clean process, or None and what it took."""
    try:
        release = candidate.release(_made(folder))
        report = load_cleanly(release, candidate.digest)
    except (ModemapError, OSError) as error:
        return _one_line(error), {}
    return None, {name: float(cost) for name, cost in report.items() if name != "digest"}


def _compare(
    candidate: Candidate, champion: Promoted | None, rows: Path, folder: Path
) -> Comparison | str | None:
    """Measure candidate and champion on the test rows; return in words why that failed."""
    if champion is None:
        return None
    try:
        ours = load_release(candidate.release(_made(folder / "ours")), candidate.digest)
        theirs = load_release(champion.release(_made(folder / "champion")), champion.digest)
        measured = _measure(rows, ours)
        if theirs.digest == ours.digest:
            other = measured
        elif theirs.columns == ours.columns:
            other = _measure(rows, theirs)
        else:  # the rows need not have the champion's columns; a NaN passes no rule
            other = Measured(theirs.columns, len(theirs.som.codebook_), np.nan, np.nan)
        return Comparison(champion.number, measured, other)
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
