"""What the operating system refuses, as an error that says where, how many bytes and what to do."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from modemap.errors import StageError

__all__ = [
    "NO_ROOM",
    "NoRoomError",
    "bytes_in",
    "free_bytes",
    "is_refusal",
    "refused",
    "telling_room",
]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_HINTS = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within your quota",
    errno.EROFS: "let the folder be written",
    errno.EACCES: "let this user read and write there",
    errno.EPERM: "let this user read and write there",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class NoRoomError(OSError):
    """Bytes did not fit: how many were written before, and how many were still free then."""

    written = free = 0


@contextmanager
def telling_room(place: Path, written: Callable[[], int]) -> Iterator[None]:
    """Let an error for want of room name ``place``, what was ``written`` there and what is free.

    It counts before the blocks around remove what they wrote, which would look like room. An error
    that was counted below ``place`` gets what is written beside it; one that names another place
    keeps it.
    """
    try:
        yield
    except NoRoomError as error:
        if Path(error.filename).is_relative_to(place):
            error.written += written()
        raise
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        named = Path(error.filename2 or error.filename or place)  # the second is a copy's target
        is_here = named.is_relative_to(place)
        where = place if is_here else named
        told = NoRoomError(error.errno, os.strerror(error.errno), str(where))
        told.written, told.free = written() if is_here else 0, free_bytes(where)
        raise told from error


def bytes_in(path: Path) -> int:
    """Return how many bytes are in a file, or in the files of a folder; 0 if it is not there."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def free_bytes(place: Path) -> int:
    """Return how many bytes are free for this user where ``place`` is or will be."""
    folder = place.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def is_refusal(error: OSError) -> bool:
    """Tell whether the system refused something that a person can grant."""
    return error.errno in _HINTS


def refused(error: OSError, who: str, place: str, again: str) -> StageError:
    """Return what the system refused ``who`` as an error that says what to do, then ``again``.

    The place is the file that the error names, else ``place``.
    """
    found = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    free = None
    if isinstance(error, NoRoomError):
        found += f" after {error.written:,} bytes"
        free = error.free
    if error.errno == errno.ENOSPC:
        free = free_bytes(Path(error.filename or ".")) if free is None else free
        found += f"; {free:,} bytes are free"
    return StageError(
        error.filename or place,
        f"the system must let {who} read and write there",
        found=found,
        hint=f"{_HINTS.get(error.errno or 0, 'mend that')}, then {again}",
    )
