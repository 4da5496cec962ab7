"""What has to be kept: versions that the history names, young ones, and the checkout's own."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from modemap.errors import ModemapError
from modemap.lifecycle.candidate import RELEASE
from modemap.lifecycle.history import Entry, History
from modemap.lifecycle.register import TRAINED, trained_part
from modemap.params import load_params
from modemap.release import release_digest, verify_release
from modemap.tracking import Registry, Version, model_digest, open_store, store_exists
from modemap.tracking.cleaning import OwnRun, own_runs

__all__ = ["Kept", "named_versions", "read_kept"]

RUN_TAG = "modemap.run."  # begins the tags of a version that name its trainings' runs


@dataclass(frozen=True)
class Kept:
    """What must stay, beside what need not."""

    registry: Registry | None = None  # None where no store is
    versions: list[Version] = field(default_factory=list)
    other_versions: list[Version] = field(default_factory=list)
    other_runs: list[OwnRun] = field(default_factory=list)
    flow_runs: set[str] = field(default_factory=set)


def read_kept(root: Path, before: datetime) -> Kept:
    """Return what has to be kept in the checkout ``root``; what ended since ``before`` is young.

    Raises
    ------
    RegistryError
        If the history or the store cannot be read.
    """
    if not store_exists(root):
        return Kept()
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    entries = list(History(registry).walk())
    named, digests = named_versions(entries), _checked_out(root)
    runs = own_runs(registry.store)
    old = {run.run_id for run in runs if run.ended < before and run.digest not in digests}
    versions: list[Version] = []
    others: list[Version] = []
    for version in registry.versions():
        is_other = version.number not in named and version.run_id in old
        (others if is_other else versions).append(version)
    needed = {run_id for version in versions for run_id in _run_ids(version)}
    flow_runs = {version.tags.get("modemap.flow_run", "") for version in versions}
    flow_runs |= {entry.made_from.get("flow_run", "") for entry in entries}
    unneeded = [run for run in runs if run.run_id in old - needed]
    gone = [run for run in unneeded if run.is_deleted and not run.folders]
    return Kept(registry, versions, others, [run for run in unneeded if run not in gone], flow_runs)


def named_versions(entries: list[Entry]) -> set[int]:
    """Return the versions that an entry names, be it valid or refused."""
    numbers = (entry.tags.get(side, "") for entry in entries for side in ("from", "to"))
    challengers = {entry.rollout.version for entry in entries if entry.rollout is not None}
    return {int(number) for number in numbers if number.isdecimal()} | challengers


def _checked_out(root: Path) -> set[str]:
    """Return the digests of the release in the checkout and of what each training made of it."""
    release = root / RELEASE
    try:
        verify_release(release)
    except ModemapError:
        return set()  # there is none that could be registered
    digests = {release_digest(release)}
    for stage in TRAINED:
        with trained_part(release, stage) as part:
            digests.add(model_digest(part))
    return digests


def _run_ids(version: Version) -> list[str]:
    trained = [run for tag, run in version.tags.items() if tag.startswith(RUN_TAG)]
    return [version.run_id, *trained]
