"""Two flows at once, a server that is gone in the middle of one, and a version made again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modemap.orchestration.servers import Server, mlflow_server, prefect_server
from tests.faults.project import small_project
from tests.projects import Project
from tests.workflow.test_retrain import flow_runs

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(600)]

ENDS = {0, 6, 8}  # promoted or champion already, stopped by the gate, told that another came first
EVALUATING = "Running stage 'evaluate'"
PATIENCE = 120  # seconds in which a flow without its server must have ended


@pytest.fixture
def project(tmp_path) -> Project:
    """Make a checkout of few rows in which nothing ran yet."""
    return small_project(tmp_path)


def started(project: Project, **environment: str) -> subprocess.Popen[str]:
    """Start `modemap run`."""
    return subprocess.Popen(
        ["modemap", "run"],
        cwd=project.root,
        env=project.environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def made(project: Project) -> str:
    """Return the digest of the release in the checkout."""
    return json.loads(project.read("reports/evaluate.json"))["release_digest"]


@contextmanager
def served(start: Callable[[Path], Iterator[Server]], root: Path) -> Iterator[Server]:
    """Start a server on the stores of ``root``."""
    (root / "mlruns").mkdir(parents=True, exist_ok=True)
    with start(root) as server:
        server.wait()
        yield server


def test_two_flows_on_one_checkout(project):
    """They take turns; there is one version, it is the champion, and the history is whole."""
    flows = [started(project), started(project)]
    said = [flow.communicate()[0] for flow in flows]

    assert [flow.returncode for flow in flows] == [0, 0], said
    found = project.champion()
    assert (found["version"], found["digest"]) == (1, made(project))
    project.succeed("modemap", "verify")
    assert {state for state, _ in flow_runs(project)} <= {"COMPLETED", "FAILED"}


def test_two_checkouts_that_share_a_registry(tmp_path):
    """Each makes its own version; who is champion had the right to be, and the history is whole."""
    here, there = (small_project(tmp_path / name) for name in ("here", "there"))
    params = there.root / "params.yaml"
    params.write_text(params.read_text().replace("max_iter: 10", "max_iter: 12"))
    with served(mlflow_server, tmp_path / "shared") as server:
        shared = {"MLFLOW_TRACKING_URI": server.url}
        flows = [started(here, **shared), started(there, **shared)]
        said = [flow.communicate()[0] for flow in flows]

        assert {flow.returncode for flow in flows} <= ENDS, said
        winners = [
            made(project)
            for project, flow in zip((here, there), flows, strict=True)
            if flow.returncode == 0
        ]
        assert here.champion(**shared)["digest"] in winners
        assert here.champion(**shared) == there.champion(**shared)
        here.succeed("modemap", "verify", **shared)


def ended(flow: subprocess.Popen[str], server: Server) -> tuple[int, str, float]:
    """Kill ``server`` while the flow evaluates; return the code, what it said, and how long."""
    said, since = [], 0.0
    with flow:
        assert flow.stdout is not None
        for line in flow.stdout:
            said.append(line)
            if EVALUATING in line and not since:
                os.killpg(server.child.pid, signal.SIGKILL)
                since = time.monotonic()
    code = flow.returncode
    assert since, "".join(said)
    return code, "".join(said), time.monotonic() - since


def test_mlflow_gone_in_the_middle(project, tmp_path):
    """The flow fails with the registry's code; the release stays, and the next run promotes it."""
    with served(mlflow_server, tmp_path / "shared") as server:
        code, said, seconds = ended(started(project, MLFLOW_TRACKING_URI=server.url), server)
    digest = made(project)

    assert code == 8, said
    assert "the tracking store must answer" in said
    assert "found:" in said
    assert seconds < PATIENCE
    assert [state for state, _ in flow_runs(project)] == ["FAILED"]
    with served(mlflow_server, tmp_path / "shared") as server:
        again = project.succeed("modemap", "run", MLFLOW_TRACKING_URI=server.url)
        assert project.champion(MLFLOW_TRACKING_URI=server.url)["digest"] == digest
    assert "Running stage" not in again


def test_prefect_gone_in_the_middle(project):
    """The flow fails with a message; nothing is lost, and no run stays Running."""
    with served(prefect_server, project.root) as server:
        code, said, seconds = ended(started(project, PREFECT_API_URL=f"{server.url}/api"), server)

    assert code == 9, said
    assert "error: " in said
    assert "the Prefect server must answer" in said
    assert seconds < PATIENCE
    assert [state for state, _ in flow_runs(project)] == ["RUNNING"]
    assert "Prefect run" in project.run("modemap", "doctor").stdout
    project.succeed("modemap", "doctor", "--mend")
    assert [state for state, _ in flow_runs(project)] == ["CRASHED"]
    project.succeed("modemap", "run")
    assert project.champion()["digest"] == made(project)


def test_a_version_is_made_again(project):
    """Its three files put back, `dvc repro` ends with the digest it was registered with."""
    project.succeed("modemap", "run")
    first = project.champion()["digest"]
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("max_iter: 10", "max_iter: 12"))
    project.succeed("dvc", "repro")
    assert made(project) != first
    project.succeed("git", *author, "commit", "-qam", "longer")

    project.succeed("modemap", "checkout", "1", "--force")
    project.succeed("dvc", "repro", "--force")

    assert made(project) == first
