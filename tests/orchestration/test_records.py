"""Prefect's records: what a killed process left open is ended, what is old is deleted."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from modemap.errors import StageError
from modemap.orchestration.doctor import doctor, examine
from modemap.orchestration.gc import collect_garbage
from modemap.orchestration.records import HOST, PROCESS, flow_runs

pytestmark = pytest.mark.workflow

OLD = (datetime.now(UTC) - timedelta(days=40)).strftime("%Y-%m-%d %H:%M:%S.%f")
OTHER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def recorded(copied, monkeypatch):
    """Return a promoted project, ready for calls in this process: its flow run is on record."""
    copied.succeed("modemap", "status")  # a copied store follows its folder when it is opened
    monkeypatch.chdir(copied.root)
    for name, value in copied.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREFECT_HOME", str(copied.root / ".prefect"))
    first = "SELECT id FROM flow_run ORDER BY created LIMIT 1"  # other tests may have made more
    change(copied, f"DELETE FROM flow_run WHERE id != ({first})")  # noqa: S608  # words of ours
    return copied


def change(project, statement: str, *values: object) -> None:
    """Edit the checkout's own database of Prefect's."""
    with closing(sqlite3.connect(project.root / ".prefect/prefect.db")) as database:
        database.execute(statement, values)
        database.commit()


def reopen(project, process: int) -> None:
    """Make the run of the project and one of its tasks look as if ``process`` were at work."""
    labels = json.dumps({HOST: socket.gethostname(), PROCESS: str(process)})
    change(project, "UPDATE flow_run SET state_type = 'RUNNING', labels = ?", labels)
    change(project, "UPDATE flow_run_state SET type = 'RUNNING', name = 'Running'"
           " WHERE id = (SELECT state_id FROM flow_run)")  # fmt: skip


def test_a_run_keeps_whose_process_it_is(promoted):
    """Its labels name machine, process and folder, so that a killed one is told from others."""
    run = next(run for run in flow_runs(promoted.root) if PROCESS in run.labels)

    assert run.labels[HOST] == socket.gethostname()
    assert int(run.labels[PROCESS]) > 0
    assert not run.is_killed


def test_a_run_of_a_living_process_is_no_finding(recorded):
    """It is at work."""
    reopen(recorded, os.getpid())

    assert examine(recorded.root) == []


@pytest.mark.slow
def test_a_killed_run_is_ended_and_an_old_one_deleted(recorded):
    """Both go through a server, which is started for it and stopped; a dry run starts none."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    reopen(recorded, dead.pid)
    (found,) = examine(recorded.root)
    assert found.place.startswith("Prefect run ")

    diagnosis = doctor(recorded.root, mend=True)

    assert diagnosis.findings == [found]
    assert diagnosis.left == []
    (run,) = flow_runs(recorded.root)
    assert run.state == "CRASHED"

    change(recorded, "UPDATE flow_run SET end_time = ?", OLD)
    assert collect_garbage(recorded.root, 30) == []  # the champion's
    change(recorded, "UPDATE flow_run SET id = ?", OTHER)  # of a version that nobody promoted
    change(recorded, "UPDATE log SET flow_run_id = ?", OTHER)
    (listed,) = collect_garbage(recorded.root, 30, dry_run=True)
    assert listed.store == "Prefect"
    assert len(flow_runs(recorded.root)) == 1

    assert collect_garbage(recorded.root, 30) == [listed]

    assert flow_runs(recorded.root) == []
    with closing(sqlite3.connect(recorded.root / ".prefect/prefect.db")) as database:
        assert database.execute("SELECT count(*) FROM log").fetchone() == (0,)


def test_a_database_that_cannot_be_read_is_told(recorded):
    """The message names it."""
    (recorded.root / ".prefect/prefect.db").write_bytes(b"no database" * 999)

    with pytest.raises(StageError, match=r"prefect\.db: must be Prefect's database"):
        flow_runs(recorded.root)


def test_the_records_of_a_server_are_not_read(recorded, monkeypatch):
    """Where PREFECT_API_URL names one, others work there too."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")

    assert flow_runs(recorded.root) == []
