"""Digests of files that nobody has touched since they were last read."""

import shutil
import time
from pathlib import Path

from modemap.data.kept import Kept
from modemap.files import sha256_file

__all__ = ["Seen", "linked"]

SETTLED_SECONDS = 2.0  # after a write, within which another might leave the same time behind


class Seen:
    """Answers of :func:`sha256_file`, kept for as long as size, time and inode of a file stay."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def sha256(self, path: Path) -> str:
        """Return the sha256 of the bytes of ``path`` in hexadecimal."""
        found = path.stat()
        about = ("file", str(path.resolve()), found.st_size, found.st_mtime_ns, found.st_ino)
        known = self._kept.get(*about)
        if known is not None:
            return known.decode()
        digest = sha256_file(path)
        if time.time() - found.st_mtime > SETTLED_SECONDS:
            self._kept.remember(digest.encode(), *about)
        return digest


def linked(source: Path, target: Path) -> None:
    """Let ``target`` be the file ``source`` too; copy it where a file system knows no links."""
    target.parent.mkdir(exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return
    except OSError:
        shutil.copy2(source, target)
