"""MLflow's old versions and runs."""

from collections.abc import Iterator
from functools import partial

from modemap.errors import RegistryError
from modemap.lifecycle.gc.kept import Kept, named_versions
from modemap.lifecycle.gc.waste import Waste
from modemap.lifecycle.history import History
from modemap.tracking import Registry, Version
from modemap.tracking.cleaning import delete_run, delete_version

__all__ = ["old_runs"]


def old_runs(kept: Kept) -> Iterator[Waste]:
    """Yield the versions that need not be kept, then the runs, with which their files go."""
    if kept.registry is None:
        return
    for version in kept.other_versions:
        free = partial(_free, kept.registry, version)
        yield Waste("MLflow", f"version {version.number}", 0, free)
    for run in kept.other_runs:
        name = f"run {run.name}, {run.run_id}"
        yield Waste("MLflow", name, run.n_bytes, partial(delete_run, kept.registry.store, run))


def _free(registry: Registry, version: Version) -> None:
    """Delete a version unless somebody has promoted it since it was looked for."""
    if version.number in named_versions(list(History(registry).walk())):
        rule, hint = "must not be in the history", "nothing of it was freed: run `modemap gc` again"
        place = f"version {version.number}"
        raise RegistryError(place, rule, found="it was promoted meanwhile", hint=hint)
    delete_version(registry, version)
