"""What a run came to, as plain data: the release beside the champion, the verdict, what stopped."""

from pathlib import Path
from typing import Any

from modemap.errors import ModemapError, ReleaseError
from modemap.files import read_json
from modemap.lifecycle.candidate import EVALUATION, PAPERS, RELEASE
from modemap.lifecycle.compare import compare_releases, write_comparison
from modemap.lifecycle.naming import HERE
from modemap.lifecycle.status import Champion, status
from modemap.lifecycle.verdict import last_verdict
from modemap.release import release_digest
from modemap.tracking.registry import CHAMPION
from modemap.tracking.runs import numbers

__all__ = ["FAILURES", "summary"]

FAILURES = Path(".modemap", "failures")  # one file for each stage that stopped with a message


def summary(root: Path, page: Path | None = None) -> dict[str, Any]:
    """Return the facts of the last run in ``root``.

    A release counts only if no stage stopped after it, and a verdict only if it speaks of that
    release: what an earlier run left behind is left out. So are the keys of rows.

    Parameters
    ----------
    root : Path
        The project's folder.
    page : Path, optional
        Where the page that compares release and champion is written, if they can be compared.

    Raises
    ------
    RegistryError
        If the store cannot be read or contradicts itself.
    """
    failures = [
        {"stage": path.stem} | read_json(path) for path in sorted((root / FAILURES).glob("*.json"))
    ]
    candidate = None if failures else _candidate(root)
    champion = status(root)
    return {
        "format": 1,
        "candidate": candidate,
        "champion": champion
        and {
            "version": champion.version,
            "digest": champion.digest,
            "metrics": champion.metrics,
            "since": champion.since,
            "anchor": champion.anchor,
        },
        "comparison": _comparison(root, candidate, champion, page),
        "failures": failures,
        "verdict": candidate and last_verdict(root, candidate["digest"]),
    }


def _comparison(
    root: Path, candidate: dict[str, Any] | None, champion: Champion | None, page: Path | None
) -> dict[str, Any] | None:
    """Return how release and champion differ on the same rows, or why that cannot be told."""
    if candidate is None or champion is None or candidate["digest"] == champion.digest:
        return None
    try:
        found = compare_releases(root, CHAMPION, HERE)
    except ModemapError as error:
        return {"refused": str(error)}
    if page is not None:
        write_comparison(page, found)
    facts = found.facts
    del facts["changed"]
    return facts


def _candidate(root: Path) -> dict[str, Any] | None:
    try:
        digest = release_digest(root / RELEASE)
        evaluation = read_json(root / PAPERS[EVALUATION])
    except (ReleaseError, OSError, ValueError):
        return None
    if evaluation.get("release_digest") != digest:
        return None
    return {"digest": digest, "metrics": numbers(evaluation)}
