"""Prefect's and MLflow's pages: a team's, or those of a server for the time of looking."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from modemap.orchestration.servers import Server, mlflow_server, prefect_server
from modemap.params import load_params
from modemap.tracking.store import open_store

__all__ = ["Page", "mlflow_page", "prefect_page", "until_interrupted"]


@dataclass(frozen=True)
class Page:
    """A page, and the server that was started for it, if one was."""

    url: str
    server: Server | None = None

    def wait(self) -> None:
        """Return once it can be looked at."""
        if self.server is not None:
            self.server.wait()


@contextmanager
def prefect_page(root: Path, port: int = 4200) -> Iterator[Page]:
    """Yield the page of all flow runs on the server that PREFECT_API_URL names.

    Where it names none, a server of the checkout's own records runs for the block.
    """
    if address := os.environ.get("PREFECT_API_URL"):
        yield Page(f"{address.rstrip('/').removesuffix('/api')}/runs")
        return
    with prefect_server(root, port) as server:
        yield Page(f"{server.url}/runs", server)


@contextmanager
def mlflow_page(root: Path, port: int = 5000) -> Iterator[Page]:
    """Yield the page of the project's runs on the server that MLFLOW_TRACKING_URI names.

    Where it names none, a server of the checkout's own store runs for the block; where it names a
    database, one of that database.

    Raises
    ------
    RegistryError
        If the store does not answer.
    """
    store = open_store(root, load_params(root / "params.yaml").project)
    runs = f"#/experiments/{store.experiment_id}/runs"
    if store.uri.startswith(("http://", "https://")):
        yield Page(f"{store.uri.rstrip('/')}/{runs}")
        return
    with mlflow_server(root, port, store.uri) as server:
        yield Page(f"{server.url}/{runs}", server)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the block at Ctrl-C or a polite end; in the background too, where shells ignore it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield
