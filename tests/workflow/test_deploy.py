"""The deployments on a real server, and a worker that runs one."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from modemap.errors import ParamsError, StageError
from modemap.lifecycle.backup import backup
from modemap.orchestration.deploy import deploy, read_deployments
from modemap.orchestration.servers import prefect_server
from tests.servers import PREFECT, asked, worker

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def deployed(promoted_copy, tmp_path_factory):
    """Deploy a promoted project on a server of its own; return the project and the server's API."""
    project = promoted_copy(tmp_path_factory.mktemp("deployed"))
    with prefect_server(project.root) as server:
        server.wait()
        api = f"{server.url}/api"
        said = project.succeed("modemap", "deploy", PREFECT_API_URL=api)
        assert "prefect worker start --pool modemap" in said
        yield project, api


@pytest.fixture
def redeployed(deployed):
    """Take the deployments to change; afterwards they are as they were."""
    project, api = deployed
    path = project.root / "prefect.yaml"
    original = path.read_text()
    yield deployed
    path.write_text(original)
    project.succeed("modemap", "deploy", PREFECT_API_URL=api)


def test_the_weekly_run_has_its_schedule_and_explains_its_parameters(deployed):
    """Cron, folder, pool and the description of every parameter are on the server."""
    project, api = deployed

    found = asked(api, "deployments/name/retrain/weekly")

    assert found["schedules"][0]["schedule"] == {
        "cron": "17 4 * * 1", "timezone": "UTC", "day_or": True,
    }  # fmt: skip
    assert found["work_pool_name"] == "modemap"
    (step,) = found["pull_steps"]
    assert list(step.values()) == [{"directory": str(project.root)}]
    parameters = found["parameter_openapi_schema"]["properties"]
    assert sorted(parameters) == ["accept_change", "finding", "promoting", "stage_timeout_seconds"]
    assert all(parameter["description"] for parameter in parameters.values())


@pytest.mark.slow
def test_a_worker_judges_the_release(deployed):
    """A run of the other deployment completes in the project's folder; the store stays as it is."""
    project, api = deployed
    project.succeed("modemap", "status")  # a copied store follows its folder when it is opened
    before = backup(project.root, project.home / "before.tar.gz", cache=False).sha256
    (project.root / "reports/verdict.json").unlink()
    with worker(project, api) as environment:
        done = subprocess.run(
            [*PREFECT, "deployment", "run", "retrain/judge", "--watch"],
            cwd=project.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    runs = asked(api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    assert (runs[0]["state_name"], runs[0]["parameters"]["promoting"]) == ("Completed", False)
    verdict = json.loads(project.read("reports/verdict.json"))
    assert (verdict["version"], verdict["champion"], verdict["passed"]) == (None, 1, True)
    assert backup(project.root, project.home / "after.tar.gz", cache=False).sha256 == before


def test_a_table_is_scored_by_a_flow_run(deployed):
    """Called as a flow against the server, it writes a row for each row of the source."""
    project, api = deployed
    code = "from flows.score import score; print(score('data/raw/*.parquet', 'scores.parquet'))"

    said = project.succeed(sys.executable, "-c", code, PREFECT_API_URL=api)

    n_rows = pq.read_metadata(project.root / "scores.parquet").num_rows
    assert str(n_rows) in said.splitlines()
    runs = asked(api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    assert runs[0]["state_name"] == "Completed"
    assert asked(api, "deployments/name/score/batch")["work_pool_name"] == "modemap"


def test_deploying_again_keeps_the_pool_as_people_set_it(redeployed):
    """A changed schedule arrives; a limit that somebody raised stays."""
    project, api = redeployed
    limit = ("work-pool", "set-concurrency-limit", "modemap", "3")
    project.succeed("prefect", *limit, PREFECT_API_URL=api)
    path = project.root / "prefect.yaml"
    path.write_text(path.read_text().replace("17 4 * * 1", "17 5 * * 1"))

    project.succeed("modemap", "deploy", "--project", "/project", PREFECT_API_URL=api)

    assert asked(api, "work_pools/modemap")["concurrency_limit"] == 3
    found = asked(api, "deployments/name/retrain/weekly")
    automations = asked(api, "automations/filter", {})
    assert [automation["name"] for automation in automations] == ["modemap drift"]
    assert [entry["schedule"]["cron"] for entry in found["schedules"]] == ["17 5 * * 1"]
    assert list(found["pull_steps"][0].values()) == [{"directory": "/project"}]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("retrain.py:retrain", "retrain.py:nothing", "nothing"),
        ("retrain.py:retrain", "missing.py:retrain", "missing.py"),
        ("promoting: false", "promotion: false", "promotion"),
        ("17 4 * * 1", "whenever", "whenever"),
        ("expect: [", "expects: [", "expects"),
    ],
)
def test_what_no_deployment_can_be_is_named(deployed, old, new, said):
    """An entry with another flow, parameter or schedule than there can be ends with a message."""
    project, api = deployed
    path = project.root / "prefect.yaml"
    original = path.read_text()
    assert old in original
    path.write_text(original.replace(old, new))

    done = project.run("modemap", "deploy", PREFECT_API_URL=api)

    path.write_text(original)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: [", "must be YAML"),
        ("", "must be YAML"),
        ("deployments: [{name: weekly}]", "deployments.entrypoint: Field required"),
        ("deployments: [{name: a, cron: b}]", "deployments"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, said):
    """The message names the key."""
    (tmp_path / "prefect.yaml").write_text(text)

    with pytest.raises(ParamsError, match=said):
        read_deployments(tmp_path / "prefect.yaml")


def test_a_server_must_be_named(tmp_path, monkeypatch):
    """The message says how."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    with pytest.raises(ParamsError, match="PREFECT_API_URL: must name the server"):
        deploy(tmp_path)


def test_a_server_that_does_not_answer_is_told(tmp_path, monkeypatch):
    """Nobody waits for minutes."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr("modemap.orchestration.deploy.HEALTH_SECONDS", 0.2)
    (tmp_path / "prefect.yaml").write_text("deployments: []\n")

    with pytest.raises(StageError, match="must answer"):
        deploy(tmp_path)


def test_the_deployments_must_be_there(tmp_path, monkeypatch):
    """A folder that is no project is told so."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    with pytest.raises(ParamsError, match=r"prefect\.yaml"):
        deploy(tmp_path)

    assert not list(tmp_path.iterdir())
