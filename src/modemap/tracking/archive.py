"""The default store as one file: packed with its digest, verified before it is unpacked."""

import gzip
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from modemap.errors import RegistryError
from modemap.files import sha256_file, staged_directory, staged_file, write_bytes
from modemap.tracking.store import ARTIFACTS, DATABASE

__all__ = ["digest_file", "pack", "unpack"]

FOLDER = DATABASE.parent


def digest_file(archive: Path) -> Path:
    """Return the name of the file that holds the digest of ``archive``."""
    return archive.with_name(f"{archive.name}.sha256")


def pack(root: Path, archive: Path) -> str:
    """Write the store of the checkout ``root`` to ``archive``; return its sha256.

    The database is copied by SQLite itself, so it is whole also while others write. Equal stores
    give equal bytes. The digest lies beside the archive, as ``sha256sum`` writes it.

    Raises
    ------
    RegistryError
        If there is no store, or its database cannot be read.
    """
    if not (root / DATABASE).is_file():
        _refuse(root / DATABASE, "must exist", found="no such file", hint="run `modemap run` first")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="modemap-store-") as folder:
        database = Path(folder, DATABASE.name)
        _copy_database(root / DATABASE, database)
        files = {DATABASE: database} | {
            path.relative_to(root): path for path in sorted((root / ARTIFACTS).rglob("*"))
        }
        with staged_file(archive) as temporary:
            _write(temporary, files)
    digest = sha256_file(archive)
    write_bytes(digest_file(archive), f"{digest}  {archive.name}\n".encode())
    return digest


def unpack(root: Path, archive: Path) -> str:
    """Make the store of the checkout ``root`` from ``archive``; return the archive's sha256.

    Raises
    ------
    RegistryError
        If the checkout has a store already, or the archive is not the one of its digest.
    """
    digest = _verified(archive)
    if (root / FOLDER).exists():
        hint = "move it away, or restore in a fresh checkout"
        _refuse(root / FOLDER, "a store must not be replaced", found="it exists", hint=hint)
    with staged_directory(root / FOLDER) as folder:
        try:
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            _refuse(archive, "must be a packed store", found=error, hint="pack it again")
        if not (folder / DATABASE.name).is_file():
            found = "no database"
            _refuse(archive, "must be a packed store", found=found, hint="pack it again")
    return digest


def _verified(archive: Path) -> str:
    beside = digest_file(archive)
    for path in (archive, beside):
        if not path.is_file():
            hint = "download both files: the archive and its digest"
            _refuse(path, "must exist", found="no such file", hint=hint)
    expected, found = beside.read_text(encoding="utf-8").split(" ")[0].strip(), sha256_file(archive)
    if found != expected:
        rule = f"must have the sha256 {expected}"
        _refuse(archive, rule, found=found, hint="download it again; nothing was restored")
    return found


def _write(archive: Path, files: dict[Path, Path]) -> None:
    # No times: equal stores stay equal. Level 1: arrays and pictures hardly shrink.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as packed,
    ):
        for name, path in files.items():
            entry = packed.gettarinfo(path, name.relative_to(FOLDER).as_posix())
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as content:
                    packed.addfile(entry, content)
            else:
                packed.addfile(entry)


def _copy_database(source: Path, target: Path) -> None:
    uri = f"{source.absolute().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
    except sqlite3.Error as error:
        _refuse(source, "must be a SQLite database", found=error, hint="restore it from a copy")


def _refuse(place: Path, rule: str, *, found: object, hint: str) -> NoReturn:
    raise RegistryError(place, rule, found=found, hint=hint)
