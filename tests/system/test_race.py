"""Of many promotions at once one wins: on SQLite, on PostgreSQL and through servers of both."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import stop_group
from modemap.orchestration.servers import free_port, wait_until_healthy
from tests.postgresql import postgresql

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

N_PROCESSES, N_ROUNDS = 32, 10
SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(N_PROCESSES),  # else a slow machine's callers wait 30 s
}


@contextmanager
def served(database: str, folder: Path) -> Iterator[str]:
    """Run an MLflow server of four workers over ``database``; yield its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "4", "--backend-store-uri", database]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=tool_environment(folder) | SETTINGS,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        assert wait_until_healthy(f"{url}/health", alive=lambda: child.poll() is None)
        yield url
    finally:
        stop_group(child)


@pytest.fixture(params=["sqlite", "postgresql", "sqlite served", "postgresql served"])
def uri(request, tmp_path):
    """Yield the address of a fresh store of each kind."""
    kind, _, through = request.param.partition(" ")
    with ExitStack() as running:
        if kind == "sqlite":
            address = f"sqlite:///{tmp_path / 'raced.db'}"
        else:
            address = running.enter_context(postgresql("raced")).url
        yield running.enter_context(served(address, tmp_path)) if through else address


def test_of_many_promotions_at_once_one_wins(uri, tmp_path):
    """One champion a round, everyone else told, one line of entries, and no reader without one."""
    command = ["-m", "tests.system.racing", uri, str(N_PROCESSES), str(N_ROUNDS), str(tmp_path)]

    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=800
    )

    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert set(report["codes"]) == {0}
    assert [number for number, _ in report["winners"]] == list(range(N_ROUNDS))
    assert report["n_told"] == (N_PROCESSES - 1) * N_ROUNDS
    numbers = [number for number, _ in report["entries"]]
    assert numbers == list(range(1, N_PROCESSES * N_ROUNDS + 2))
    assert sum(is_valid for _, is_valid in report["entries"]) == N_ROUNDS + 1
    assert report["champion"] == report["alias"] == report["winners"][-1][1] + 1
    assert report["reader"]["polls"] > N_ROUNDS
    assert report["reader"]["none"] == 0
    assert report["reader"]["champions"] > 1
    assert "database is locked" not in done.stderr
