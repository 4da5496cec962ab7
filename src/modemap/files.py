"""Files that are either whole or absent: a temporary name beside the target, fsync, rename."""

import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from modemap.refusals import bytes_in, telling_room

__all__ = [
    "REPLACED",
    "abandoned_target",
    "canonical_json",
    "is_running",
    "read_json",
    "remove",
    "sha256_file",
    "staged_directory",
    "staged_file",
    "write_bytes",
    "write_json",
]


MARK = ".part"  # ends every temporary name; the writer's process id stands before it
REPLACED = ".old"  # ends the name of what a staged directory is about to replace
TEMPORARY = re.compile(rf"\.(?P<target>.+)\.(?P<writer>\d+)\.\w+\{MARK}(\{REPLACED})?")


class _TemporaryName(TypedDict):
    prefix: str
    suffix: str


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as JSON with sorted keys and a final newline: equal values, equal bytes.

    Raises
    ------
    ValueError
        If ``value`` holds NaN or an infinity, which JSON cannot say.
    """
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def read_json(path: Path) -> Any:
    """Return the JSON value in ``path``."""
    return json.loads(path.read_bytes())


def sha256_file(path: Path) -> str:
    """Return the sha256 of the bytes of ``path`` in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` at once."""
    with staged_file(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as canonical JSON at once."""
    write_bytes(path, canonical_json(value))


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; once the block succeeds it is renamed to ``path``.

    A link that stands at ``path`` is replaced, never followed.
    """
    with _told_as(path):
        _sweep(path)
        handle, name = tempfile.mkstemp(dir=path.parent, **_temporary_name(path))
        os.close(handle)
        temporary = Path(name)
        try:
            with telling_room(temporary, lambda: bytes_in(temporary)):
                yield temporary
                temporary.chmod(0o666 & ~_umask())
                _sync(temporary)
                temporary.replace(path)
                _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def staged_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside ``path``; once the block succeeds it replaces ``path``.

    A link that stands at ``path`` is replaced, never followed.
    """
    with _told_as(path):
        _sweep(path)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, **_temporary_name(path)))
        old = Path(f"{temporary}{REPLACED}")
        try:
            with telling_room(temporary, lambda: bytes_in(temporary)):
                yield temporary
                temporary.chmod(0o777 & ~_umask())
                for file in temporary.rglob("*"):
                    if file.is_dir() or file.stat().st_nlink == 1:  # else it was, by another name
                        _sync(file)
                _sync(temporary)
            if path.is_symlink() or path.exists():
                path.rename(old)
            temporary.rename(path)
            _sync(path.parent)
        finally:
            remove(temporary)
            if not path.exists() and old.exists():  # stopped between the two renames
                old.rename(path)
            remove(old)


@contextmanager
def _told_as(path: Path) -> Iterator[None]:
    """Let errors of the system speak of ``path``, not of a temporary name for it."""
    try:
        yield
    except OSError as error:
        temporary = f".{path.name}.{os.getpid()}."
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        if not names or any(temporary in name for name in names):
            error.filename, error.filename2 = str(path), None
        raise


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all it holds, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _temporary_name(path: Path) -> _TemporaryName:
    return {"prefix": f".{path.name}.{os.getpid()}.", "suffix": MARK}


def _sweep(path: Path) -> None:
    """Make the parent folder; remove from it what killed writers of ``path`` left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{MARK}*"):
        if abandoned_target(left) == path:
            remove(left)


def abandoned_target(path: Path) -> Path | None:
    """Return what ``path``, left by a killed writer, was to become.

    None if it is no temporary name of ours or its writer still runs.
    """
    found = TEMPORARY.fullmatch(path.name)
    if found is None or is_running(int(found["writer"])):
        return None
    return path.with_name(found["target"])


def is_running(process: int) -> bool:
    """Tell whether a process of this number runs on this machine.

    One that has ended, and whose parent has not asked for its exit code yet, does not run.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # under another user
    try:
        state = Path("/proc", str(process), "stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:  # another system, or it ended just now
        return not Path("/proc/self/stat").exists()
    return state != b"Z"


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
