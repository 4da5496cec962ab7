"""Only a conflict over DVC's locks is tried again."""

import pytest
from prefect.states import Failed

from modemap.errors import StageError
from modemap.orchestration.plan import LockConflictError, lock_conflict
from modemap.orchestration.stages import StageFailedError, is_lock_conflict

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
