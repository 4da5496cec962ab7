"""How a finding is closed, whatever its retraining comes to."""

import pytest
from prefect.logging import disable_run_logger

from modemap.errors import DataError, GateRefusedError, ParamsError, RegistryError, StageError
from modemap.lifecycle.history import Rollout
from modemap.lifecycle.monitor.findings import add_finding, name_finding, read_finding
from modemap.lifecycle.status import Champion
from modemap.orchestration import answering as module
from modemap.orchestration.answering import answering, take_up
from tests.serving.test_following import CHECKOUT

PARTS = {"found": "worse", "hint": "try again"}


@pytest.fixture
def finding(tmp_path, monkeypatch):
    """Return a finding beside champion 1 in a folder in which a flow seems to run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((CHECKOUT / "params.yaml").read_text())
    champion(monkeypatch, 1, "old")
    with disable_run_logger():
        yield add_finding(tmp_path, 1, "old", {"id": "abc"}).id


def champion(monkeypatch, version, digest, rollout=None):
    """Let ``version`` be the champion."""
    now = Champion("m", version, digest, {}, "", "", "", "", rollout, version)
    monkeypatch.setattr(module, "status", lambda _: now)


def retrain(finding, error):
    """Register version 2, then end with ``error``."""
    with answering(finding) as answer:
        answer.version = 2
        raise error


def test_a_new_champion_closes_it_as_promoted(finding, tmp_path, monkeypatch):
    """Outcome and version are in the record."""
    with answering(finding) as answer:
        answer.version = 2
        champion(monkeypatch, 2, "new")

    closed = read_finding(tmp_path, finding).closed
    assert (closed["outcome"], closed["version"]) == ("promoted", 2)


def test_a_canary_closes_it_as_rolled_out(finding, tmp_path, monkeypatch):
    """The service decides what becomes of it; what drifts on is another finding."""
    with answering(finding) as answer:
        answer.version = 2
        champion(monkeypatch, 1, "old", Rollout("canary", 2, "new", 0.1))

    closed = read_finding(tmp_path, finding).closed
    assert (closed["outcome"], closed["version"]) == ("rolled out", 2)


def test_the_same_release_again_closes_it_as_unchanged(finding, tmp_path):
    """The new rows were not in the data."""
    with answering(finding) as answer:
        answer.version = 1

    assert read_finding(tmp_path, finding).closed["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (GateRefusedError("version 2", "must not be worse", **PARTS), "refused"),
        (DataError("july", "must keep the contract", **PARTS), "failed"),
        (ParamsError("params.yaml", "must be", **PARTS), "failed"),
    ],
)
def test_a_refusal_closes_it_and_is_raised(finding, tmp_path, monkeypatch, error, outcome):
    """The record says which version was refused, and why; people are alerted."""
    alerts = []
    monkeypatch.setattr(module, "alert", lambda _, kind, said: alerts.append((kind, said)))
    with pytest.raises(type(error)):
        retrain(finding, error)

    closed = read_finding(tmp_path, finding).closed
    assert (closed["outcome"], closed["version"]) == (outcome, 2)
    assert "found: worse" in closed["why"]
    assert [kind for kind, _ in alerts] == ["retrain-refused"]
    assert f"finding {finding}: {error.place}" in alerts[0][1]


@pytest.mark.parametrize("kind", [RegistryError, StageError])
def test_what_may_pass_by_itself_leaves_it_open(finding, tmp_path, kind):
    """After the cool-down it is told again."""
    with pytest.raises(kind):
        retrain(finding, kind("store", "must answer", **PARTS))

    assert read_finding(tmp_path, finding).is_open


def test_a_run_that_only_judges_says_so(finding, tmp_path):
    """Nothing was registered."""
    with answering(finding):
        pass

    assert read_finding(tmp_path, finding).closed["outcome"] == "judged"


def test_a_finding_that_another_run_has_taken_up_is_left_to_it(finding, tmp_path):
    """Without a finding there is always something to do."""
    name_finding(tmp_path, finding, "another run", 24.0)

    assert not take_up(finding)
    assert take_up(None)
    with answering(None):
        pass
    assert read_finding(tmp_path, finding).is_open
