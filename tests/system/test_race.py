"""Of many promotions at once one wins: on SQLite and on PostgreSQL."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from modemap.orchestration.servers import free_port

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

N_PROCESSES, N_ROUNDS = 32, 10
POSTGRES = Path("/usr/lib/postgresql")


@pytest.fixture(scope="module")
def postgresql():
    """Run a PostgreSQL of this test's own on loopback; yield its address."""
    newest = max(POSTGRES.glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="modemap-postgresql-"))
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "cwd": folder, **user}
    initdb = ["-D", "data", "-U", "modemap", "-A", "trust", "--no-sync"]
    subprocess.run([newest / "initdb", *initdb], check=True, **quiet)
    options = ["-D", "data", "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    options += ["-c", "max_connections=300", "-F"]
    with subprocess.Popen(
        [newest / "postgres", *options], cwd=folder, stderr=subprocess.DEVNULL, **user
    ) as server:
        ready = [newest / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None
            time.sleep(0.1)
        create = ["-h", "127.0.0.1", "-p", str(port), "-U", "modemap", "raced"]
        subprocess.run([newest / "createdb", *create], check=True)
        yield f"postgresql+psycopg2://modemap@127.0.0.1:{port}/raced"
        server.terminate()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def uri(request, tmp_path):
    """Return the address of a fresh store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'raced.db'}"
    return request.getfixturevalue("postgresql")


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
