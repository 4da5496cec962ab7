"""The facts of the last run."""

import pytest

from modemap.files import write_json
from modemap.lifecycle.gate import gate_here
from modemap.lifecycle.summary import FAILURES, summary

pytestmark = pytest.mark.workflow

FAILURE = {"exit_code": 3, "place": "data/raw", "rule": "r", "found": "f", "hint": "h"}


@pytest.mark.usefixtures("in_process")
def test_a_judged_release_stands_beside_the_champion(promoted, releases):
    """Both digests, both sets of metrics and every rule's result are there."""
    digest = promoted.install(releases["longer trained"], stability=0.5)
    gate_here(promoted.root)

    facts = summary(promoted.root)

    assert facts["candidate"]["digest"] == digest
    assert facts["candidate"]["metrics"]["stability"] == 0.5
    assert facts["champion"]["version"] == 1
    assert facts["champion"]["metrics"]["stability"] == 0.9
    assert facts["verdict"]["passed"] is True
    assert facts["failures"] == []


def test_the_release_is_compared_with_the_champion(promoted, releases):
    """On the same rows, with a page; the keys of rows stay here."""
    path = promoted.root / "params.yaml"
    path.write_text(path.read_text().replace("key: [time_hour, carrier, flight]", "key: [key]"))
    promoted.install(releases["longer trained"])

    found = summary(promoted.root, promoted.root / "comparison.html")["comparison"]

    assert found["names"] == ["version 1", "the release here"]
    assert found["error_change"]["mean"] != 0
    assert "changed" not in found
    assert "key" in (promoted.root / "comparison.html").read_text()


def test_the_champion_beside_itself_is_not_compared(promoted):
    """There is nothing to say, and no page."""
    facts = summary(promoted.root, promoted.root / "comparison.html")

    assert facts["comparison"] is None
    assert not (promoted.root / "comparison.html").exists()


def test_a_damaged_champion_leaves_the_rest_whole(promoted, releases):
    """What cannot be compared says why, and the summary is made."""
    promoted.install(releases["longer trained"])
    (promoted.artifacts(1) / "release" / "som.npz").unlink()

    facts = summary(promoted.root, promoted.root / "comparison.html")

    assert "som.npz" in facts["comparison"]["refused"]
    assert facts["candidate"]["metrics"]["stability"] == 0.9
    assert not (promoted.root / "comparison.html").exists()


@pytest.mark.usefixtures("in_process")
def test_a_verdict_on_another_release_is_left_out(promoted, releases):
    """What an earlier run was told says nothing of this one."""
    gate_here(promoted.root)
    promoted.install(releases["bad map"])

    assert summary(promoted.root)["verdict"] is None


def test_after_a_failure_no_release_is_shown(promoted):
    """The release that an earlier run left is not this run's."""
    write_json(promoted.root / FAILURES / "validate.json", FAILURE)

    facts = summary(promoted.root)

    assert facts["failures"] == [{"stage": "validate"} | FAILURE]
    assert (facts["candidate"], facts["verdict"]) == (None, None)
    assert facts["champion"]["version"] == 1


def test_a_release_without_its_evaluation_is_not_shown(project):
    """Numbers of another release would mislead."""
    evaluation = project.read("reports/evaluate.json")
    project.write("reports/evaluate.json", evaluation | {"release_digest": "0" * 64})

    assert summary(project.root)["candidate"] is None


def test_before_the_first_run_there_is_nothing(project, tmp_path):
    """A checkout in which nothing ran yet has a summary too."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "params.yaml").write_bytes((project.root / "params.yaml").read_bytes())

    facts = summary(tmp_path / "empty")

    assert facts["candidate"] is facts["champion"] is facts["verdict"] is None
