"""A run that is open while its block runs, and closed however the block ends."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modemap.files import is_running
from modemap.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["abandoned_runs", "close_abandoned", "opened_run", "reopened_run"]

HOST = "modemap.host"
PROCESS = "modemap.process"


@contextmanager
def opened_run(
    store: Store, name: str, tags: Mapping[str, str], started: float | None = None
) -> Iterator[str]:
    """Yield the id of a new run that ends as finished, failed or killed with the block."""
    start_time = int((started or time.time()) * 1000)
    with store.asked() as client:
        run = client.create_run(store.experiment_id, start_time, dict(tags) | _process(), name)
    with _ended_with_the_block(store, run.info.run_id):
        yield run.info.run_id


@contextmanager
def reopened_run(store: Store, run_id: str) -> Iterator[str]:
    """Yield the id of a run that ended before, open again until the block ends."""
    with store.asked() as client:
        for key, value in _process().items():
            client.set_tag(run_id, key, value)
        client.update_run(run_id, status="RUNNING")
    with _ended_with_the_block(store, run_id):
        yield run_id


def _process() -> dict[str, str]:
    return {HOST: socket.gethostname(), PROCESS: str(os.getpid())}


@contextmanager
def _ended_with_the_block(store: Store, run_id: str) -> Iterator[None]:
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        with store.asked() as client:
            client.set_terminated(run_id, status)


def abandoned_runs(store: Store) -> list["Run"]:
    """Return the runs that a process of this machine left open when it was killed."""
    where = f"attributes.status = 'RUNNING' AND tags.`{HOST}` = '{socket.gethostname()}'"
    with store.asked() as client:
        found = client.search_runs([store.experiment_id], where)
    return [run for run in found if not is_running(int(run.data.tags[PROCESS]))]


def close_abandoned(store: Store) -> None:
    """End them as killed."""
    with store.asked() as client:
        for run in abandoned_runs(store):
            client.set_terminated(run.info.run_id, "KILLED")
