"""Prefect's records of flow runs: whose process each is, and the server that keeps them.

The checkout's own database is read as it lies; what changes in it goes through a server, the one
that PREFECT_API_URL names or one that is started for it.
"""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from modemap.errors import StageError
from modemap.files import is_running
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.servers import prefect_server

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["HOST", "PROCESS", "ROOT", "FlowRunRecord", "connected", "flow_runs"]

HOST, PROCESS, ROOT = "modemap.host", "modemap.process", "modemap.root"  # labels of a run
MESSAGE = 500  # characters of Prefect's own words
QUERY = (
    "SELECT id, name, state_type, labels, coalesce(end_time, state_timestamp) FROM flow_run"
    " ORDER BY created"
)


@dataclass(frozen=True)
class FlowRunRecord:
    """A flow run in the checkout's own database."""

    id: UUID
    name: str
    state: str
    labels: dict[str, str]
    ended: datetime  # or came into its state

    @property
    def is_killed(self) -> bool:
        """Whether it seems to be at work though its process on this machine is gone."""
        return (
            self.state in ("RUNNING", "CANCELLING")
            and self.labels.get(HOST) == socket.gethostname()
            and not is_running(int(self.labels[PROCESS]))
        )


def _database(root: Path) -> Path:
    """Return where the checkout's own server keeps its records."""
    return Path(tool_environment(root)["PREFECT_HOME"], "prefect.db")


def flow_runs(root: Path) -> list[FlowRunRecord]:
    """Return the flow runs of the checkout's own database; none where a server is named.

    Raises
    ------
    StageError
        If the database cannot be read.
    """
    path = _database(root)
    if os.environ.get("PREFECT_API_URL") or not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(QUERY).fetchall()
    except sqlite3.Error as error:
        hint = "wait for whoever writes it, or restore it from a copy"
        raise StageError(path, "must be Prefect's database", found=error, hint=hint) from None
    return [
        FlowRunRecord(UUID(id_), name, state or "", json.loads(labels or "{}"), _moment(ended))
        for id_, name, state, labels, ended in rows
    ]


def _moment(text: str | None) -> datetime:
    """Return a time as Prefect writes it, in UTC and without saying so; now where there is none."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else datetime.now(UTC)


@contextmanager
def connected(root: Path) -> Iterator["SyncPrefectClient"]:
    """Yield a client of the server that keeps the records, started for the block if none is named.

    Raises
    ------
    StageError
        If the server does not start, or refuses what is asked of it in the block.
    """
    os.environ.update(tool_environment(root))  # before Prefect reads it
    from prefect.client.orchestration import SyncPrefectClient  # noqa: PLC0415
    from prefect.exceptions import PrefectException, PrefectHTTPStatusError  # noqa: PLC0415

    with ExitStack() as stack:
        address = os.environ.get("PREFECT_API_URL")
        if not address:
            server = stack.enter_context(prefect_server(root))
            server.wait()
            address = f"{server.url}/api"
        try:
            yield stack.enter_context(SyncPrefectClient(address))
        except (PrefectException, PrefectHTTPStatusError, OSError) as error:
            found = " ".join(str(error).split())[:MESSAGE]
            rule, hint = "the Prefect server must take the change", "repeat the command"
            raise StageError(address, rule, found=found, hint=hint) from None
