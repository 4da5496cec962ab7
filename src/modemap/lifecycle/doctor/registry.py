"""The tracking store: a moved checkout, runs without an end, an alias that another hand moved."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from modemap.errors import RegistryError
from modemap.lifecycle.doctor.finding import Finding
from modemap.lifecycle.history import History
from modemap.params import load_params
from modemap.tracking import (
    Registry,
    Store,
    abandoned_runs,
    close_abandoned,
    moved_from,
    open_store,
    store_exists,
    store_is_gone,
)

__all__ = ["registry_findings"]


def registry_findings(root: Path) -> Iterator[Finding]:
    """Yield what is wrong with the store of ``root``; one of a moved checkout is not opened yet."""
    project = load_params(root / "params.yaml").project
    if store_is_gone(root):
        yield Finding(
            "mlruns/mlflow.db",
            "is gone: there was a store here",
            "there is no champion, no version and no history",
            "nothing: `modemap restore FILE` brings a backup back, `modemap run` begins anew",
        )
    if not store_exists(root):
        return
    try:
        if old := moved_from(root, project):
            yield Finding(
                "mlruns/mlflow.db",
                f"its files are recorded below {old}, from where the checkout was moved",
                "MLflow's pages show no artifacts, and nothing can be downloaded",
                "writes their new places into it; commands that open the store do the same",
                partial(open_store, root, project),
            )
            return
        store = open_store(root, project)
        yield from _runs(store)
        yield from _alias(History(Registry(store)))
    except RegistryError as error:
        consequence, mending = "nothing can be promoted or served", f"nothing: {error.hint}"
        what = f"{error.rule}; found: {error.found}"
        yield Finding(error.place, what, consequence, mending)


def _runs(store: Store) -> Iterator[Finding]:
    for run in abandoned_runs(store):
        yield Finding(
            f"MLflow run {run.info.run_name}, {run.info.run_id}",
            "has no end: its process was killed",
            "MLflow shows it as running for ever",
            "ends it as killed",
            partial(close_abandoned, store),
        )


def _alias(history: History) -> Iterator[Finding]:
    champion = history.head().champion
    if champion is None or (alias := history.registry.alias()) == champion:
        return
    yield Finding(
        "MLflow's alias `champion`",
        f"names {f'version {alias}' if alias else 'none'}, the history version {champion}",
        "whoever reads the alias sees another champion; nothing of modemap follows it",
        f"sets it to version {champion}",
        history.heal,
    )
