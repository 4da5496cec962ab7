"""The default store's database file: made by one process, and following its folder.

MLflow writes absolute artifact locations into it. The experiment carries the folder they were
written for as a tag, so a move or a copy is seen at once and mended in one transaction.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from modemap.errors import RegistryError

__all__ = ["ROOT_TAG", "follow_move", "locked", "recorded_root"]

ROOT_TAG = "modemap.root"
PATIENCE = 60.0  # seconds to wait for another process that makes or mends the database
BUSY = 20.0  # seconds to wait for a writer, as MLflow does
POLL = 0.05

LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def recorded_root(database: Path, project: str) -> str | None:
    """Return the folder for which the experiment ``project`` was made, if it was made."""
    query = (
        "SELECT tag.value FROM experiment_tags AS tag JOIN experiments USING (experiment_id)"
        " WHERE tag.key = ? AND experiments.name = ?"
    )
    if not database.exists():
        return None
    with closing(_connect(database)) as connection:
        if not _has_tables(connection):
            return None
        row = connection.execute(query, (ROOT_TAG, project)).fetchone()
    return str(row[0]) if row else None


def follow_move(database: Path, root: Path) -> None:
    """Rewrite the artifact locations below any recorded folder that is not ``root``."""
    if not database.exists():
        return
    with closing(_connect(database)) as connection:
        if not _has_tables(connection):
            return
        with connection:  # one transaction
            connection.execute("BEGIN IMMEDIATE")
            query = "SELECT DISTINCT value FROM experiment_tags WHERE key = ? AND value != ?"
            for (old,) in connection.execute(query, (ROOT_TAG, str(root))).fetchall():
                _replace_prefix(connection, old, str(root))


def _replace_prefix(connection: sqlite3.Connection, old: str, new: str) -> None:
    below = f"{old.rstrip('/')}/"
    for table, column in LOCATIONS:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608 (constants)
            f" WHERE substr({column}, 1, ?) = ?",
            (f"{new.rstrip('/')}/", len(below) + 1, len(below), below),
        )
    connection.execute(
        "UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?", (new, ROOT_TAG, old)
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, which the system releases when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        deadline = time.monotonic() + PATIENCE
        while not _lock(file.fileno()):
            if time.monotonic() > deadline:
                hint = "another modemap command holds it: wait for it or stop it"
                rule = f"the lock must be free within {PATIENCE:.0f} s"
                raise RegistryError(path, rule, found="it is held", hint=hint)
            time.sleep(POLL)
        yield


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _connect(database: Path) -> sqlite3.Connection:
    # Transactions are begun and ended by hand; a missing file must not spring into being.
    uri = f"{database.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None)


def _has_tables(connection: sqlite3.Connection) -> bool:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    return names.issuperset(table for table, _ in LOCATIONS) and "experiment_tags" in names
