"""What a run came to, as plain data: the release beside the champion, the verdict, what stopped."""

from pathlib import Path
from typing import Any

from modemap.errors import ReleaseError
from modemap.files import read_json
from modemap.lifecycle.candidate import EVALUATION, PAPERS, RELEASE
from modemap.lifecycle.gate import last_verdict
from modemap.lifecycle.status import status
from modemap.release import release_digest
from modemap.tracking.runs import numbers

__all__ = ["FAILURES", "summary"]

FAILURES = Path(".modemap", "failures")  # one file for each stage that stopped with a message


def summary(root: Path) -> dict[str, Any]:
    """Return the facts of the last run in ``root``; nothing is made or changed.

    A release counts only if no stage stopped after it, and a verdict only if it speaks of that
    release: what an earlier run left behind is left out.

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
        "failures": failures,
        "verdict": candidate and last_verdict(root, candidate["digest"]),
    }


def _candidate(root: Path) -> dict[str, Any] | None:
    try:
        digest = release_digest(root / RELEASE)
        evaluation = read_json(root / PAPERS[EVALUATION])
    except (ReleaseError, OSError, ValueError):
        return None
    if evaluation.get("release_digest") != digest:
        return None
    return {"digest": digest, "metrics": numbers(evaluation)}
