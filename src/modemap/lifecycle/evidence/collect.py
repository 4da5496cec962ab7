"""What the gate judges by: read from the candidate's papers, measured on verified copies."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modemap.errors import ModemapError, RegistryError
from modemap.files import read_json
from modemap.lifecycle.candidate import (
    EVALUATION,
    RAW_MANIFEST,
    VALIDATION,
    Candidate,
    Promoted,
)
from modemap.lifecycle.evidence.clean_load import load_cleanly
from modemap.lifecycle.evidence.measure import measure_both, measure_groups
from modemap.lifecycle.rules import Comparison, Evidence, Group
from modemap.params import GateParams
from modemap.release import load_release

__all__ = ["collect_evidence"]


def collect_evidence(
    candidate: Candidate,
    champion: Promoted | None,
    *,
    prepared: Path,
    withdrawn: Mapping[str, str],
    accept_change: str | None,
    params: GateParams,
    folder: Path,
) -> Evidence:
    """Return the evidence about ``candidate``.

    On the test rows in ``prepared`` it is measured beside the champion; ``withdrawn`` says of
    digests that were rolled back from why; ``folder`` is for copies. What cannot be read is
    None or told in words: it is for the rules to refuse.
    """
    papers = _read_papers(candidate, folder / "papers")
    manifest = papers.get(RAW_MANIFEST)
    ours = _copy(candidate, folder / "candidate")
    theirs = _copy(champion, folder / "champion") if champion else None
    with ThreadPoolExecutor(1) as beside:  # another process loads while this one measures
        trying = beside.submit(_try, candidate, ours, champion, theirs)
        comparison = _compare(candidate, ours, champion, theirs, prepared)
        groups = _measure_groups(prepared, params.sensitive_columns, ours)
        failure, trial = trying.result()
    return Evidence(
        digest=candidate.digest,
        evaluation=papers.get(EVALUATION),
        validation=papers.get(VALIDATION),
        batches=_digests(manifest) if manifest else None,
        withdrawn=withdrawn.get(candidate.digest),
        dirty=candidate.dirty,
        load_failure=failure,
        trial=trial,
        comparison=comparison,
        accept_change=accept_change,
        params=params,
        groups=groups,
    )


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


def _copy(release: Candidate | Promoted, folder: Path) -> Path | str:
    """Return a verified copy of a release, or in words why there is none."""
    try:
        return release.release(_made(folder))
    except (ModemapError, OSError) as error:
        return _one_line(error)


def _try(
    candidate: Candidate, ours: Path | str, champion: Promoted | None, theirs: Path | str | None
) -> tuple[str | None, dict[str, Any]]:
    """Return why the candidate does not load in a clean process, and what was measured there."""
    if isinstance(ours, str):
        return ours, {}
    beside = (theirs, champion.digest) if champion and isinstance(theirs, Path) else None
    try:
        trial = load_cleanly(ours, candidate.digest, beside)
    except (ModemapError, OSError) as error:
        return _one_line(error), {}
    return None, {"champion": {"failure": theirs}} | trial if isinstance(theirs, str) else trial


def _compare(
    candidate: Candidate,
    ours: Path | str,
    champion: Promoted | None,
    theirs: Path | str | None,
    prepared: Path,
) -> Comparison | str | None:
    """Measure candidate and champion on the test rows; return in words why that failed."""
    if champion is None or theirs is None:
        return None
    for copy in (ours, theirs):
        if isinstance(copy, str):
            return f"candidate and champion could not be measured: {copy}"
    try:
        releases = (
            load_release(Path(ours), candidate.digest),
            load_release(Path(theirs), champion.digest),
        )
        return measure_both(*releases, prepared)
    except (ModemapError, OSError, LookupError, ValueError) as error:
        return f"candidate and champion could not be measured: {_one_line(error)}"


def _measure_groups(
    prepared: Path, columns: Sequence[str], ours: Path | str
) -> Sequence[Group] | str:
    if not columns:
        return ()
    if isinstance(ours, str):
        return ours
    try:
        return measure_groups(load_release(ours), prepared, columns)
    except (ModemapError, OSError, LookupError, ValueError) as error:
        return f"the groups could not be measured: {_one_line(error)}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
