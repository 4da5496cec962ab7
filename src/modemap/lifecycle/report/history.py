"""The promotion history and the way of a release, told for the report."""

from collections.abc import Sequence
from pathlib import Path

from modemap.lifecycle.history import Entry, history
from modemap.lockfile import read_lock
from modemap.reporting.story import Contract, Data, Origin, Promoted, Standing

__all__ = ["find_promoted", "trace"]


def find_promoted(root: Path) -> list[tuple[Promoted, str]]:
    """Return the entries of the history, each with the digest of its release.

    Raises
    ------
    RegistryError
        If the history cannot be read or was changed.
    """
    return [(_told(entry), entry.tags.get("digest", "")) for entry in history(root)]


def _told(entry: Entry) -> Promoted:
    tags = entry.tags
    before, after = tags.get("from", ""), tags.get("to", "-")
    return Promoted(
        number=entry.number,
        is_valid=entry.is_valid,
        kind=entry.kind,
        before=int(before) or None if before.isdecimal() else None,
        after=int(after) if after.isdecimal() else after,
        when=tags.get("when", "-"),
        who=tags.get("who", "-"),
        why=tags.get("why", "-"),
        approval=tags.get("approval", "").partition(",")[0],
    )


def trace(
    root: Path,
    digest: str,
    *,
    data: Data,
    contract: Contract | None,
    standing: Standing | None,
    promoted: Sequence[tuple[Promoted, str]],
) -> Origin:
    """Return the way of the release ``digest``, which the stages of dvc.lock have made."""
    stages = read_lock(root)["stages"]
    makers = {out["path"]: name for name, stage in stages.items() for out in stage.get("outs", [])}
    upstream = {
        name: sorted(
            {makers[dep["path"]] for dep in stage.get("deps", []) if dep["path"] in makers}
        )
        for name, stage in stages.items()
    }
    outputs = {name: stage["outs"][0]["md5"] for name, stage in stages.items() if stage.get("outs")}
    return Origin(
        batches=data.batches,
        contract=(contract.suite, not contract.broken) if contract else None,
        stages=upstream,
        outputs=outputs,
        digest=digest,
        passed=standing.verdict.passed if standing and standing.verdict else None,
        version=standing.version if standing else None,
        is_champion=standing is not None and standing.is_champion,
        before=_before(standing, promoted),
    )


def _before(
    standing: Standing | None, promoted: Sequence[tuple[Promoted, str]]
) -> list[tuple[int, str]]:
    """Return the champions before the release, each once, the nearest first."""
    own = standing.version if standing else None
    served = [(entry.after, digest) for entry, digest in promoted if entry.is_valid]
    own_places = [i for i, (number, _) in enumerate(served) if number == own]
    found: dict[int, str] = {}
    for number, digest in reversed(served[: own_places[-1]] if own_places else served):
        if isinstance(number, int) and number != own:
            found.setdefault(number, digest)
    return list(found.items())
