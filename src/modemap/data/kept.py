"""What was learned of a batch, kept outside of all outputs, so that only new batches cost anything.

An entry is named by all that it depends on: the batch's digest, settings, and this package's code.
Deleting the folder costs time and changes no result. A damaged entry is none.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

__all__ = ["Kept", "keeping"]

BLOCK_BYTES = 1 << 20
DIGEST_BYTES = 32  # of the content, at the end of each entry


class Kept:
    """Entries in a folder; those that nobody asked for during the block are removed at its end.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Kept(Path(folder)).pruned() as kept:
    ...     kept.put(b"a result", "batch 1", {"setting": 3})
    ...     kept.get("batch 1", {"setting": 3}), kept.get("batch 2")
    (b'a result', None)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: set[Path] = set()

    def get(self, *about: object) -> bytes | None:
        """Return what was kept of ``about``, JSON values; None if nothing was, or not whole."""
        path = self.find(*about)
        return None if path is None else path.read_bytes()[:-DIGEST_BYTES]

    def find(self, *about: object) -> Path | None:
        """Return the file that holds what :meth:`get` returns, and 32 bytes more."""
        path = self._path(about)
        try:
            with path.open("rb") as file:
                left = path.stat().st_size - DIGEST_BYTES
                digest = hashlib.sha256()
                while left > 0:
                    block = file.read(min(left, BLOCK_BYTES))
                    digest.update(block)
                    left -= len(block) or left
                return path if file.read() == digest.digest() else None
        except OSError:
            return None

    def put(self, content: bytes, *about: object) -> None:
        """Keep ``content`` as what there is about ``about``.

        Raises
        ------
        OSError
            If the folder, which it names, takes no file.
        """
        path = self._path(about)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")  # a digest tells if it is whole
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content + hashlib.sha256(content).digest())
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(self._folder)) from error

    def remember(self, content: bytes, *about: object) -> None:
        """Keep ``content`` if the folder takes it: the caller has what it needs either way."""
        with suppress(OSError):
            self.put(content, *about)

    def retain(self, *about: object) -> None:
        """Let what is kept of ``about`` stay, though nobody asks for it now."""
        self._path(about)

    @contextmanager
    def pruned(self) -> Iterator["Kept"]:
        """Yield the entries; remove those of which nobody asked once the block has succeeded."""
        yield self
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            if path not in self._asked:
                path.unlink(missing_ok=True)

    def _path(self, about: tuple[object, ...]) -> Path:
        name = hashlib.sha256(json.dumps([_code(), *about], sort_keys=True).encode()).hexdigest()
        path = self._folder / name[:32]
        self._asked.add(path)
        return path


@contextmanager
def keeping(kept: Kept | None) -> Iterator[Kept]:
    """Yield where to keep what is learned, for the block alone if nothing else was said."""
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="modemap-kept-") as folder:
        yield Kept(Path(folder))


@cache
def _code() -> str:
    """Return a digest of this package's sources: other code may learn something else."""
    root = Path(__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
