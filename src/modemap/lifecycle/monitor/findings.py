"""Findings: drift that asks for a retraining, each a file that stays whatever is killed.

A finding is open until a retraining has answered it. While none has named it, every look at the
data says so again; how often a retraining may begin is told by the findings' own records.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modemap.errors import DataError, ParamsError
from modemap.files import read_json, write_json
from modemap.params import MonitorParams

__all__ = [
    "FINDINGS",
    "Finding",
    "add_finding",
    "close_finding",
    "due",
    "name_finding",
    "note_emitted",
    "read_finding",
    "read_findings",
    "supersede",
]

FINDINGS = Path(".modemap", "findings")
FORMAT = 1
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """One finding, as its file has it."""

    id: str
    found: str  # when, UTC
    version: int  # the champion
    digest: str  # of the champion's release
    window: Mapping[str, Any]  # the window that decided, as `windows` keeps it
    n_emitted: int = 0
    named: Mapping[str, str] | None = None  # by which flow run, and when
    closed: Mapping[str, Any] | None = None  # when, outcome, version, why

    @property
    def is_open(self) -> bool:
        """Whether no retraining has answered it yet."""
        return self.closed is None

    def is_held(self, now: datetime, hours: float) -> bool:
        """Tell whether a retraining has named it and had no time yet to be called lost."""
        return self.named is not None and now - _moment(self.named["when"]) < timedelta(hours=hours)


def read_findings(root: Path) -> list[Finding]:
    """Return all findings, the oldest first.

    Raises
    ------
    DataError
        If a file is no finding.
    """
    found = [_read(path) for path in (root / FINDINGS).glob("*.json")]
    return sorted(found, key=lambda finding: (finding.found, finding.id))


def read_finding(root: Path, name: str) -> Finding:
    """Return the finding ``name``.

    Raises
    ------
    ParamsError
        If there is none.
    """
    path = root / FINDINGS / f"{name}.json"
    if not name.isalnum() or not path.is_file():
        known = ", ".join(finding.id for finding in read_findings(root)[-3:]) or "none yet"
        hint = f"name one of {root / FINDINGS}: {known}"
        raise ParamsError("finding", "must be one that is recorded", found=name, hint=hint)
    return _read(path)


def add_finding(root: Path, version: int, digest: str, window: Mapping[str, Any]) -> Finding:
    """Record that ``window`` asks for a retraining, unless that is recorded already."""
    finding = Finding(str(window["id"]), _now(), version, digest, window)
    with _locked(root):
        if not (root / FINDINGS / f"{finding.id}.json").exists():
            _write(root, finding)
    return read_finding(root, finding.id)


def name_finding(root: Path, name: str, run: str, hours: float) -> Finding | None:
    """Let the flow run ``run`` answer a finding; None if another has, or is about to."""
    with _locked(root):
        finding = read_finding(root, name)
        is_its = finding.named is not None and finding.named["run"] == run
        if not finding.is_open or (finding.is_held(datetime.now(UTC), hours) and not is_its):
            return None
        finding = replace(finding, named={"run": run, "when": _now()})
        _write(root, finding)
    return finding


def close_finding(root: Path, name: str, outcome: str, version: int | None, why: str) -> None:
    """Record how a finding was answered."""
    closed = {"outcome": outcome, "version": version, "why": why, "when": _now()}
    with _locked(root):
        _write(root, replace(read_finding(root, name), closed=closed))


def note_emitted(root: Path, name: str) -> None:
    """Count that the event of a finding was emitted."""
    with _locked(root):
        finding = read_finding(root, name)
        _write(root, replace(finding, n_emitted=finding.n_emitted + 1))


def supersede(root: Path, version: int, digest: str) -> None:
    """Close what was found of champions before this one, unless a retraining is about it."""
    for finding in read_findings(root):
        if finding.is_open and finding.named is None and finding.digest != digest:
            why = f"version {version} became champion meanwhile"
            close_finding(root, finding.id, "superseded", version, why)


def due(
    findings: Sequence[Finding], params: MonitorParams, now: datetime
) -> tuple[list[Finding], str]:
    """Return the findings to tell of now, and if some must wait, why."""
    waiting = [f for f in findings if f.is_open and not f.is_held(now, params.cooldown_hours)]
    began = [_moment(f.named["when"]) for f in findings if f.named is not None]
    if not waiting:
        return [], ""
    hours = params.cooldown_hours
    if any(now - moment < timedelta(hours=hours) for moment in began):
        return [], f"a retraining began less than {hours:g} hours ago"
    n_today = sum(now - moment < DAY for moment in began)
    if n_today >= params.daily_maximum:
        return [], f"{n_today} retrainings began within a day, as many as may"
    return waiting, ""


def _read(path: Path) -> Finding:
    try:
        document = read_json(path)
        if document.pop("format") != FORMAT:
            raise ValueError("another format")
        return Finding(**document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        rule, hint = f"must be a finding in format {FORMAT}", "put it back, or remove it"
        raise DataError(path, rule, found=f"{type(error).__name__}: {error}", hint=hint) from None


def _write(root: Path, finding: Finding) -> None:
    write_json(root / FINDINGS / f"{finding.id}.json", {"format": FORMAT, **asdict(finding)})


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one process at a time change findings; the system frees the lock of one that dies."""
    (root / FINDINGS).mkdir(parents=True, exist_ok=True)
    with (root / FINDINGS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
