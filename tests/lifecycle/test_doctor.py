"""The doctor finds what a killed process, a move or another hand leaves behind, and mends it."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from modemap.files import staged_directory, staged_file
from modemap.lifecycle.doctor import examine
from modemap.lifecycle.history import History
from modemap.lockfile import DVCS_LOCK, held
from modemap.orchestration.doctor import doctor
from modemap.tracking import Registry, open_store
from modemap.tracking._opened import PROCESS, opened_run

pytestmark = pytest.mark.workflow

RWLOCK = ".dvc/tmp/rwlock"


@pytest.fixture
def promoted(promoted):
    """Return the promoted project once its store, a copy, has followed it."""
    open_store(promoted.root, "flights")
    return promoted


@pytest.fixture
def replaced(replaced):
    """Return the project with two champions once its store has followed it."""
    open_store(replaced.root, "flights")
    return replaced


@pytest.fixture
def dead():
    """Return the number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def mended(project, place: str):
    """Return the only finding, which names ``place`` and is gone once it is mended."""
    (found,) = examine(project.root)
    assert place in found.place
    assert found.consequence
    assert found.mending

    diagnosis = doctor(project.root, mend=True)

    assert diagnosis.findings == [found]
    assert diagnosis.left == []
    diagnosis.require()
    return found


def write_rwlock(project, text: str):
    """Write DVC's list of processes as ``text``."""
    path = project.root / RWLOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def holders(*processes: int) -> str:
    """Return the list of these processes as DVC writes it."""
    infos = [{"pid": process, "cmd": "dvc repro"} for process in processes]
    return json.dumps({"read": {"data/raw": infos}, "write": {"data/prepared": infos[0]}})


def test_a_lock_of_a_dead_process_is_taken_out(promoted, dead):
    """A list in which nobody is left is removed."""
    path = write_rwlock(promoted, holders(dead))

    found = mended(promoted, RWLOCK)

    assert str(dead) in found.what
    assert not path.exists()


def test_locks_of_living_processes_stay(promoted, dead):
    """Only who is gone is taken out, as reader and as writer."""
    path = write_rwlock(promoted, holders(dead, os.getpid()))

    mended(promoted, RWLOCK)

    left = json.loads(path.read_text())
    assert left == {"read": {"data/raw": [{"pid": os.getpid(), "cmd": "dvc repro"}]}, "write": {}}


@pytest.mark.parametrize("text", ["", '{"read": {"data/ra', '{"read": {"data": [{}]}}', "[1]"])
def test_a_list_that_was_written_half_is_removed(promoted, text):
    """Whatever DVC could not read, and nobody writes."""
    path = write_rwlock(promoted, text)

    assert "half written" in mended(promoted, RWLOCK).what
    assert not path.exists()


def test_a_list_that_dvc_writes_at_this_moment_is_no_finding(promoted):
    """It may be empty while DVC's own lock on it is held, and is left alone."""
    path = write_rwlock(promoted, "")
    guard = path.with_name("rwlock.lock")

    with held(guard, create=True, exclusive=True):
        assert doctor(promoted.root, mend=True).findings == []

    assert path.exists()


@pytest.mark.parametrize("half", ["", "schema: '2.0'\nstages:\n  ingest:\n    cmd: [", "stages: 3"])
def test_a_lock_file_written_half_comes_back_from_git(promoted, half):
    """The committed one is put back, byte by byte."""
    lock = promoted.root / "dvc.lock"
    before = lock.read_bytes()
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "dvc.lock"], [*author, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=promoted.root, check=True)
    lock.write_text(half)

    mended(promoted, "dvc.lock")

    assert lock.read_bytes() == before


def test_what_nothing_can_mend_is_left_and_said(promoted):
    """Without git a half-written lock file stays, and the exit code says so."""
    (promoted.root / "dvc.lock").write_text("")

    diagnosis = doctor(promoted.root, mend=True)

    assert diagnosis.left == diagnosis.findings
    with pytest.raises(Exception, match=r"dvc\.lock: must be mended") as caught:
        diagnosis.require()
    assert caught.value.exit_code == 8
    assert "run `dvc repro`" in caught.value.hint


def test_a_lock_file_that_dvc_writes_is_no_finding(promoted):
    """While DVC's lock is held, what lies there is not judged."""
    (promoted.root / "dvc.lock").write_text("")
    (promoted.root / DVCS_LOCK).parent.mkdir(parents=True, exist_ok=True)

    with held(promoted.root / DVCS_LOCK, create=True, exclusive=True):
        assert examine(promoted.root) == []


@contextmanager
def killed_while_writing(staged, path, dead):
    """Leave what a writer leaves that is killed in the middle: its name with its number."""
    with staged(path) as temporary:
        left = temporary.with_name(temporary.name.replace(f".{os.getpid()}.", f".{dead}."))
        if temporary.is_dir():
            (temporary / "half").write_text("half")
            shutil.copytree(temporary, left)
        else:
            shutil.copyfile(temporary, left)
        yield left


@pytest.mark.parametrize("staged", [staged_file, staged_directory])
def test_a_half_written_file_or_folder_is_removed(promoted, dead, staged):
    """What its writer began never becomes anything."""
    with killed_while_writing(staged, promoted.root / "models" / "thing", dead) as left:
        pass

    found = mended(promoted, left.name)

    assert "a part of models/thing" in found.what
    assert not left.exists()
    assert (promoted.root / "models" / "thing").exists()


def test_a_folder_that_was_moved_away_comes_back(promoted, dead):
    """A writer killed between its two renames has left the old folder under another name."""
    release = promoted.root / "models" / "release"
    before = sorted(path.name for path in release.iterdir())
    release.rename(release.with_name(f".release.{dead}.abc_123.part.old"))

    mended(promoted, ".part.old")

    assert sorted(path.name for path in release.iterdir()) == before


def test_a_moved_checkout_is_mended_and_what_it_hid_as_well(promoted, dead):
    """The store follows its folder; only then the run that was killed in it can be seen."""
    store = open_store(promoted.root, "flights")
    with opened_run(store, "killed", {}) as run:
        store.client.set_tag(run, PROCESS, str(dead))
        moved = promoted.root.with_name("moved")
        shutil.copytree(promoted.root, moved)
    (found,) = examine(moved)
    assert str(promoted.root) in found.what

    diagnosis = doctor(moved, mend=True)

    assert [finding.place for finding in diagnosis.findings] == [
        "mlruns/mlflow.db",
        f"MLflow run killed, {run}",
    ]
    assert diagnosis.left == []
    version = Registry(open_store(moved, "flights")).get(1)
    source = open_store(moved, "flights").client.get_run(version.run_id).info.artifact_uri
    assert source.startswith(str(moved))


def test_a_run_without_an_end_is_ended(promoted, dead):
    """It is shown as killed; that of a living process goes on."""
    store = open_store(promoted.root, "flights")
    with opened_run(store, "alive", {}) as alive, opened_run(store, "killed", {}) as killed:
        store.client.set_tag(killed, PROCESS, str(dead))

        mended(promoted, f"MLflow run killed, {killed}")

        assert store.client.get_run(killed).info.status == "KILLED"
        assert store.client.get_run(alive).info.status == "RUNNING"


def test_an_alias_that_another_hand_moved_is_set_right(replaced):
    """It names the history's champion again."""
    registry = replaced.registry
    registry.set_alias(1)

    found = mended(replaced, "alias `champion`")

    assert "names version 1, the history version 2" in found.what
    assert registry.alias() == History(registry).head().champion == 2


def test_a_changed_history_is_told_and_left(replaced):
    """Nothing mends it; the hint is that of the history."""
    store = open_store(replaced.root, "flights")
    store.client.set_model_version_tag("flights-history", "1", "why", "another")

    diagnosis = doctor(replaced.root, mend=True)

    (left,) = diagnosis.left
    assert "promotion history, entry 2" in left.place
    assert left.mending.startswith("nothing: restore")


def test_a_healthy_and_busy_project_has_no_finding(replaced):
    """Locks that are held, files being written, a run at work and locks left empty are as usual."""
    write_rwlock(replaced, holders(os.getpid()))
    for name in (".modemap/tracking.lock", ".dvc/tmp/lock", ".dvc/tmp/rwlock.lock"):
        path = replaced.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    store = open_store(replaced.root, "flights")
    with (
        opened_run(store, "alive", {}),
        staged_file(replaced.root / "reports" / "new.json"),
        staged_directory(replaced.root / "models" / "new"),
        held(replaced.root / DVCS_LOCK, exclusive=True),
    ):
        assert doctor(replaced.root, mend=True).findings == []
        assert sorted(path.name[:5] for path in (replaced.root / "models").glob(".*")) == [".new."]
