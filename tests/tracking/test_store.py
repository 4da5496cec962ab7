"""The tracking store is made once, follows its folder, and says why it cannot be used."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from modemap.errors import RegistryError
from modemap.tracking import open_store, store_exists
from modemap.tracking._client import refuse
from modemap.tracking._sqlite import locked, recorded_root

pytestmark = pytest.mark.workflow


def _log_one(store, text="hello"):
    with store.asked() as client:
        run = client.create_run(store.experiment_id)
        client.log_text(run.info.run_id, text, "note.txt")
        client.set_terminated(run.info.run_id)
    return run.info.run_id


def _read_back(store, run_id, folder):
    folder.mkdir(parents=True)
    with store.asked() as client:
        path = client.download_artifacts(run_id, "note.txt", str(folder))
    return Path(path).read_text()


def _make_store(root, barrier):
    barrier.wait()
    open_store(root, "flights")


def test_a_new_store_has_database_experiment_and_artifacts_in_mlruns(store, root):
    """The default store is one SQLite file and one folder of artifacts below the checkout."""
    run_id = _log_one(store)

    assert (root / "mlruns" / "mlflow.db").is_file()
    assert (root / "mlruns" / "artifacts" / run_id / "artifacts" / "note.txt").is_file()
    assert recorded_root(root / "mlruns" / "mlflow.db", "flights") == str(root)


def test_opening_twice_finds_the_same_experiment(store, root):
    """The experiment of a project is made once."""
    assert open_store(root, "flights").experiment_id == store.experiment_id
    assert open_store(root, "other").experiment_id != store.experiment_id


def test_processes_that_come_first_together_make_one_store(tmp_path):
    """A fresh database is made by one process while the others wait."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    processes = [context.Process(target=_make_store, args=(tmp_path, barrier)) for _ in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as connection:
        names = connection.execute("SELECT name FROM experiments WHERE name = 'flights'")
        assert names.fetchall() == [("flights",)]


@pytest.mark.parametrize("name", ["moved", "with space", "späte#r"])
def test_a_moved_folder_keeps_its_artifacts(store, root, tmp_path, name):
    """Artifact locations follow the folder, whatever it is called now."""
    run_id = _log_one(store)
    new = tmp_path / name
    shutil.move(root, new)

    moved = open_store(new, "flights")

    assert _read_back(moved, run_id, tmp_path / "copy") == "hello"
    again = _log_one(moved, "again")
    assert (new / "mlruns" / "artifacts" / again / "artifacts" / "note.txt").is_file()
    assert not root.exists()


def test_a_copied_folder_leaves_the_original_alone(store, root, tmp_path):
    """A copy reads and writes its own artifacts though the original is still there."""
    run_id = _log_one(store)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)

    copied = open_store(copy, "flights")
    _log_one(copied)

    with copied.asked() as client:
        assert client.get_run(run_id).info.artifact_uri.startswith(str(copy))
    assert len(list((root / "mlruns" / "artifacts").iterdir())) == 1
    assert len(list((copy / "mlruns" / "artifacts").iterdir())) == 2


def test_mlflow_itself_finds_the_artifacts_of_a_moved_folder(store, root, tmp_path):
    """MLflow's own command line reads what the move left behind."""
    run_id = _log_one(store)
    new = tmp_path / "moved"
    shutil.move(root, new)
    open_store(new, "flights")

    command = [sys.executable, "-m", "mlflow", "artifacts", "list", "--run-id", run_id]
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{new}/mlruns/mlflow.db", "PATH": "/usr/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert '"path": "note.txt"' in done.stdout


def test_a_store_named_by_the_environment_is_used_as_it_is(empty_store, tmp_path, monkeypatch):
    """MLFLOW_TRACKING_URI wins, and nothing is made in the checkout."""
    shutil.copytree(empty_store / "mlruns", tmp_path / "shared")
    uri = f"sqlite:///{tmp_path}/shared/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    checkout = tmp_path / "checkout"
    checkout.mkdir()

    store = open_store(checkout, "flights")

    assert store.uri == uri
    assert store_exists(checkout)
    assert list(checkout.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """The error names the database, what was found and what to do; nothing is overwritten."""
    database = tmp_path / "mlruns" / "mlflow.db"
    database.parent.mkdir()
    database.write_text("not a database, " * 100)

    with pytest.raises(RegistryError, match="not a database") as caught:
        open_store(tmp_path, "flights")

    assert str(database) in caught.value.place
    assert "restore the file" in caught.value.hint
    assert database.read_text().startswith("not a database")


def test_a_locked_database_is_told_not_waited_for_without_end(store, root):
    """A writer that does not finish makes a RegistryError that says so."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def be_impatient(_connection, cursor, statement, *_):
        if "busy_timeout" in statement:
            cursor.execute("PRAGMA busy_timeout = 50")

    event.listen(Engine, "after_cursor_execute", be_impatient)
    writer = sqlite3.connect(root / "mlruns" / "mlflow.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(RegistryError, match="database is locked") as caught, store.asked() as c:
            c.create_run(store.experiment_id)
    finally:
        writer.close()
        event.remove(Engine, "after_cursor_execute", be_impatient)

    assert "another program is writing" in caught.value.hint


def test_a_database_locked_from_the_start_is_told(store, root, monkeypatch):
    """Opening waits for a writer, but not without end."""
    monkeypatch.setattr("modemap.tracking._sqlite.BUSY", 0.05)
    writer = sqlite3.connect(root / "mlruns" / "mlflow.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")

    with pytest.raises(RegistryError, match="database is locked"):
        open_store(root, "flights")

    writer.close()
    assert open_store(root, "flights").experiment_id == store.experiment_id


def test_an_experiment_deleted_in_the_pages_comes_back(store, root):
    """A project's runs are logged to its own experiment also after somebody deleted it."""
    store.client.delete_experiment(store.experiment_id)

    again = open_store(root, "flights")

    assert again.experiment_id == store.experiment_id
    assert again.client.get_experiment(again.experiment_id).lifecycle_stage == "active"


@pytest.mark.parametrize("name", ["why?", "100%"])
def test_a_folder_whose_name_means_more_in_an_address_is_refused(tmp_path, name):
    """The address would name another file, so it is not opened at all."""
    root = tmp_path / name
    root.mkdir()

    with pytest.raises(RegistryError, match=r"neither \? nor %"):
        open_store(root, "flights")

    assert list(root.iterdir()) == []


def test_a_lock_that_stays_is_told(tmp_path, monkeypatch):
    """Waiting for another process ends with an error that names the lock file."""
    monkeypatch.setattr("modemap.tracking._sqlite.PATIENCE", 0.1)

    with (
        locked(tmp_path / "lock"),
        pytest.raises(RegistryError, match="must be free"),
        locked(tmp_path / "lock"),
    ):
        pass


def test_a_password_in_an_address_is_not_shown():
    """The place of an error hides the password of the store's address."""
    with pytest.raises(RegistryError) as caught:
        refuse("postgresql://ann:secret@host/db", OSError("no route"))

    assert caught.value.place == "postgresql://ann:***@host/db"


def test_reading_asks_no_store_into_being(tmp_path):
    """Whether a store exists can be asked without making one."""
    assert not store_exists(tmp_path)
    assert list(tmp_path.iterdir()) == []
