"""Children are streamed, and none outlives its time."""

import subprocess
import sys
import time

import pytest

from modemap.errors import StageError
from modemap.orchestration.processes import start, stream


def python(script: str) -> subprocess.Popen[str]:
    """Start ``script``."""
    return start([sys.executable, "-c", script], environment={})


def test_lines_arrive_while_the_child_runs():
    """A line is shown when it is printed, not when the child ends."""
    arrived = []

    stream(
        python("import time; print('one', flush=True); time.sleep(0.5); print('two')"),
        name="child",
        show=lambda line: arrived.append((line, time.monotonic())),
        timeout_seconds=30,
    )

    (one, first), (two, second) = arrived
    assert (one, two) == ("one", "two")
    assert second - first > 0.3


def test_the_exit_code_and_all_lines_come_back():
    """Standard error counts as output."""
    finished = stream(
        python("import sys; print('out', flush=True); sys.exit('err')"),
        name="child",
        show=lambda _line: None,
        timeout_seconds=30,
    )

    assert finished.returncode == 1
    assert finished.lines == ["out", "err"]


def test_a_late_child_is_stopped_with_its_children(tmp_path):
    """The time-out ends the whole process group."""
    mark = tmp_path / "mark"
    grandchild = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"

    with pytest.raises(StageError, match=r"must end within 0\.5 s"):
        stream(python(script), name="child", show=lambda _line: None, timeout_seconds=0.5)

    time.sleep(2.5)
    assert not mark.exists()


def test_an_interrupted_caller_stops_the_child(tmp_path):
    """An error in the caller does not leave a child behind."""
    mark = tmp_path / "mark"
    script = f"import time; print('go', flush=True); time.sleep(2); open({str(mark)!r}, 'w')"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(python(script), name="child", show=interrupt, timeout_seconds=30)

    time.sleep(2.5)
    assert not mark.exists()
