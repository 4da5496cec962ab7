"""A process that has imported DVC runs one module as ``python -m`` would, and leaves nothing."""

import pytest

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.standby import Standby

pytestmark = pytest.mark.workflow

TELL = """
import os, sys
print(os.getcwd(), sorted(os.environ), sys.argv[1:], "dvc.repo" in sys.modules)
sys.exit(7)
"""


@pytest.fixture
def standby():
    """Yield a standby whose waiting process ends with the test."""
    own = Standby()
    own.prepare()
    yield own
    own.dismiss()


def test_a_module_runs_as_it_was_told(standby, tmp_path):
    """Folder, environment, arguments and exit code are those of the command."""
    (tmp_path / "told.py").write_text(TELL)
    environment = {"LANG": "C.UTF-8", "PATH": "/nowhere"}

    child = standby.run(["told", "one", "two"], root=tmp_path, environment=environment)
    said, _ = child.communicate(timeout=60)

    names = sorted(environment)
    assert said.splitlines() == [f"{tmp_path} {names} ['one', 'two'] True"]
    assert child.returncode == 7


def test_the_next_process_waits_before_it_is_needed(standby, tmp_path):
    """Each is another one: no state of the first command reaches the second."""
    command, environment = ["platform"], tool_environment(tmp_path)

    children = [standby.run(command, root=tmp_path, environment=environment) for _ in range(3)]

    for child in children:
        child.communicate(timeout=60)
    assert len({child.pid for child in children}) == 3
    assert {child.returncode for child in children} == {0}


def test_a_process_that_nobody_needs_ends_in_silence(standby):
    """It ends by itself once whoever started it has let go of it, as when that one was killed."""
    child = standby._waiting

    said, _ = child.communicate(timeout=60)

    assert said == ""
    assert child.returncode == 0
