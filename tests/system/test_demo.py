"""`make demo`: the story as it is told, and with its servers killed in the middle."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from examples.demo.traffic import Answer, faults, share_of_canary
from examples.demo.upkeep import pids
from modemap.lifecycle.monitor.findings import read_findings
from tests.projects import CHECKOUT, Project

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(900)]

STORY = (
    "Prefect ",
    "MLflow ",
    "modemap init: a project of 27,004 flights of January",
    "version 1 has passed the gate and is the champion",
    "version 1 answers 30 requests a second",
    "February arrives, 24,951 flights",
    "the flow monitor: no drift",
    "July arrives, 29,425 flights",
    "the flow monitor: drift of ",
    "its event has started retrain/drift on the worker",
    "the gate has passed version 2: it is a canary for 30% of the requests",
    "the service has promoted version 2",
)


def told(folder: Path, kills: Mapping[str, Sequence[str]] = {}) -> list[str]:
    """Tell the story in ``folder``; kill servers once a line holds a key of ``kills``."""
    project = Project(CHECKOUT, folder)
    with subprocess.Popen(
        [sys.executable, "-m", "examples.demo", str(folder / "demo")],
        cwd=CHECKOUT, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as child:  # fmt: skip
        lines = []
        for line in child.stdout or ():
            lines.append(line.rstrip())
            for name in next((names for key, names in kills.items() if key in line), ()):
                os.kill(pids(folder / "demo")[name], signal.SIGKILL)
    assert child.returncode == 0, "\n".join(lines)
    return lines


def logged(folder: Path) -> list[Answer]:
    """Return the log of the answers."""
    with (folder / "demo" / "requests.csv").open() as file:
        return [
            Answer(
                float(row["when"]), row["key"], int(row["status"]), int(row["version"]),
                float(row["seconds"]), int(row["n_asked"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def test_the_story(tmp_path):
    """Each step is told in its order; every request was answered; the pages are there."""
    lines = told(tmp_path)

    steps = iter(lines)
    for step in STORY:
        assert any(step in line for line in steps), (step, lines)
    answers = logged(tmp_path)
    assert len(answers) > 1000
    assert {answer.status for answer in answers} == {200}
    assert {answer.version for answer in answers} == {1, 2}
    assert share_of_canary(answers, 2)[1] > 50
    (finding,) = read_findings(tmp_path / "demo")
    assert (finding.version, finding.closed["outcome"], finding.closed["version"]) == (
        1, "rolled out", 2,
    )  # fmt: skip
    for page in ("index.html", "drift.html", "demo.png"):
        assert (tmp_path / "demo" / "reports" / page).stat().st_size > 10_000


def test_servers_are_killed(tmp_path):
    """MLflow, the service and Prefect are killed in the middle: the story ends as it must."""
    lines = told(
        tmp_path,
        {
            "July arrives": ("service",),
            "its event has started": ("Prefect", "MLflow"),
            "it is a canary": ("service", "MLflow"),
        },
    )

    answers = logged(tmp_path)
    assert any("the service has promoted version" in line for line in lines)
    assert {answer.status for answer in answers} == {200}
    assert max(answer.n_asked for answer in answers) > 1
    assert [finding.closed["outcome"] for finding in read_findings(tmp_path / "demo")][-1] in {
        "rolled out", "promoted",
    }  # fmt: skip


def test_the_share_counts_from_when_the_canary_was_back():
    """A service that was killed answers by the champion until it has loaded both."""
    answers = log_of([1] * 50 + [1, 1, 2] * 30 + [1] * 500 + [1, 1, 2] * 50 + [2] * 9)
    answers[140] = replace(answers[140], n_asked=2)

    assert share_of_canary(answers, 2) == (48, 145)
    assert faults(answers, 2, 0.3) == []


def log_of(versions: Sequence[int], status: int = 200) -> list[Answer]:
    """Return a log of answers by ``versions``."""
    return [Answer(float(n), f"request {n}", status, v, 0.01, 1) for n, v in enumerate(versions)]


@pytest.mark.parametrize(
    ("versions", "status", "found"),
    [
        ([1] * 50 + [1, 1, 2] * 50 + [2] * 50, 200, []),
        ([1] * 50 + [1, 1, 2] * 50 + [2] * 50, 500, ["request 0: status 500"]),
        ([1] * 50 + [1, 1, 1, 2] * 3 + [2] * 50, 200, []),
        ([1] * 50 + [2, 2, 1] * 50 + [2], 200, ["the canary answered 99 of 148"]),
        ([1] * 50 + [2] * 50, 200, ["version 2 was never beside another"]),
        ([1] * 50 + [1, 1, 2] * 50 + [1], 200, ["the last answer is version 1's"]),
        ([1] * 50, 200, ["version 2 was never beside another", "the last answer is version 1's"]),
    ],
)
def test_what_a_log_gives_away(versions, status, found):
    """A status that is no success, a share out of its interval, a canary that never was."""
    said = faults(log_of(versions, status), 2, 0.3)

    assert len(said) >= len(found)
    for text in found:
        assert any(text in line for line in said), said
    assert bool(said) == bool(found)
