"""What the system refuses is told with place, bytes and next step."""

import errno
import os
import re

import pytest

from modemap.refusals import NoRoomError, free_bytes, is_refusal, refused


def test_a_full_disk_says_what_was_written_and_what_is_free():
    """Of the moment when it was full, not of now."""
    error = NoRoomError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/raw")
    error.written, error.free = 3_145_728, 512

    told = refused(error, "the stage", "ingest", "run `dvc repro ingest`")

    assert told.exit_code == 9
    assert told.place == "data/raw"
    assert told.found == "No space left on device after 3,145,728 bytes; 512 bytes are free"
    assert told.hint == "make room on the disk, then run `dvc repro ingest`"


def test_a_full_disk_that_nobody_counted_says_what_is_free_now(tmp_path):
    """Of the disk on which the file would be, though no folder of it is there."""
    error = OSError(errno.ENOSPC, "no", str(tmp_path / "not" / "there"))

    told = refused(error, "modemap", "modemap", "repeat the command")

    assert re.fullmatch(r"No space left on device; [\d,]+ bytes are free", told.found)


def test_a_quota_says_what_was_written():
    """How much the quota leaves cannot be known."""
    error = NoRoomError(errno.EDQUOT, os.strerror(errno.EDQUOT), "data/raw")
    error.written, error.free = 100, 10**12

    told = refused(error, "the stage", "ingest", "run again")

    assert told.found == "Disk quota exceeded after 100 bytes"
    assert told.hint == "make room within your quota, then run again"


@pytest.mark.parametrize(
    ("number", "is_one"), [(errno.EACCES, True), (errno.ENAMETOOLONG, True), (errno.EPIPE, False)]
)
def test_a_refusal_is_what_a_person_can_grant(number, is_one):
    """A closed pipe is none."""
    assert is_refusal(OSError(number, "no")) is is_one


def test_free_bytes_are_those_of_the_disk(tmp_path):
    """A folder to be made lies where its parent does."""
    status = os.statvfs(tmp_path)

    free = free_bytes(tmp_path / "new" / "folder")

    assert 0 < free < status.f_frsize * status.f_blocks
