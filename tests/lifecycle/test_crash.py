"""Killed after any of its writes, a command leaves a state that the next one makes whole."""

import json
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.workflow

SCENARIOS = {  # what is killed, and the version that is champion before and after
    "register": (1, 2),
    "gate": (1, 2),
    "promote": (1, 2),
    "rollback": (2, 1),
}


@pytest.fixture(scope="module")
def folders(after_promotion, after_two, releases, tmp_path_factory):
    """Return a project for each scenario, as it is before the command that will be killed."""
    from modemap.lifecycle.gate import gate
    from modemap.lifecycle.register import register

    base = tmp_path_factory.mktemp("crash")

    def copy(project, name):
        return type(project)(shutil.copytree(project.root, base / name / "checkout"))

    fresh = copy(after_promotion, "register")
    fresh.install(releases["longer trained"])
    registered = copy(fresh, "gate")
    register(registered.root)
    judged = copy(registered, "promote")
    gate(judged.root).require()
    copy(after_two, "rollback")
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
    assert len(points) >= 2
    for point in points:
        assert point["killed"] in {before, after}, point
        assert point["champion"] == point["alias"] == after, point
        assert point["findings"] == [], point
        assert point["running"] == 0, point
        assert point["entries"] == 2 + (command == "rollback"), point
