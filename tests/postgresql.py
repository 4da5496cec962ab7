"""A PostgreSQL of a test's own, on loopback and in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modemap.orchestration.servers import free_port

__all__ = ["Postgresql", "postgresql"]

INSTALLED = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Postgresql:
    """A server that runs; its user `modemap` has the password that was given, if any."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def postgresql(database: str, password: str | None = None) -> Iterator[Postgresql]:
    """Run a server with an empty ``database``; without a password it trusts everybody."""
    newest = max(INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="modemap-postgresql-", dir="/tmp"))  # its user can enter
    (folder / "password").write_text(password or "unused")
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
        shutil.chown(folder / "password", "postgres", "postgres")
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "cwd": folder, **user}
    initdb = ["-D", "data", "-U", "modemap", "--no-sync", "--pwfile", "password"]
    initdb += ["-A", "scram-sha-256" if password else "trust"]
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
        create = ["-h", "127.0.0.1", "-p", str(port), "-U", "modemap", database]
        known = os.environ | {"PGPASSWORD": password or ""}
        subprocess.run([newest / "createdb", *create], check=True, env=known)
        by = "modemap" if password is None else f"modemap:{password}"
        yield Postgresql(f"postgresql+psycopg2://{by}@127.0.0.1:{port}/{database}", server)
        server.terminate()
    shutil.rmtree(folder)
