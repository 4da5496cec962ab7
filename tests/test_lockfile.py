"""dvc.lock is read whole, whoever is writing it."""

import fcntl
import threading

import pytest

from modemap import lockfile
from modemap.errors import RegistryError
from modemap.lockfile import read_lock

WHOLE = "stages:\n  ingest:\n    outs: []\n  prepare:\n    outs: []\n"
HALF = "stages:\n  ingest:\n    outs: []\n"  # DVC writes in place, and a half may well be read


@pytest.fixture
def project(tmp_path):
    """Yield a folder whose dvc.lock a DVC has written half, and the lock which that DVC holds."""
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "dvc.lock").write_text(HALF)
    with (tmp_path / ".dvc/tmp/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield tmp_path, held


def test_a_lock_that_dvc_is_writing_is_waited_for(project):
    """Stages run side by side, and DVC writes the lock when one of them ends."""
    root, held = project

    def finish() -> None:
        (root / "dvc.lock").write_text(WHOLE)
        fcntl.flock(held, fcntl.LOCK_UN)

    writer = threading.Timer(0.3, finish)
    writer.start()

    found = read_lock(root)

    writer.join()
    assert list(found["stages"]) == ["ingest", "prepare"]


def test_a_dvc_that_holds_its_lock_for_long_is_not_waited_for(project, monkeypatch):
    """One that pushes writes nothing here; only what it holds for a moment is a write."""
    monkeypatch.setattr(lockfile, "PATIENCE_SECONDS", 0.2)

    assert list(read_lock(project[0])["stages"]) == ["ingest"]


def test_reading_keeps_no_dvc_out(project):
    """DVC's lock is free again once the file is read."""
    root, held = project
    fcntl.flock(held, fcntl.LOCK_UN)

    read_lock(root)

    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_broken_lock_is_told(tmp_path):
    """What cannot be checked has failed."""
    (tmp_path / "dvc.lock").write_text("stages: [")

    with pytest.raises(RegistryError, match="must be DVC's lock file"):
        read_lock(tmp_path)
