"""Killed after any of its writes, a command leaves a state that the next one makes whole."""

import json
import subprocess
import sys

import pytest

from modemap.lifecycle.gate import gate
from modemap.lifecycle.register import register
from tests.lifecycle.conftest import copy_of
from tests.lifecycle.killing import KEY

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(700)]

SCENARIOS = {  # what is killed, and the version that is champion before and in the end
    "register": (1, 2),
    "gate": (1, 2),
    "approve": (1, 2),
    "promote": (1, 2),
    "rollback": (2, 1),
}


@pytest.fixture(scope="module")
def folders(after_promotion, after_two, releases, tmp_path_factory):
    """Return a project for each scenario, as it is before the command that will be killed."""
    base = tmp_path_factory.mktemp("crash")
    fresh = copy_of(after_promotion, base / "register")
    fresh.install(releases["longer trained"])
    registered = copy_of(fresh, base / "gate")
    register(registered.root)
    judged = copy_of(registered, base / "promote")
    gate(judged.root).require()
    asking = copy_of(judged, base / "approve")
    key = base / "approve" / KEY
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text()
    (asking.root / "approvers").write_text(f"ann@example.org {public}")
    params = asking.root / "params.yaml"
    params.write_text(params.read_text().replace("required: false", "required: true"))
    copy_of(after_two, base / "rollback").leave_metrics_to_git()
    return base


@pytest.mark.parametrize("command", SCENARIOS)
def test_the_next_call_ends_well_wherever_the_last_was_killed(folders, command):
    """SIGKILL after each write to the store: the champion is old or new, never none or half."""
    before, after = SCENARIOS[command]
    walk = [sys.executable, "-m", "tests.lifecycle.killing", command, str(folders / command)]

    done = subprocess.run(walk, capture_output=True, text=True, check=False, timeout=600)

    assert done.returncode == 0, done.stderr
    *points, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert last["point"] is None  # it came to its end, so every write was a point
    assert points
    for point in points:
        assert point["killed"] in {before, after}, point
        assert point["champion"] == point["alias"] == after, point
        assert point["findings"] == [], point
        assert point["running"] == 0, point
        assert point["entries"] == 2 + (command == "rollback"), point
