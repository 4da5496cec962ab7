"""The tracking store of a checkout: opened, and created or carried along where needed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modemap.errors import RegistryError
from modemap.tracking._client import connect, error_code, explained, prepare, refuse
from modemap.tracking._sqlite import ROOT_TAG, follow_move, locked, recorded_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["Store", "moved_from", "open_store", "prepare_to_open", "store_exists", "store_is_gone"]

URI_VARIABLE = "MLFLOW_TRACKING_URI"
DATABASE = Path("mlruns", "mlflow.db")
ARTIFACTS = Path("mlruns", "artifacts")
LOCK = Path(".modemap", "tracking.lock")


@dataclass(frozen=True)
class Store:
    """An open tracking store and one project's experiment in it."""

    root: Path
    uri: str
    project: str
    experiment_id: str
    client: "MlflowClient"

    @property
    def is_own(self) -> bool:
        """Whether it is the checkout's own, in ``mlruns``."""
        return self.uri == f"sqlite:///{self.root / DATABASE}"

    @contextmanager
    def asked(self) -> Iterator["MlflowClient"]:
        """Yield the client; what the store raises in the block becomes a RegistryError."""
        with explained(self.uri):
            yield self.client


def store_exists(root: Path) -> bool:
    """Tell whether there is a store to read; one that the environment names is taken to exist."""
    return bool(os.environ.get(URI_VARIABLE)) or (root / DATABASE).exists()


def store_is_gone(root: Path) -> bool:
    """Tell whether the checkout has had a store of its own, which somebody has removed since."""
    return not store_exists(root) and (root / LOCK).exists()


def moved_from(root: Path, project: str) -> Path | None:
    """Return the folder below which the checkout's own store places its files, if it is another.

    Raises
    ------
    RegistryError
        If the database cannot be read.
    """
    root = root.resolve()
    if os.environ.get(URI_VARIABLE):
        return None
    try:
        recorded = recorded_root(root / DATABASE, project)
    except sqlite3.Error as error:
        refuse(str(root / DATABASE), error)
    return None if recorded in (None, str(root)) else Path(recorded)


def prepare_to_open() -> None:
    """Import what opening a store needs, which takes seconds: for a thread with time to spare."""
    prepare()


def open_store(root: Path, project: str) -> Store:
    """Open the store of the checkout ``root``, or the one that MLFLOW_TRACKING_URI names.

    The default is SQLite in ``mlruns``: created on first use by one process while others wait,
    and mended when its folder was moved or copied.

    Raises
    ------
    RegistryError
        If the store cannot be created or read.
    """
    root = root.resolve()
    default = f"sqlite:///{root / DATABASE}"
    uri = os.environ.get(URI_VARIABLE) or default
    if uri != default:
        return _open(root, uri, project)
    if set("?%") & set(uri):
        rule = "the folder's path must hold neither ? nor %, which mean more in an address"
        raise RegistryError(root, rule, found=root, hint=f"rename it, or set {URI_VARIABLE}")
    try:
        if recorded_root(root / DATABASE, project) == str(root):
            return _open(root, uri, project)
        with locked(root / LOCK):
            follow_move(root / DATABASE, root)
            return _open(root, uri, project, artifacts=root / ARTIFACTS)
    except (sqlite3.Error, OSError) as error:
        refuse(uri, error)


def _open(root: Path, uri: str, project: str, artifacts: Path | None = None) -> Store:
    with explained(uri):
        client = connect(uri)
        experiment = client.get_experiment_by_name(project)
        if experiment is None:
            experiment_id = _create_experiment(client, root, project, artifacts)
        else:
            experiment_id = str(experiment.experiment_id)
            if experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment_id)
    return Store(root, uri, project, experiment_id, client)


def _create_experiment(
    client: "MlflowClient", root: Path, project: str, artifacts: Path | None
) -> str:
    from mlflow.exceptions import MlflowException

    location = str(artifacts) if artifacts else None
    tags = {ROOT_TAG: str(root)} if artifacts else None
    try:
        return str(client.create_experiment(project, location, tags))
    except MlflowException as error:
        if error_code(error) != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(project).experiment_id)
