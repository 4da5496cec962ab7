"""Rollback: a version that served before becomes the champion again, once it has answered."""

import tempfile
from pathlib import Path
from typing import NoReturn

from modemap.errors import ModemapError, RegistryError
from modemap.lifecycle.evidence.clean_load import load_cleanly
from modemap.lifecycle.history import PROMOTION, ROLLBACK, Entry, Head, History, describe
from modemap.lifecycle.promote import Promotion
from modemap.lifecycle.remote import fetch_output
from modemap.lockfile import restore_output
from modemap.params import load_params
from modemap.release import verify_release
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = ["rollback"]


def rollback(root: Path, number: int | None = None, *, why: str) -> Promotion:
    """Make version ``number`` the champion again, by default the one that the champion replaced.

    Only a version that has served can be rolled back to: the gate passed it then. It is fetched and
    verified, loaded and asked its golden rows in a clean process before the history is touched.

    Raises
    ------
    RegistryError
        If it never served, cannot be fetched whole, or another promotion came first.
    ReleaseError
        If it does not load or answer.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    history = History(registry)
    head = history.head()
    target = _target([entry for entry in history.walk() if entry.makes_champion], head, number)
    version = registry.get(int(target.tags["to"]))
    digest = target.tags["digest"]
    if version.digest != digest:
        _refuse(version.number, f"must be release {digest}, as it served", found=version.digest)
    if head.champion == version.number:
        history.heal()
        return Promotion(version.number, digest, changed=False, is_shown=history.is_shown)
    with tempfile.TemporaryDirectory(prefix="modemap-rollback-") as folder:
        load_cleanly(_fetch(root, registry, version, Path(folder)), digest)
    entry = describe(version, kind=ROLLBACK, verdict=target.tags["verdict"], why=why)
    history.promote(head, entry)
    return Promotion(version.number, digest, changed=True, is_shown=history.is_shown)


def _target(served: list[Entry], head: Head, number: int | None) -> Entry:
    """Return the entry by which the target was last promoted."""
    if number is None:
        number = _replaced_by(served, head)
    found = [entry for entry in served if int(entry.tags["to"]) == number]
    if found:
        return found[-1]
    known = ", ".join(sorted({entry.tags["to"] for entry in served}, key=int)) or "none"
    rule = "only a version that was champion before can be rolled back to"
    return _refuse(number, rule, found=f"versions that were: {known}")


def _replaced_by(served: list[Entry], head: Head) -> int:
    """Return the version that the champion replaced when it was promoted, not rolled back to."""
    for entry in reversed(served):
        is_promotion = entry.kind == PROMOTION and int(entry.tags["to"]) == head.champion
        if is_promotion and int(entry.tags["from"]):
            return int(entry.tags["from"])
    rule, found = "a champion must have been there before it", f"champion: {head.champion}"
    return _refuse(head.champion, rule, found=found)


def _fetch(root: Path, registry: Registry, version: Version, folder: Path) -> Path:
    """Return a verified copy from MLflow or, where that is damaged, from DVC's cache or remote.

    What came from DVC is put back into MLflow, from where it will be served.
    """
    (folder / "mlflow").mkdir()
    try:
        return registry.download(version, folder / "mlflow")
    except ModemapError as error:
        damage = error
    md5 = version.outputs.get("models/release", "")
    copy = folder / "dvc"
    if not restore_output(root, md5, copy) and not (
        md5 and fetch_output(root, md5) and restore_output(root, md5, copy)
    ):
        raise damage
    verify_release(copy, version.digest)
    registry.put_back(version, copy)
    (folder / "again").mkdir()
    return registry.download(version, folder / "again")


def _refuse(number: int | None, rule: str, *, found: object) -> NoReturn:
    hint = "see `modemap history`; the champion stays as it is"
    raise RegistryError(f"version {number}", rule, found=found, hint=hint)
