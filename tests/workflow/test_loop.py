"""From rows that moved to a retraining that answers for them, on a real Prefect server."""

import json
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.data.flights import packaged_months
from modemap.files import read_json
from modemap.orchestration.servers import prefect_server
from tests.servers import asked

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

MONITOR = ("modemap", "run", "--flow", "flows/monitor.py")
SECONDS = 60


@pytest.fixture
def watching(promoted_copy, tmp_path):
    """Deploy a promoted project that watches a folder; return it and its server's API."""
    project = promoted_copy(tmp_path)
    params = project.root / "params.yaml"
    params.write_text(params.read_text() + "\nmonitor: {source: arrived, k: 1, n: 1}\n")
    (project.root / "arrived").mkdir()
    with prefect_server(project.root) as server:
        server.wait()
        api = f"{server.url}/api"
        project.succeed("modemap", "deploy", PREFECT_API_URL=api)
        yield project, api


def arrive(project, month):
    """Let the packaged flights of a month arrive."""
    tables = [table for _, table in packaged_months([month])]
    pq.write_table(pa.concat_tables(tables), project.root / "arrived" / f"{month:02d}.parquet")


def started(api, deployment, n_runs):
    """Return the runs of a deployment once there are so many."""
    wanted = {"deployments": {"id": {"any_": [deployment]}}}
    deadline = time.monotonic() + SECONDS
    while len(runs := asked(api, "flow_runs/filter", wanted)) < n_runs:
        assert time.monotonic() < deadline, runs
        time.sleep(0.2)
    return runs


def test_drift_starts_a_retraining_that_answers_it(watching):
    """July arrives: exit code 4, a finding, and the automation's run, which names and closes it."""
    project, api = watching
    deployment = asked(api, "deployments/name/retrain/drift")["id"]
    nothing = project.run(*MONITOR, PREFECT_API_URL=api)
    arrive(project, 7)

    found = project.run(*MONITOR, PREFECT_API_URL=api)

    assert (nothing.returncode, "nothing new in arrived" in nothing.stdout) == (0, True)
    assert found.returncode == 4, found.stderr
    (path,) = (project.root / ".modemap" / "findings").glob("*.json")
    name = path.stem
    assert f"drift: yes; finding {name}" in found.stdout
    (run,) = started(api, deployment, 1)
    assert run["parameters"]["finding"] == name
    assert asked(api, "artifacts/filter", {"artifacts": {"key": {"any_": ["drift"]}}})

    again = project.run(*MONITOR, PREFECT_API_URL=api)
    assert again.returncode == 0
    assert len(started(api, deployment, 2)) == 2
    assert read_json(path)["n_emitted"] == 2

    code = f"from flows.retrain import retrain; retrain(finding={name!r})"
    project.succeed(sys.executable, "-c", code, PREFECT_API_URL=api)
    closed = read_json(path)["closed"]
    assert (closed["outcome"], closed["version"]) == ("unchanged", 1)
    told = project.succeed(sys.executable, "-c", code, PREFECT_API_URL=api)
    assert f"finding {name} is answered already: unchanged" in told
    project.run(*MONITOR, PREFECT_API_URL=api)
    assert json.loads(path.read_text())["n_emitted"] == 2
