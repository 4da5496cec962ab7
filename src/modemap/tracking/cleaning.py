"""Runs and versions that nobody needs: found with the room they take, and deleted.

MLflow only marks what is deleted and keeps its files until whoever operates the database calls
`mlflow gc`. In the checkout's own store the files are removed at once, for these take the room; the
marked rows stay, so that no number or id means another thing later.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modemap.files import remove
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import ARTIFACTS, Store

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

__all__ = ["OwnRun", "delete_run", "delete_version", "own_runs"]

KIND = "modemap.kind"  # a tag of every run that modemap logs
ANY_STAGE = 3  # MLflow's ViewType.ALL: those that are marked as deleted too


@dataclass(frozen=True)
class OwnRun:
    """A run that modemap logged and that has ended."""

    run_id: str
    name: str
    digest: str  # of what it made
    ended: datetime
    is_deleted: bool  # marked so, by whomever
    model_ids: list[str]
    folders: list[Path]  # with its files, those that are there

    @property
    def n_bytes(self) -> int:
        """Room that its files take."""
        files = (path for folder in self.folders for path in folder.rglob("*"))
        return sum(path.stat().st_size for path in files if path.is_file())


def own_runs(store: Store) -> list[OwnRun]:
    """Return modemap's runs in the checkout's own store; another store is for others to clean."""
    if not store.is_own:
        return []
    with store.asked() as client:
        models: dict[str, list[str]] = {}
        for model in _all(partial(client.search_logged_models, [store.experiment_id])):
            models.setdefault(str(model.source_run_id), []).append(str(model.model_id))
        where = f"tags.`{KIND}` != ''"
        runs = _all(partial(client.search_runs, [store.experiment_id], where, ANY_STAGE))
        return [_own(store, run, models) for run in runs if run.info.end_time]


def _own(store: Store, run: "Run", models: Mapping[str, list[str]]) -> OwnRun:
    info, artifacts = run.info, store.root / ARTIFACTS
    model_ids = models.get(info.run_id, [])
    folders = [artifacts / info.run_id, *(artifacts / "models" / name for name in model_ids)]
    return OwnRun(
        run_id=info.run_id,
        name=info.run_name,
        digest=run.data.tags.get("modemap.digest", ""),
        ended=datetime.fromtimestamp(info.end_time / 1000, UTC),
        is_deleted=info.lifecycle_stage == "deleted",
        model_ids=model_ids,
        folders=[folder for folder in folders if folder.is_dir()],
    )


def _all(search: "Callable[..., PagedList[Any]]") -> Iterator[Any]:
    """Yield what ``search`` finds, page by page."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def delete_run(store: Store, run: OwnRun) -> None:
    """Mark ``run`` and its models as deleted, and remove their files."""
    with store.asked() as client:
        for model_id in run.model_ids:
            client.delete_logged_model(model_id)
        if not run.is_deleted:
            client.delete_run(run.run_id)
    for folder in run.folders:
        remove(folder)


def delete_version(registry: Registry, version: Version) -> None:
    """Delete ``version``, whose number is not used again; its files are its run's."""
    with registry.store.asked() as client:
        client.delete_model_version(registry.model, str(version.number))
