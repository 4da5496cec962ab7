"""Only a conflict over DVC's locks is tried again."""

import pytest
from prefect.states import Failed

from modemap.errors import StageError
from modemap.orchestration.plan import LockConflictError, lock_conflict
from modemap.orchestration.processes import Finished
from modemap.orchestration.stages import StageFailedError, how_it_ended, is_lock_conflict

BROKEN = {"place": "data/raw", "rule": "must hold", "found": "3 rows", "hint": "mend it"}


def conflict() -> LockConflictError:
    """Return the error that DVC's own words about its lock make."""
    found = lock_conflict("ingest", ["ERROR: Unable to acquire lock. Most likely another DVC …"])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (conflict(), True),
        (StageFailedError(BROKEN, 3), False),
        (StageError("ingest", "must end", found="exit 1", hint="look"), False),
        (ValueError("a fault of ours"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_stage_that_failed_is_not_tried_again(error, again):
    """A gate is never passed by trying again."""
    assert is_lock_conflict(None, None, Failed(data=error)) is again


@pytest.mark.parametrize("words", ["Unable to acquire lock", "it is being blocked by: (PID 7)"])
def test_dvcs_words_about_a_lock_are_known(words):
    """Both messages that DVC has for a lock count."""
    assert lock_conflict("prepare", ["> python", f"ERROR: {words}"]) is not None


def test_other_words_are_no_conflict():
    """A stage's own failure is not taken for a lock."""
    assert lock_conflict("prepare", ["ERROR: failed to reproduce 'prepare'"]) is None


def test_a_stage_fails_with_its_own_message_and_code():
    """What the stage said is what the flow says."""
    error = StageFailedError(BROKEN, 3)

    assert error.exit_code == 3
    assert str(error) == "data/raw: must hold\n  found: 3 rows\n  hint: mend it"


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (-9, "ended by SIGKILL"),  # bash becomes the stage
        (137, "ended by SIGKILL"),  # dash waits for it
        (-15, "ended by SIGTERM"),
        (143, "ended by SIGTERM"),
        (1, "ERROR: failed to run: python -m x, exited with 1"),
        (255, "ERROR: failed to run: python -m x, exited with 255"),
    ],
)
def test_a_signal_is_named_whichever_shell_ran_the_stage(code, end):
    """DVC tells a signal as its negative number or as 128 more than it, as the shell did."""
    lines = [f"ERROR: failed to run: python -m x, exited with {code}"]

    assert how_it_ended(Finished(255, lines)) == end


def test_a_stage_that_said_nothing_is_told_by_its_exit_code():
    """There is always something to show."""
    assert how_it_ended(Finished(255, [])) == "exit code 255"
