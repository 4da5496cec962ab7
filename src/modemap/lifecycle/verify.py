"""Verification: is everything that the history rests on still what was recorded."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from modemap.errors import ModemapError, ParamsError, RegistryError
from modemap.lifecycle.cached import is_absent, is_lost, left_to_git, may_come_from_elsewhere
from modemap.lifecycle.candidate import RELEASE
from modemap.lifecycle.history import Entry, History
from modemap.lockfile import cached_damage, read_lock
from modemap.params import load_params
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = ["Audit", "Finding", "verify"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded."""

    place: str
    what: str


@dataclass(frozen=True)
class Audit:
    """What was looked at, and what is damaged."""

    n_entries: int
    n_versions: int
    n_outputs: int  # that DVC caches, with the files they hold
    absent: list[str]  # those that are not whole in the cache: a remote may have them
    anchor: str  # of the last valid entry: keep it where the registry's writers cannot reach it
    findings: list[Finding]

    def require(self) -> None:
        """Do nothing if all is sound.

        Raises
        ------
        RegistryError
            If something is damaged; the message names the first place.
        """
        if self.findings:
            first = self.findings[0]
            rule = f"must be as it was recorded ({len(self.findings)} findings)"
            hint = "restore what is named from a backup or a remote, then verify again"
            raise RegistryError(first.place, rule, found=first.what, hint=hint)


def verify(root: Path, anchor: str | None = None) -> Audit:
    """Check the chain of the history, every registered release and the objects of DVC's cache.

    Parameters
    ----------
    root : Path
        The project's folder.
    anchor : str or None, default=None
        ``NUMBER:LINK`` of an entry, noted earlier: it must still be there. Without one the history
        vouches only for itself.

    Raises
    ------
    RegistryError
        If the store cannot be read at all.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    wanted = None if anchor is None else _parsed(anchor)
    findings: list[Finding] = []
    entries = _chain(History(registry), wanted, findings)
    served = [entry for entry in entries if entry.is_valid]
    versions = {version.number: version for version in registry.versions()}
    findings += _promoted(registry, versions, served)
    findings += [found for version in versions.values() for found in _release(registry, version)]
    outputs = _outputs(root, versions)
    absent = [name for md5, name in outputs.items() if is_absent(root, md5)]
    for md5, name in sorted(outputs.items()):
        findings += [Finding(str(path), f"damaged in DVC's cache, part of {name}")
                     for path in cached_damage(root, md5)]  # fmt: skip
    if absent and served and registry.store.is_own:  # others' machines may have what others made
        findings += _lost(root, versions.get(int(served[-1].tags["to"])))
    last = f"{served[-1].number}:{served[-1].link}" if served else ""
    return Audit(len(entries), len(versions), len(outputs), absent, last, findings)


def _chain(
    history: History, anchor: tuple[int, str] | None, findings: list[Finding]
) -> list[Entry]:
    """Return the entries as far as they hold together; add to ``findings`` where they do not."""
    entries: list[Entry] = []
    try:
        entries.extend(history.walk())
    except RegistryError as error:
        findings.append(_finding(error))
    if anchor and not any((entry.number, entry.link) == anchor for entry in entries):
        place = f"promotion history, entry {anchor[0]}"
        findings.append(Finding(place, "it is gone or changed: the anchor names another"))
    return entries


def _promoted(
    registry: Registry, versions: dict[int, Version], served: list[Entry]
) -> Iterator[Finding]:
    """Compare what the history says with the versions, their verdicts and the alias."""
    judged: set[tuple[int, str]] = set()  # one record stands behind a rollback's entry too
    for entry in served:
        number, digest = int(entry.tags["to"]), entry.tags["digest"]
        version = versions.get(number)
        if version is None:
            yield Finding(f"version {number}", f"entry {entry.number} promoted it, and it is gone")
            continue
        if version.digest != digest:
            what = f"entry {entry.number} promoted release {digest}, its tag says {version.digest}"
            yield Finding(f"version {number}", what)
        if (number, entry.tags["verdict"]) in judged:
            continue
        judged.add((number, entry.tags["verdict"]))
        try:
            registry.verdict_record(version, entry.tags["verdict"])
        except ModemapError as error:
            yield _finding(error)
    champion = int(served[-1].tags["to"]) if served else None
    if champion is not None and (alias := registry.alias()) != champion:
        yield Finding("alias champion", f"names version {alias}, the history version {champion}")


def _release(registry: Registry, version: Version) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="modemap-verify-") as folder:
        try:
            registry.download(version, Path(folder))
        except ModemapError as error:
            place = error.place.removeprefix(f"{folder}/")
            yield Finding(
                f"version {version.number}, {place}", f"{error.rule}; found {error.found}"
            )


def _outputs(root: Path, versions: dict[int, Version]) -> dict[str, str]:
    """Return md5 and name of every output in DVC's cache that a version or dvc.lock names."""
    uncached = left_to_git(root)
    outputs = {
        out["md5"]: out["path"]
        for stage in read_lock(root)["stages"].values()
        for out in stage.get("outs", [])
        if out["path"] not in uncached
    }
    for version in versions.values():
        for path, md5 in version.outputs.items():
            if path not in uncached:
                outputs.setdefault(md5, f"{path} of version {version.number}")
    return outputs


def _lost(root: Path, champion: Version | None) -> Iterator[Finding]:
    """Yield what the champion was made of and no place that DVC knows has any more."""
    if champion is None:
        return
    elsewhere = {*left_to_git(root), RELEASE.as_posix()}  # the registry has the release itself
    lost = [
        path
        for path, md5 in champion.outputs.items()
        if path not in elsewhere and is_lost(root, path, md5)
    ]
    if lost and not may_come_from_elsewhere(root):
        what = "is neither in DVC's cache nor in the checkout, and DVC knows no remote"
        yield from (Finding(f"{path} of version {champion.number}", what) for path in lost)


def _finding(error: ModemapError) -> Finding:
    return Finding(error.place, f"{error.rule}; found {error.found}")


def _parsed(anchor: str) -> tuple[int, str]:
    number, _, link = anchor.partition(":")
    if not number.isdecimal() or not link:
        _refuse(anchor)
    return int(number), link


def _refuse(anchor: str) -> NoReturn:
    rule, hint = "must be NUMBER:LINK of an entry", "`modemap status --json` prints the head's"
    raise ParamsError("modemap verify --anchor", rule, found=anchor, hint=hint)
