"""A flow run whose promotion waits for a person: it is paused, no process waits, and it goes on."""

import shutil
import subprocess
import sys
import time

import pytest

from modemap.orchestration.servers import prefect_server
from tests.servers import asked, worker

pytestmark = pytest.mark.workflow

HOURS = "hours: 24.0"
FAILS_WITHIN = 30.0  # seconds after its time is over: Prefect looks every five


@pytest.fixture(scope="module")
def asking(promoted_copy, tmp_path_factory):
    """Return a trained project without a champion, in which params ask for Ann's approval."""
    project = promoted_copy(tmp_path_factory.mktemp("asking"))
    shutil.rmtree(project.root / "mlruns")
    key = project.home / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text()
    (project.root / "approvers").write_text(f"ann@example.org {public}")
    edit(project, "required: false", "required: true")
    return project


@pytest.fixture(scope="module")
def api(asking):
    """Start a server for the project's runs; return its address."""
    with prefect_server(asking.root) as server:
        server.wait()
        yield f"{server.url}/api"


def edit(project, old: str, new: str) -> None:
    """Replace a value of params.yaml; what no stage reads makes none of them run again."""
    params = project.root / "params.yaml"
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new))


def runs(api: str) -> list[dict]:
    """Return all runs, the newest first."""
    return asked(api, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})


def states(api: str, run: dict) -> list[str]:
    """Return the names of the states that a run was in."""
    found = asked(api, f"flow_run_states/?flow_run_id={run['id']}")
    return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]


def until(name: str, ask, seconds: float):
    """Return the run that ``ask`` names once it is in this state."""
    deadline = time.monotonic() + seconds
    while (run := ask())["state"]["name"] != name:
        assert time.monotonic() < deadline, run["state"]
        time.sleep(0.5)
    return run


def approve(project, **environment: str) -> str:
    """Sign as Ann; return what is said."""
    command = ("modemap", "approve", "1", "--key", str(project.home / "ann"), "--why", "looked")
    return project.succeed(*command, **environment)


@pytest.mark.slow
def test_a_run_waits_without_a_process_and_goes_on_once_approved(asking, api):
    """One run: paused with the command to approve, again while nobody has, then completed."""
    before = {run["id"] for run in runs(api)}
    edit(asking, HOURS, "hours: 0.0003")
    done = asking.run("modemap", "run", PREFECT_API_URL=api)
    late = runs(api)[0]
    assert done.returncode == 6, done.stderr
    late = until("Failed", lambda: asked(api, f"flow_runs/{late['id']}"), FAILS_WITHIN)
    assert "never resumed" in late["state"]["message"]
    assert states(api, late)[-2:] == ["AwaitingApproval", "Failed"]

    edit(asking, "hours: 0.0003", HOURS)
    for _ in range(2):  # nobody has approved yet: the same run waits again
        done = asking.run("modemap", "run", PREFECT_API_URL=api)
        assert done.returncode == 6, done.stderr
        assert "version 1: waits for an approval" in done.stderr
        waiting = runs(api)[0]
        assert waiting["state"]["type"] == "PAUSED"
        assert "`modemap approve 1 --key FILE --why TEXT`" in waiting["state"]["message"]
        assert asking.champion() is None

    assert "`modemap run` goes on" in approve(asking, PREFECT_API_URL=api)
    assert asking.champion() is None  # a signature alone promotes nothing
    asking.succeed("modemap", "run", PREFECT_API_URL=api)

    assert asking.champion()["version"] == 1
    ended = asked(api, f"flow_runs/{waiting['id']}")
    waited = ["Running", "AwaitingApproval"]
    assert [name for name in states(api, ended) if name != "Pending"] == [
        *waited, *waited, "Running", "Completed",
    ]  # fmt: skip
    assert {run["id"] for run in runs(api)} == before | {late["id"], ended["id"]}


@pytest.mark.slow
def test_a_worker_goes_on_with_the_run_of_a_deployment(asking, api):
    """Approving on the server wakes it; the process had ended when the run began to wait."""
    shutil.rmtree(asking.root / "mlruns", ignore_errors=True)
    asking.succeed("modemap", "deploy", PREFECT_API_URL=api)
    with worker(asking, api):
        asking.succeed("prefect", "deployment", "run", "retrain/weekly", PREFECT_API_URL=api)
        (run,) = [run for run in runs(api) if run["deployment_id"]]
        until("AwaitingApproval", lambda: asked(api, f"flow_runs/{run['id']}"), 120)
        assert asking.champion() is None

        assert "a worker goes on" in approve(asking, PREFECT_API_URL=api)

        until("Completed", lambda: asked(api, f"flow_runs/{run['id']}"), 120)
    assert asking.champion()["version"] == 1


LOOK = """
from pathlib import Path
from prefect import flow
from modemap.orchestration.promotion import gate
from modemap.tracking import open_store

open_store(Path.cwd(), "modemap").client.delete_registered_model_alias("modemap", "champion")

@flow(name="look")
def look():
    gate(1)

look()
"""


@pytest.mark.slow
def test_an_alias_that_another_hand_moved_is_an_event(promoted_copy, tmp_path, api):
    """An automation can alert people of it; the champion stays the history's."""
    project = promoted_copy(tmp_path)
    project.succeed("modemap", "status")  # a copied store follows its folder when it is opened

    said = project.succeed(sys.executable, "-c", LOOK, PREFECT_API_URL=api)

    assert "alias `champion` names None, the history version 1" in said
    wanted = {"filter": {"event": {"name": ["modemap.alias.moved"]}}}
    deadline = time.monotonic() + FAILS_WITHIN
    while not (found := asked(api, "events/filter", wanted)["events"]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert found[0]["resource"]["prefect.resource.id"] == "modemap.champion.modemap"
    assert (found[0]["payload"]["alias"], found[0]["payload"]["champion"]) == (None, 1)
    assert "alias `champion` names none" in project.succeed("modemap", "status")
