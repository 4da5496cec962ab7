"""Servers on loopback: Prefect for a run, Prefect and MLflow for looking at runs."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modemap.errors import StageError
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import stop_group

__all__ = [
    "Command",
    "Server",
    "free_port",
    "mlflow_command",
    "mlflow_server",
    "prefect_command",
    "prefect_server",
    "wait_until_healthy",
]

HOST = "127.0.0.1"
START_SECONDS = 120.0
KEEP_ALIVE_SECONDS = 60  # beyond the 25 of Prefect's client, which else finds its connection closed


class Server:
    """A server process with the address at which people and programs find it."""

    def __init__(
        self, name: str, child: subprocess.Popen[str], url: str, health: str, log: Path
    ) -> None:
        self.name, self.child, self.url, self.health, self.log = name, child, url, health, log

    def wait(self) -> None:
        """Return once the server answers.

        Raises
        ------
        StageError
            If it ends or stays silent for two minutes.
        """
        if not wait_until_healthy(self.health, alive=lambda: self.child.poll() is None):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            raise StageError(
                self.url,
                f"the {self.name} server must start within {START_SECONDS:g} s",
                found=lines[-1] if lines else "no message",
                hint=f"read {self.log}",
            )


def free_port(preferred: int = 0) -> int:
    """Return ``preferred`` if it is free on loopback, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("port 0 always binds")


def wait_until_healthy(url: str, alive: object = None, seconds: float = START_SECONDS) -> bool:
    """Poll ``url`` until it answers 200; False once ``alive()`` is false or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own http URL
                if answer.status == 200:  # noqa: PLR2004  # HTTP's OK
                    return True
        except (urllib.error.URLError, OSError):
            if callable(alive) and not alive():
                return False
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)


@dataclass(frozen=True)
class Command:
    """How a server is started, and where it answers then."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    url: str
    health: str


def prefect_command(root: Path, port: int) -> Command:
    """Return the command of Prefect's server on the checkout's own database."""
    url = f"http://{HOST}:{port}"
    environment = tool_environment(root) | {
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_API_URL": f"{url}/api",  # the UI calls this address
        "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": str(KEEP_ALIVE_SECONDS),
    }
    words = ["-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    return Command("Prefect", [sys.executable, *words], environment, url, f"{url}/api/health")


def mlflow_command(root: Path, port: int, database: str | None = None) -> Command:
    """Return the command of MLflow's server on ``database``, by default the checkout's own.

    A database's address may hold a password, so it is not among the words that everybody sees.
    """
    url = f"http://{HOST}:{port}"
    words = ["-m", "mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]
    words += ["--default-artifact-root", str(root / "mlruns" / "artifacts")]
    command = [sys.executable, *words]
    own = f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"
    environment = tool_environment(root) | {"MLFLOW_BACKEND_STORE_URI": database or own}
    return Command("MLflow", command, environment, url, f"{url}/health")


@contextmanager
def prefect_server(root: Path, port: int = 0) -> Iterator[Server]:
    """Start Prefect's server on the checkout's own database; stop it at the end of the block."""
    with _running(root, prefect_command(root, free_port(port))) as server:
        yield server


@contextmanager
def mlflow_server(root: Path, port: int = 0, database: str | None = None) -> Iterator[Server]:
    """Start MLflow's server on ``database``, by default the checkout's; stop it after the block."""
    with _running(root, mlflow_command(root, free_port(port), database)) as server:
        yield server


@contextmanager
def _running(root: Path, command: Command) -> Iterator[Server]:
    log = root / ".modemap" / f"{command.name.lower()}-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        child = subprocess.Popen(
            command.words,
            cwd=root,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield Server(command.name, child, command.url, command.health, log)
    finally:
        stop_group(child)
