"""One file that holds others: packed with its digest, verified before it is unpacked."""

import gzip
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import NoReturn

from modemap.errors import RegistryError
from modemap.files import sha256_file, staged_file, write_bytes

__all__ = ["copy_database", "digest_file", "pack", "refuse", "unpack", "verified"]


def digest_file(archive: Path) -> Path:
    """Return the name of the file that holds the digest of ``archive``."""
    return archive.with_name(f"{archive.name}.sha256")


def pack(archive: Path, files: Mapping[str, Path]) -> str:
    """Write ``files`` to ``archive`` under their names; return its sha256.

    Equal files give equal bytes. The digest lies beside the archive, as ``sha256sum`` writes it.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(archive) as temporary:
        _write(temporary, files)
    digest = sha256_file(archive)
    write_bytes(digest_file(archive), f"{digest}  {archive.name}\n".encode())
    return digest


def verified(archive: Path) -> str:
    """Return the sha256 of ``archive``.

    Raises
    ------
    RegistryError
        If it is not the one that lies beside it.
    """
    beside = digest_file(archive)
    for path in (archive, beside):
        if not path.is_file():
            hint = "download both files: the archive and its digest"
            refuse(path, "must exist", found="no such file", hint=hint)
    expected, found = beside.read_text(encoding="utf-8").split(" ")[0].strip(), sha256_file(archive)
    if found != expected:
        rule = f"must have the sha256 {expected}"
        refuse(archive, rule, found=found, hint="download it again; nothing was restored")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Write what ``archive`` holds below ``folder`` and nowhere else.

    Raises
    ------
    RegistryError
        If it cannot be read, holds links, or climbs out of the folder.
    """
    try:
        with tarfile.open(archive) as packed:
            for entry in packed:
                _check_entry(entry)
            packed.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4
            packed.extractall(folder)  # noqa: S202  # checked above
    except (tarfile.TarError, OSError, EOFError) as error:
        refuse(archive, "must be a backup", found=error, hint="make it again: `modemap backup`")


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database by SQLite itself, so that it is whole also while others write.

    Raises
    ------
    RegistryError
        If it cannot be read.
    """
    uri = f"{source.absolute().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
    except sqlite3.Error as error:
        refuse(source, "must be a SQLite database", found=error, hint="restore it from a copy")


def refuse(place: Path, rule: str, *, found: object, hint: str) -> NoReturn:
    """Raise a RegistryError."""
    raise RegistryError(place, rule, found=found, hint=hint)


def _check_entry(entry: tarfile.TarInfo) -> None:
    path = PurePosixPath(entry.name)
    if not (entry.isreg() or entry.isdir()) or path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"{entry.name} is no file or folder of a backup's")


def _write(archive: Path, files: Mapping[str, Path]) -> None:
    # No times: equal files stay equal. Level 1: arrays and pictures hardly shrink.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as packed,
    ):
        for name, path in files.items():
            entry = packed.gettarinfo(path, name)
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as content:
                    packed.addfile(entry, content)
            else:
                packed.addfile(entry)
