"""The stores of a checkout as one file."""

import shutil
import sqlite3
import tarfile
from types import SimpleNamespace

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from modemap.errors import RegistryError
from modemap.files import sha256_file, write_bytes
from modemap.lifecycle.archive import digest_file, pack, unpack
from modemap.lifecycle.backup import backup, restore
from modemap.lifecycle.history import history
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.status import status
from modemap.lifecycle.verify import verify
from modemap.tracking import Registry, open_store
from tests.lifecycle.conftest import Project

pytestmark = pytest.mark.workflow

COMMITTED = ("dvc.lock", "dvc.yaml", "params.yaml")


@pytest.fixture
def archive(root, store, release, tmp_path):
    """Return the packed store of ``root``, with one version in it."""
    Registry(store).register(release, tags={}, metrics={}, evidence={}, note="first")
    backup(root, tmp_path / "store.tar.gz", cache=False)
    return tmp_path / "store.tar.gz"


@pytest.fixture
def elsewhere(tmp_path):
    """Return another checkout that has no store."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_a_restored_store_has_its_versions_and_their_files(archive, elsewhere, tmp_path):
    """Another checkout finds the version, and its release loads byte by byte."""
    restore(elsewhere, archive)

    registry = Registry(open_store(elsewhere, "flights"))
    (version,) = registry.versions()
    (tmp_path / "copy").mkdir()
    assert registry.download(version, tmp_path / "copy").is_dir()


def test_equal_stores_give_equal_bytes(archive, elsewhere, tmp_path):
    """Packing what was unpacked changes nothing."""
    restore(elsewhere, archive)

    digest = backup(elsewhere, tmp_path / "again.tar.gz", cache=False).sha256

    assert digest == sha256_file(archive)
    assert digest_file(archive).read_text() == f"{digest}  store.tar.gz\n"


def test_a_store_is_packed_whole_while_another_writes(root, tmp_path, elsewhere):
    """What is not committed yet is not in the copy, and the copy is sound."""
    with sqlite3.connect(root / "mlruns/mlflow.db") as writer:
        writer.execute("insert into registered_models (name) values ('half')")
        backup(root, tmp_path / "store.tar.gz", cache=False)
        writer.rollback()

    restore(elsewhere, tmp_path / "store.tar.gz")
    with sqlite3.connect(elsewhere / "mlruns/mlflow.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert database.execute("select count(*) from registered_models").fetchone() == (0,)


def test_one_changed_byte_is_refused(archive, elsewhere):
    """An archive that is not the one of its digest restores nothing."""
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)

    with pytest.raises(RegistryError, match="must have the sha256"):
        restore(elsewhere, archive)

    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("missing", ["store.tar.gz", "store.tar.gz.sha256"])
def test_archive_and_digest_come_together(archive, elsewhere, missing):
    """Without its digest an archive is not trusted."""
    (archive.parent / missing).unlink()

    with pytest.raises(RegistryError, match=f"{missing}: must exist"):
        restore(elsewhere, archive)


def test_a_store_is_never_replaced(archive, root):
    """A checkout that has a store keeps it."""
    before = sha256_file(root / "mlruns/mlflow.db")

    with pytest.raises(RegistryError, match="must not be replaced"):
        restore(root, archive)

    assert sha256_file(root / "mlruns/mlflow.db") == before


@pytest.mark.parametrize("name", ["../../evil-outside", "{folder}/evil-outside", "link"])
def test_nothing_is_written_outside_the_store(name, elsewhere, tmp_path, monkeypatch):
    """An archive that climbs out of its folder, or holds a link, is refused, filters or none."""
    trusting = getattr(tarfile, "fully_trusted_filter", None)  # as before Python 3.11.4
    monkeypatch.setattr(tarfile, "data_filter", trusting, raising=False)
    name = name.format(folder=tmp_path)
    (tmp_path / "evil").write_text("evil")
    hostile = tmp_path / "hostile.tar.gz"
    with tarfile.open(hostile, "w:gz") as packed:
        entry = packed.gettarinfo(tmp_path / "evil", name)
        entry.name = name  # with its slash
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "../../evil-outside"
            packed.addfile(entry)
            entry = packed.gettarinfo(tmp_path / "evil", "link")
        with (tmp_path / "evil").open("rb") as content:
            packed.addfile(entry, content)
    write_bytes(digest_file(hostile), f"{sha256_file(hostile)}  hostile.tar.gz\n".encode())

    with pytest.raises(RegistryError, match="must be a backup"):
        restore(elsewhere, hostile)

    assert not list(elsewhere.iterdir())
    assert not list(tmp_path.rglob("evil-outside"))


def test_links_are_packed_as_what_they_lead_to(tmp_path):
    """Whether symbolic or hard, so that what was packed can be unpacked."""
    file = tmp_path / "file"
    file.write_text("content")
    (tmp_path / "soft").symlink_to(file)
    (tmp_path / "hard").hardlink_to(file)
    names = ("file", "soft", "hard")

    pack(tmp_path / "all.tar.gz", {name: tmp_path / name for name in names})
    unpack(tmp_path / "all.tar.gz", tmp_path / "again")

    for name in names:
        assert not (tmp_path / "again" / name).is_symlink()
        assert (tmp_path / "again" / name).read_text() == "content"


@pytest.fixture
def kept(replaced, tmp_path):
    """Return a project with two champions in DVC's cache and records of Prefect's, backed up."""
    replaced.cache_all()
    (replaced.root / ".prefect").mkdir()
    with sqlite3.connect(replaced.root / ".prefect/prefect.db") as database:
        database.execute("create table flow_run (name text)")
        database.execute("insert into flow_run values ('bold-owl')")
    told = backup(replaced.root, tmp_path / "all.tar.gz", prefect=True)
    return SimpleNamespace(project=replaced, archive=tmp_path / "all.tar.gz", told=told)


@pytest.fixture
def fresh(kept, tmp_path):
    """Return the project with what a commit holds of it and nothing else: all stores are lost."""
    (tmp_path / "fresh").mkdir()
    for name in COMMITTED:
        shutil.copy(kept.project.root / name, tmp_path / "fresh")
    _artifact_repos_cache.clear()  # MLflow forgets where it met the runs before
    return Project(tmp_path / "fresh")


@pytest.mark.usefixtures("in_process")
def test_who_lost_everything_goes_on_and_rolls_back(kept, fresh):
    """History, releases and DVC's objects are back as they were, and the champion can be left."""
    told = restore(fresh.root, kept.archive)

    assert history(fresh.root) == history(kept.project.root)
    assert status(fresh.root).version == 2
    assert objects(fresh) == objects(kept.project)
    assert (told.n_files, told.n_objects) == (kept.told.n_files, kept.told.n_objects)
    assert told.n_objects > 0
    verify(fresh.root).require()
    assert rollback(fresh.root, why="worse in use").version == 1
    with sqlite3.connect(fresh.root / ".prefect/prefect.db") as database:
        assert database.execute("select name from flow_run").fetchall() == [("bold-owl",)]


@pytest.mark.usefixtures("in_process")
def test_a_release_that_mlflow_lost_comes_from_dvcs_objects(kept, fresh):
    """What versions need of DVC's cache is in the backup: a rollback finds it there."""
    restore(fresh.root, kept.archive)
    rollback(fresh.root, why="worse in use")
    (fresh.artifacts(2) / "release" / "som.npz").write_bytes(b"other")

    assert rollback(fresh.root, 2, why="better after all").version == 2


def objects(project) -> list[str]:
    """Return the names of all objects in DVC's cache."""
    cache = project.root / ".dvc/cache/files/md5"
    return sorted(path.relative_to(cache).as_posix() for path in cache.glob("*/*"))


def test_what_versions_name_and_the_cache_lacks_is_told(kept):
    """Their number is said, and the rest is kept; what git keeps is no object of DVC's."""
    assert kept.told.n_absent == 1  # the release of version 1
    some = next(path for path in (kept.project.root / ".dvc/cache").rglob("*") if path.is_file())
    some.unlink()

    told = backup(kept.project.root, kept.archive)

    assert told.n_absent == kept.told.n_absent + 1


def test_a_damaged_object_is_not_backed_up(kept):
    """The message names it, and the backup before stays."""
    before = sha256_file(kept.archive)
    some = next(path for path in (kept.project.root / ".dvc/cache").rglob("*") if path.is_file())
    some.chmod(0o644)
    some.write_bytes(b"other")

    with pytest.raises(RegistryError, match="must be what its name says") as caught:
        backup(kept.project.root, kept.archive)

    assert caught.value.place == str(some)
    assert sha256_file(kept.archive) == before


def test_objects_that_are_not_what_their_names_say_restore_nothing(kept, fresh, tmp_path):
    """An archive whose digest somebody made to match is looked into as well."""
    unpack(kept.archive, tmp_path / "opened")
    some = next(path for path in (tmp_path / "opened/dvc").rglob("*") if path.is_file())
    some.write_bytes(b"other")
    with tarfile.open(kept.archive, "w:gz") as packed:
        for path in sorted((tmp_path / "opened").iterdir()):
            packed.add(path, path.name)
    write_bytes(digest_file(kept.archive), f"{sha256_file(kept.archive)}  all\n".encode())

    with pytest.raises(RegistryError, match="must be what their names say"):
        restore(fresh.root, kept.archive)

    assert sorted(path.name for path in fresh.root.iterdir()) == [*COMMITTED]


def test_a_restore_that_was_killed_is_begun_again(kept, fresh, monkeypatch):
    """MLflow's store comes last: until then the same command goes on."""
    with monkeypatch.context() as patched:
        patched.setattr("modemap.lifecycle.backup._put_prefect", None)
        with pytest.raises(TypeError):
            restore(fresh.root, kept.archive)
    assert not (fresh.root / "mlruns").exists()

    restore(fresh.root, kept.archive)

    verify(fresh.root).require()


def test_what_is_no_store_is_refused(elsewhere, tmp_path):
    """A sound archive of something else restores nothing."""
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz"):
        pass
    write_bytes(digest_file(other), f"{sha256_file(other)}  other.tar.gz\n".encode())

    with pytest.raises(RegistryError, match="must be a backup"):
        restore(elsewhere, other)

    assert not list(elsewhere.iterdir())


def test_there_must_be_a_store_to_pack(elsewhere, tmp_path):
    """The message says how to make one."""
    with pytest.raises(RegistryError, match="modemap run"):
        backup(elsewhere, tmp_path / "store.tar.gz")

    assert not (tmp_path / "store.tar.gz").exists()


def test_a_broken_database_is_not_packed(root, tmp_path):
    """A file that SQLite cannot read gives no archive."""
    shutil.rmtree(root / "mlruns")
    (root / "mlruns").mkdir()
    (root / "mlruns/mlflow.db").write_text("no database at all, but a text of some length" * 99)

    with pytest.raises(RegistryError, match="must be a SQLite database"):
        backup(root, tmp_path / "store.tar.gz", cache=False)

    assert not (tmp_path / "store.tar.gz").exists()
