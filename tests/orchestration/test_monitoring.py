"""What the flow `monitor` tells: an event until a retraining names the finding, one alert."""

import pytest
from prefect.logging import disable_run_logger

from modemap.lifecycle.monitor.findings import add_finding, name_finding, read_finding
from modemap.lifecycle.monitor.looked import Looked
from modemap.orchestration import monitoring as module
from modemap.orchestration.monitoring import DRIFT_FOUND, judge, tell
from tests.serving.test_following import CHECKOUT

WINDOW = {"id": "abc", "columns": {"delay": 0.5}, "joint": {"map_hits": 0.1}}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return the events and alerts of a folder in which a flow seems to run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((CHECKOUT / "params.yaml").read_text())
    found = []
    monkeypatch.setattr(module, "emit_event", lambda **event: found.append(event))
    monkeypatch.setattr(module, "alert", lambda _, kind, said: found.append((kind, said)))
    with disable_run_logger():
        yield found


def test_a_finding_is_told_again_until_a_retraining_names_it(told, tmp_path):
    """Each look emits its event, with the finding's name for the automation."""
    add_finding(tmp_path, 1, "d", WINDOW)

    tell.fn()
    tell.fn()
    name_finding(tmp_path, "abc", "run", 24.0)
    tell.fn()

    assert len(told) == 2
    assert told[0]["event"] == DRIFT_FOUND == "modemap.drift.found"
    assert told[0]["resource"]["prefect.resource.id"] == "modemap.drift.modemap"
    assert told[0]["payload"] == {
        "finding": "abc", "champion": 1, "drifted": ["delay", "map_hits"],
    }  # fmt: skip
    assert read_finding(tmp_path, "abc").n_emitted == 2


def test_in_the_cool_down_and_beyond_the_daily_maximum_nothing_is_emitted(told, tmp_path):
    """A retraining began just now, for another finding."""
    add_finding(tmp_path, 1, "d", WINDOW | {"id": "before"})
    name_finding(tmp_path, "before", "run", 24.0)
    add_finding(tmp_path, 1, "d", WINDOW)

    tell.fn()
    with (tmp_path / "params.yaml").open("a") as params:
        params.write("\nmonitor: {cooldown_hours: 0, daily_maximum: 1}\n")
    tell.fn()

    assert told == []
    assert read_finding(tmp_path, "abc").n_emitted == 0


def test_a_new_finding_alerts_and_an_old_one_does_not(told, monkeypatch):
    """People hear of it once; the event is for the automation."""
    for finding in ("abc", None):
        looked = Looked(True, "drift: yes", 1, WINDOW, finding=finding)
        monkeypatch.setattr(module, "look_at", lambda *_, looked=looked: looked)
        judge.fn()

    assert told == [("drift-found", "finding abc: delay, map_hits drifted")]
