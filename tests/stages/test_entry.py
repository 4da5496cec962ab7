"""A stage as a process: one line when it succeeds, message, file and exit code when it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[2] / "params.yaml"

FAIL = """
from modemap.errors import DataError
from modemap.stages.entry import run_stage
def stage(params):
    raise DataError("rows.csv", "must have rows", found=0, hint="export it again")
run_stage("ingest", stage)
"""
SUCCEED = """
from modemap.stages.entry import run_stage
run_stage("ingest", lambda params: {"rows": 27004, "share": 0.123456})
"""
THREADS = """
import numpy as np, sklearn.cluster
from threadpoolctl import threadpool_info
from modemap.stages.entry import run_stage
run_stage("ingest", lambda params: {"threads": max(p["num_threads"] for p in threadpool_info())})
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage made of ``script`` in a folder with the shipped params."""
    (folder / "params.yaml").write_text(SHIPPED.read_text())
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )


def test_success_is_one_line(tmp_path):
    """Name, seconds and main numbers stand on one line."""
    done = run(SUCCEED, tmp_path)

    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"ingest: \d\.\d s, rows 27,004, share 0\.1235.*", line)


def test_failure_is_told_in_three_ways(tmp_path):
    """Message on standard error, exit code of the error's class, and a file for the caller."""
    done = run(FAIL, tmp_path)

    assert done.returncode == 3
    assert "ingest: error: rows.csv: must have rows\n  found: 0\n  hint: export it" in done.stderr
    failure = json.loads((tmp_path / ".modemap/failures/ingest.json").read_text())
    assert failure == {
        "exit_code": 3,
        "place": "rows.csv",
        "rule": "must have rows",
        "found": "0",
        "hint": "export it again",
    }


def test_a_failure_in_a_flow_is_left_to_the_flow(tmp_path, monkeypatch):
    """The flow reads the record and tells it at the end; twice would be once too often."""
    monkeypatch.setenv("MODEMAP_FLOW_RUN", "5f628327")

    done = run(FAIL, tmp_path)

    assert done.returncode == 3
    assert done.stderr == ""
    assert (tmp_path / ".modemap/failures/ingest.json").exists()


def test_a_failure_that_cannot_be_recorded_is_told_in_a_flow_too(tmp_path, monkeypatch):
    """Nobody else could tell it then."""
    monkeypatch.setenv("MODEMAP_FLOW_RUN", "5f628327")
    (tmp_path / ".modemap").write_text("in the way")

    done = run(FAIL, tmp_path)

    assert done.returncode == 9
    assert "ingest: error: .modemap/failures/ingest.json: the system must let" in done.stderr


def test_a_later_success_takes_the_failure_away(tmp_path):
    """An old failure cannot be taken for a new one."""
    run(FAIL, tmp_path)

    run(SUCCEED, tmp_path)

    assert not (tmp_path / ".modemap/failures/ingest.json").exists()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_blas_and_openmp_get_one_thread(tmp_path, threads, monkeypatch):
    """Whatever the machine offers, sums are taken in one order."""
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", threads)

    done = run(THREADS, tmp_path)

    assert "threads 1" in done.stderr


DENIED = """
import errno
from modemap.stages.entry import run_stage
def stage(params):
    raise OSError(errno.ENOSPC, "Error writing bytes. Detail: ...", "data/raw")
run_stage("ingest", stage)
"""
TERMINATED = """
import os, signal
from modemap.stages.entry import run_stage
def stage(params):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        print("closed", flush=True)
    return {}
run_stage("ingest", stage)
"""


def test_what_the_system_refuses_has_a_place_and_a_next_step(tmp_path):
    """A full disk is no fault of ours: no traceback, but what to do."""
    done = run(DENIED, tmp_path)

    assert done.returncode == 9
    assert "error: data/raw: the system must let the stage" in done.stderr
    found = (
        r"found: No space left on device; [\d,]+ bytes are free\n  hint: make room on the disk, "
    )
    assert re.search(found, done.stderr)


def test_sigterm_closes_what_is_open_and_is_told(tmp_path):
    """Blocks end as at any exit, and whoever started the stage learns why it stopped."""
    done = run(TERMINATED, tmp_path)

    assert done.returncode == 9
    assert done.stdout == "closed\n"
    failure = json.loads((tmp_path / ".modemap/failures/ingest.json").read_text())
    assert failure["found"] == "SIGTERM"


def test_another_version_than_the_projects_runs_no_stage(tmp_path):
    """A project's stages watch the number, so other code must not pass under it."""
    (tmp_path / "params.yaml").write_text(f"modemap: {{version: 0.0.1}}\n{SHIPPED.read_text()}")

    done = subprocess.run(
        [sys.executable, "-c", SUCCEED], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "params.yaml: modemap.version: must be the version that is installed" in done.stderr
    assert "hint: run `modemap upgrade`" in done.stderr
