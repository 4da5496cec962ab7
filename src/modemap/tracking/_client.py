"""MLflow's client: imported quietly, with bounded patience, its errors told in our own way."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from modemap.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["connect", "error_code", "explained", "prepare", "refuse"]

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
BOUNDED = {  # a dead server is told in seconds, not after MLflow's four minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
DATABASE_ATTEMPTS = 4


def connect(uri: str) -> "MlflowClient":
    """Return a client of the store at ``uri``."""
    prepare()
    from mlflow import MlflowClient

    return MlflowClient(uri)


def prepare() -> None:
    """Import MLflow without telemetry, bars, long waits and its own account of errors."""
    os.environ.update(QUIET)
    for name, value in BOUNDED.items():
        os.environ.setdefault(name, value)
    import mlflow.store.db.utils

    mlflow.store.db.utils.MAX_RETRY_COUNT = DATABASE_ATTEMPTS
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def error_code(error: Exception) -> str:
    """Return the code of an MLflow error, which is not typed."""
    return str(getattr(error, "error_code", ""))


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Raise what MLflow and the database raise in the block as a RegistryError."""
    prepare()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        refuse(uri, error)


def refuse(uri: str, error: Exception) -> NoReturn:
    """Raise ``error`` as a RegistryError about the store at ``uri``, without its password."""
    place = re.sub(r"(?<=//)([^:/@]*):[^@/]*@", r"\1:***@", uri)
    found = next(iter(str(error).strip().splitlines()), type(error).__name__)
    raise RegistryError(
        place, "the tracking store must answer", found=found, hint=_hint(found)
    ) from error


def _hint(found: str) -> str:
    if "locked" in found:
        return "another program is writing: wait for it or stop it, then repeat the command"
    if "not a database" in found or "malformed" in found:
        return "restore the file from a copy, or move it away to start a new store"
    if "out-of-date" in found:
        return "run `mlflow db upgrade` on it, after a backup"
    return "see that the folder or server can be reached and written, then repeat the command"
