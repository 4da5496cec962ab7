"""A run that is open while its block runs, and closed however the block ends."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modemap.tracking.store import Store

__all__ = ["close_abandoned", "opened_run"]

HOST = "modemap.host"
PROCESS = "modemap.process"


@contextmanager
def opened_run(
    store: Store, name: str, tags: Mapping[str, str], started: float | None = None
) -> Iterator[str]:
    """Yield the id of a new run that ends as finished, failed or killed with the block."""
    process = {HOST: socket.gethostname(), PROCESS: str(os.getpid())}
    start_time = int((started or time.time()) * 1000)
    run = store.client.create_run(store.experiment_id, start_time, dict(tags) | process, name)
    status = "FAILED"
    try:
        yield run.info.run_id
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        store.client.set_terminated(run.info.run_id, status)


def close_abandoned(store: Store) -> None:
    """End the runs that a process of this machine left open when it was killed."""
    where = f"attributes.status = 'RUNNING' AND tags.`{HOST}` = '{socket.gethostname()}'"
    for run in store.client.search_runs([store.experiment_id], where):
        if not _is_alive(int(run.data.tags[PROCESS])):
            store.client.set_terminated(run.info.run_id, "KILLED")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True
