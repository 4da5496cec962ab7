"""The chain from a bare checkout to a promoted release, through the door that people use."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace

import pyarrow.parquet as pq
import pytest

from tests.pages import read_page
from tests.projects import Project, break_contract

pytestmark = pytest.mark.workflow

STAGES = ["ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate"]


def flow_runs(project) -> list[tuple[str, str]]:
    """Return state and message of every flow run in the checkout's own Prefect database."""
    with sqlite3.connect(project.root / ".prefect/prefect.db") as database:
        return database.execute(
            "select s.type, s.message from flow_run r join flow_run_state s on s.id = r.state_id"
            " order by r.start_time"
        ).fetchall()


def test_a_bare_checkout_ends_with_a_champion(promoted):
    """The champion is the release that lies in models/release, judged on the test rows."""
    found = promoted.champion()

    evaluated = json.loads(promoted.read("reports/evaluate.json"))
    assert found["version"] == 1
    assert found["digest"] == evaluated["release_digest"]
    assert found["metrics"]["quantization_error"] == evaluated["quantization_error"]
    assert flow_runs(promoted)[0][0] == "COMPLETED"


def test_dvc_calls_everything_up_to_date(promoted):
    """The flow leaves what `dvc repro` would leave."""
    assert "up to date" in promoted.succeed("dvc", "status")


HOLD_LOCK = """
import sys
from dvc.repo import Repo
with Repo().lock:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def again(promoted) -> str:
    """Run once more with nothing changed, at first beside another command of DVC's.

    Return what the run said.
    """
    pipe, talk = subprocess.PIPE, {"cwd": promoted.root, "env": promoted.environment()}
    holding = [sys.executable, "-c", HOLD_LOCK]
    said = []
    with subprocess.Popen(holding, stdin=pipe, stdout=pipe, text=True, **talk) as lock:
        assert lock.stdout.readline() == "held\n"
        running = {"stdout": pipe, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(["modemap", "run"], **running, **talk) as run:
            for line in run.stdout:
                said.append(line)
                if "DVC's lock must be free" in line:
                    lock.stdin.close()  # it lets go
    assert run.returncode == lock.returncode == 0, "".join(said)
    return "".join(said)


def test_another_dvc_command_is_waited_for(again):
    """A lock that DVC finds taken is tried again, and the run succeeds once it is free."""
    assert "DVC's lock must be free" in again
    assert "\nchampion " in again


def test_git_sees_no_change_but_what_another_processor_makes(promoted, again):
    """After a run the checkout is clean; on another kind of CPU the run says so in one line."""
    changed = {line[3:] for line in promoted.succeed("git", "status", "--porcelain").splitlines()}

    reports = {f"reports/{path.name}" for path in promoted.root.glob("reports/*.json")}
    assert changed <= {"dvc.lock", *reports}
    assert again.count("this processor rounds otherwise") == (1 if changed else 0)


def test_again_nothing_runs_and_no_version_is_made(promoted, again):
    """Every stage is shown as cached, and the champion stays."""
    for stage in STAGES:
        assert f"Task run '{stage}' - Finished in state Cached('up to date'" in again
    assert "version 1 is the champion already" in again
    assert promoted.champion()["version"] == 1
    with sqlite3.connect(promoted.root / "mlruns/mlflow.db") as database:
        versions = database.execute(
            "select count(*) from model_versions where name = 'modemap'"
        ).fetchone()
    assert versions == (1,)


def test_a_run_ends_with_what_a_newcomer_needs(again):
    """Champion, metrics, paths and five next commands close the run."""
    closing = again[again.index("\nchampion ") :].splitlines()

    assert closing[1].startswith("champion  modemap version 1, digest ")
    assert "quantization_error" in closing[2]
    assert len([line for line in closing if line.startswith("  ")]) == 5


def test_the_rows_come_back_with_scores(promoted):
    """Every prepared row has its key, unit, segment, percentile, likelihood and modes."""
    scores = pq.read_table(promoted.root / "reports/scores.parquet")

    prepared = json.loads(promoted.read("reports/prepare.json"))["rows"]
    assert scores.num_rows == sum(prepared.values())
    assert scores.column_names[:8] == [
        "time_hour", "carrier", "flight",
        "split", "unit", "segment", "anomaly_percentile", "log_likelihood",
    ]  # fmt: skip
    assert not any(column.null_count for column in scores.columns)
    percentiles = scores["anomaly_percentile"].to_numpy()
    assert 0 <= percentiles.min() <= percentiles.max() <= 100
    assert (
        scores.select(["time_hour", "carrier", "flight"])
        .group_by(["time_hour", "carrier", "flight"])
        .aggregate([])
        .num_rows
        == scores.num_rows
    )


def test_each_training_logged_one_run_with_its_origin(promoted):
    """A run names its data, code, flow run and model, and holds curve, pictures and an example."""
    with sqlite3.connect(promoted.root / "mlruns/mlflow.db") as database:
        tags = database.execute(
            "select t.run_uuid, t.key, t.value from tags t join runs r using (run_uuid)"
        ).fetchall()
    runs: dict[str, dict[str, str]] = {}
    for run, key, value in tags:
        runs.setdefault(run, {})[key] = value
    training = {r["modemap.stage"]: r for r in runs.values() if "modemap.stage" in r}

    assert sorted(training) == ["train_mixture", "train_som"]
    assert len(runs) == 3  # and the release
    head = promoted.succeed("git", "rev-parse", "HEAD").strip()
    for run in training.values():
        assert run["modemap.commit"] == head
        assert run["modemap.dirty"] == "false"
        assert re.fullmatch(r"[0-9a-f]{32}\.dir", run["modemap.data"])
        assert re.fullmatch(r"[0-9a-f-]{36}", run["modemap.flow_run"])


@pytest.mark.slow
def test_a_moved_checkout_works_and_makes_no_new_version(copied):
    """In another folder the same run finds its history and its artifacts."""
    before = copied.champion()

    copied.succeed("modemap", "run")
    verdict = copied.succeed("modemap", "gate", "1")

    assert copied.champion() == before
    assert "passed" in verdict


@dataclass(frozen=True)
class Broken:
    """A project whose data broke the contract, and what every attempt to run it came to."""

    project: Project
    flight: str
    champion_before: dict
    flows: list[subprocess.CompletedProcess[str]]
    alone: list[subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def broken(promoted_copy, tmp_path_factory) -> Broken:
    """Break the contract of a promoted project; run it twice by the flow, and by DVC.

    At first a folder stands where the report goes.
    """
    project = promoted_copy(tmp_path_factory.mktemp("broken"))
    before = project.champion()
    flight = break_contract(project)
    report = project.root / "reports/index.html"
    report.unlink()
    (report / "in the way").mkdir(parents=True)
    flows = [project.run("modemap", "run")]
    shutil.rmtree(report)
    flows.append(project.run("modemap", "run"))
    return Broken(project, flight, before, flows, [project.run("dvc", "repro")])


def assert_stopped(broken: Broken) -> None:
    """Check that every run named rule and row, and that the champion stayed."""
    for done in broken.flows:
        assert done.returncode == 3
        assert "distance" in done.stderr
        assert "expect_column_values_to_be_between" in done.stderr
        assert broken.flight in done.stderr
    for done in broken.alone:
        assert done.returncode == 255
        assert "expect_column_values_to_be_between" in done.stderr
    assert broken.project.champion() == broken.champion_before


def test_a_broken_rule_stops_every_run_and_the_champion_stays(broken):
    """Again and again, by the flow and by DVC: exit code 3, rule and row named."""
    assert_stopped(broken)
    state, message = flow_runs(broken.project)[-1]
    assert state == "FAILED"
    assert "expect_column_values_to_be_between" in message
    assert broken.flight in message


@pytest.mark.slow
def test_a_broken_rule_stops_the_third_run_too(broken):
    """What the runs before left behind lets nothing through."""
    run = broken.project.run
    flows = [*broken.flows, run("modemap", "run")]
    alone = [*broken.alone, run("dvc", "repro"), run("dvc", "repro")]
    assert_stopped(replace(broken, flows=flows, alone=alone))


def test_what_stopped_a_run_is_told_once(broken):
    """At the end, after the names of the tasks, and not where in the code it was raised."""
    for done in broken.flows:
        assert "Traceback" not in done.stdout + done.stderr
        assert (done.stdout + done.stderr).count("expect_column_values_to_be_between") == 1
        assert "\nerror: " in done.stderr


@pytest.mark.slow
def test_the_params_of_a_run_are_refused_as_by_a_stage(bare):
    """Three lines after those of Prefect, and the exit code of the params."""
    params = bare.root / "params.yaml"
    params.write_text(params.read_text().replace("n_rows: 16", "n_rows: none"))

    done = bare.run("modemap", "run")

    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("train_som.n_rows: input should be") == 1
    assert done.stderr.splitlines()[-3].startswith("error: ")
    assert flow_runs(bare)[-1][0] == "FAILED"
    assert "train_som.n_rows" in flow_runs(bare)[-1][1]


def test_the_report_and_the_quarantine_tell_of_a_broken_rule(broken):
    """The row is set aside, and the pages speak of it and of no models that were there before."""
    quarantined = list((broken.project.root / "data/quarantine").glob("*/rows.parquet"))
    assert len(quarantined) == 1
    assert pq.read_table(quarantined[0])["flight"].to_pylist() == [int(broken.flight)]
    page = read_page(broken.project.read("reports/index.html"))
    assert "The data broke its contract" in page.text
    assert "exit code 3" in page.text
    assert page.number("champion") == broken.champion_before["version"]
    assert "rows" not in page.facts  # of the models that were there before
    docs = read_page(broken.project.read("reports/data_docs/index.html")).text
    assert "distance expected to be between 10 and 5,000" in docs
    assert f"flight {broken.flight}" in docs


def test_nothing_after_a_failed_stage_runs(broken):
    """No later stage starts, nothing is registered, and a failing report hides no error."""
    first = broken.flows[0]
    assert first.returncode == 3
    assert "expect_column_values_to_be_between" in first.stderr
    assert "the report must be written" in first.stderr
    for done in broken.flows:
        assert "Running stage 'prepare'" not in done.stdout + done.stderr
        assert "Task run 'register'" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_smaller_map_needs_a_reason(copied):
    """A release that cannot be compared stops at the gate with exit code 6, and passes with one."""
    params = copied.root / "params.yaml"
    params.write_text(params.read_text().replace("n_rows: 16", "n_rows: 12"))

    refused = copied.run("modemap", "run")
    assert refused.returncode == 6
    assert "comparable" in refused.stderr
    assert copied.champion()["version"] == 1
    page = read_page(copied.read("reports/index.html"))
    assert "Version 2 was stopped by the gate" in page.text
    assert "champion, version 1" in page.text
    assert "comparable ✗ failed" in page.text

    copied.succeed("modemap", "run", "--accept-change", "a smaller map is enough")
    found = copied.champion()
    assert found["version"] == 2
    assert "a smaller map is enough" in found["why"]


@pytest.mark.slow
def test_a_lost_record_is_written_again(copied):
    """Models that DVC still has are registered with new runs when the tracking store is gone."""
    digest = copied.champion()["digest"]
    shutil.rmtree(copied.root / "mlruns")

    said = copied.succeed("modemap", "run")

    assert "Running stage" not in said
    assert copied.champion()["digest"] == digest
