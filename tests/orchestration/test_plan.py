"""The order of stages comes from DVC's graph."""

import pytest

from modemap.errors import StageError
from modemap.orchestration.plan import Plan, lock_conflict, read_plan


def test_every_stage_comes_after_what_it_waits_for():
    """Siblings are sorted by name, so the order is one and the same."""
    upstream = {"c": ["a", "b"], "b": ["a"], "a": [], "d": ["c"]}

    order = Plan(upstream, frozenset()).ordered()

    assert order == ["a", "b", "c", "d"]


@pytest.mark.workflow
def test_a_folder_without_dvc_is_told(tmp_path):
    """The message is DVC's own."""
    with pytest.raises(StageError, match="not inside of a DVC repository"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: Unable to acquire lock. Most likely another DVC process is running",
        "'data/raw' is busy, it is being blocked by:",
        "ERROR: failed to reproduce 'a': Unable to read RWLock-file '.dvc/tmp/rwlock'.",
    ],
)
def test_a_lock_that_another_holds_or_left_half_written_is_a_conflict(line):
    """It is tried again, and then told with the file to remove if nobody runs."""
    conflict = lock_conflict("a", ["Running stage 'a'", line])

    assert conflict is not None
    assert "remove .dvc/tmp/rwlock" in str(conflict)
    assert lock_conflict("a", ["ERROR: failed to reproduce 'a': exited with 3"]) is None
