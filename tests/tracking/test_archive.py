"""The store as one file."""

import shutil
import sqlite3
import tarfile

import pytest

from modemap.errors import RegistryError
from modemap.files import sha256_file, write_bytes
from modemap.tracking import Registry, open_store
from modemap.tracking.archive import digest_file, pack, unpack

pytestmark = pytest.mark.workflow


@pytest.fixture
def archive(root, store, release, tmp_path):
    """Return the packed store of ``root``, with one version in it."""
    Registry(store).register(release, tags={}, metrics={}, evidence={}, note="first")
    pack(root, tmp_path / "store.tar.gz")
    return tmp_path / "store.tar.gz"


@pytest.fixture
def elsewhere(tmp_path):
    """Return another checkout that has no store."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_a_restored_store_has_its_versions_and_their_files(archive, elsewhere, tmp_path):
    """Another checkout finds the version, and its release loads byte by byte."""
    unpack(elsewhere, archive)

    registry = Registry(open_store(elsewhere, "flights"))
    (version,) = registry.versions()
    (tmp_path / "copy").mkdir()
    assert registry.download(version, tmp_path / "copy").is_dir()


def test_equal_stores_give_equal_bytes(archive, elsewhere, tmp_path):
    """Packing what was unpacked changes nothing."""
    unpack(elsewhere, archive)

    digest = pack(elsewhere, tmp_path / "again.tar.gz")

    assert digest == sha256_file(archive)
    assert digest_file(archive).read_text() == f"{digest}  store.tar.gz\n"


def test_a_store_is_packed_whole_while_another_writes(root, tmp_path, elsewhere):
    """What is not committed yet is not in the copy, and the copy is sound."""
    with sqlite3.connect(root / "mlruns/mlflow.db") as writer:
        writer.execute("insert into registered_models (name) values ('half')")
        pack(root, tmp_path / "store.tar.gz")
        writer.rollback()

    unpack(elsewhere, tmp_path / "store.tar.gz")
    with sqlite3.connect(elsewhere / "mlruns/mlflow.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert database.execute("select count(*) from registered_models").fetchone() == (0,)


def test_one_changed_byte_is_refused(archive, elsewhere):
    """An archive that is not the one of its digest restores nothing."""
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)

    with pytest.raises(RegistryError, match="must have the sha256"):
        unpack(elsewhere, archive)

    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("missing", ["store.tar.gz", "store.tar.gz.sha256"])
def test_archive_and_digest_come_together(archive, elsewhere, missing):
    """Without its digest an archive is not trusted."""
    (archive.parent / missing).unlink()

    with pytest.raises(RegistryError, match=f"{missing}: must exist"):
        unpack(elsewhere, archive)


def test_a_store_is_never_replaced(archive, root):
    """A checkout that has a store keeps it."""
    before = sha256_file(root / "mlruns/mlflow.db")

    with pytest.raises(RegistryError, match="must not be replaced"):
        unpack(root, archive)

    assert sha256_file(root / "mlruns/mlflow.db") == before


def test_nothing_is_written_outside_the_store(elsewhere, tmp_path):
    """An archive that climbs out of its folder is refused whole."""
    (tmp_path / "evil").write_text("evil")
    hostile = tmp_path / "hostile.tar.gz"
    with tarfile.open(hostile, "w:gz") as packed:
        packed.add(tmp_path / "evil", "../../evil-outside")
    write_bytes(digest_file(hostile), f"{sha256_file(hostile)}  hostile.tar.gz\n".encode())

    with pytest.raises(RegistryError, match="must be a packed store"):
        unpack(elsewhere, hostile)

    assert not list(elsewhere.iterdir())
    assert not list(tmp_path.rglob("evil-outside"))


def test_what_is_no_store_is_refused(elsewhere, tmp_path):
    """A sound archive of something else restores nothing."""
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz"):
        pass
    write_bytes(digest_file(other), f"{sha256_file(other)}  other.tar.gz\n".encode())

    with pytest.raises(RegistryError, match="must be a packed store"):
        unpack(elsewhere, other)

    assert not list(elsewhere.iterdir())


def test_there_must_be_a_store_to_pack(elsewhere, tmp_path):
    """The message says how to make one."""
    with pytest.raises(RegistryError, match="modemap run"):
        pack(elsewhere, tmp_path / "store.tar.gz")

    assert not (tmp_path / "store.tar.gz").exists()


def test_a_broken_database_is_not_packed(root, tmp_path):
    """A file that SQLite cannot read gives no archive."""
    shutil.rmtree(root / "mlruns")
    (root / "mlruns").mkdir()
    (root / "mlruns/mlflow.db").write_text("no database at all, but a text of some length" * 99)

    with pytest.raises(RegistryError, match="must be a SQLite database"):
        pack(root, tmp_path / "store.tar.gz")

    assert not (tmp_path / "store.tar.gz").exists()
