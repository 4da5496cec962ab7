"""A run that may not promote, against a team's store."""

import json
import sqlite3

import pytest

from modemap.files import sha256_file
from tests.pages import read_page

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def team(promoted_copy, tmp_path_factory):
    """Return the address and the database of a store that a team shares."""
    project = promoted_copy(tmp_path_factory.mktemp("team"))
    project.succeed("modemap", "status")  # a copied store follows its folder when it is opened
    database = project.root / "mlruns" / "mlflow.db"
    return f"sqlite:///{database}", database


@pytest.fixture(scope="module")
def judged(team, promoted_copy, tmp_path_factory):
    """Change a seed and run without promoting; return the project and what the run said."""
    project = promoted_copy(tmp_path_factory.mktemp("judged"))
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("random_state: 0", "random_state: 1"))
    before = sha256_file(team[1])
    done = project.run("modemap", "run", "--no-promote", MLFLOW_TRACKING_URI=team[0])
    assert sha256_file(team[1]) == before
    return project, done


def test_the_release_meets_the_teams_champion(judged):
    """It is trained and judged, and the exit code is the gate's."""
    project, done = judged
    verdict = json.loads(project.read("reports/verdict.json"))

    assert "train_som:" in done.stdout + done.stderr
    assert (verdict["version"], verdict["champion"]) == (None, 1)
    assert done.returncode == (0 if verdict["passed"] else 6), done.stderr


def test_the_report_tells_the_verdict(judged):
    """The page speaks of a release without a version, and of what every rule said of it."""
    project, _ = judged
    verdict = json.loads(project.read("reports/verdict.json"))

    page = read_page(project.read("reports/index.html"))

    told = "A release that passed the gate" if verdict["passed"] else "A release that the gate"
    assert told in page.text
    rules = [shown["data-rule"] for _, shown in page.elements if "data-rule" in shown]
    assert rules == [result["rule"] for result in verdict["results"]]


def test_its_training_is_recorded_in_the_checkout_alone(judged, team):
    """The checkout's own store has two runs more than the team's, and no version more."""
    project, _ = judged
    counts = []
    for database in (project.root / "mlruns/mlflow.db", team[1]):
        with sqlite3.connect(database) as connection:
            runs = connection.execute("select count(*) from runs").fetchone()[0]
            versions = connection.execute("select count(*) from model_versions").fetchone()[0]
        counts.append((runs, versions))

    own, shared = counts
    assert own == (shared[0] + 2, shared[1])


def test_the_summary_shows_both(judged, team):
    """The job's summary speaks of the team's champion."""
    project, _ = judged

    said = project.succeed("modemap", "summary", MLFLOW_TRACKING_URI=team[0])

    assert "champion, version `1`" in said
    assert "The gate, rule by rule" in said


def test_a_store_is_carried_by_commands(promoted_copy, tmp_path, bare):
    """Saved in one checkout and restored in another, the champion is the same."""
    (tmp_path / "first").mkdir()
    project = promoted_copy(tmp_path / "first")
    project.succeed("modemap", "backup", str(tmp_path / "store.tar.gz"))

    bare.succeed("modemap", "restore", str(tmp_path / "store.tar.gz"))

    champions = [checkout.champion() for checkout in (project, bare)]
    assert champions[0] == champions[1]
    again = bare.run("modemap", "restore", str(tmp_path / "store.tar.gz"))
    assert again.returncode == 8
