"""Windows that were judged: which files they were, and what the answers to the last ones were."""

import glob
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modemap.data.sources import source_of
from modemap.errors import DataError
from modemap.files import read_json, sha256_file, write_json

__all__ = ["WINDOWS", "NewFile", "Windows", "digest_of"]

WINDOWS = Path(".modemap", "findings", "windows", "judged.json")
FORMAT = 1
MOST_WINDOWS = 100  # that are remembered


@dataclass(frozen=True)
class NewFile:
    """A file that no window held yet."""

    path: Path
    size: int
    mtime_ns: int
    sha256: str


@dataclass
class Windows:
    """What is remembered of a project's windows; ``write`` makes it last."""

    root: Path
    files: dict[str, list[Any]] = field(default_factory=dict)  # path: size, mtime_ns, sha256
    windows: list[Mapping[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path) -> "Windows":
        """Return what was remembered last.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        path = root / WINDOWS
        try:
            document = read_json(path)
            if document["format"] != FORMAT:
                raise ValueError("another format")
            return cls(root, dict(document["files"]), list(document["windows"]))
        except FileNotFoundError:
            return cls(root)
        except (ValueError, TypeError, KeyError) as error:
            rule, hint = f"must list windows in format {FORMAT}", "remove it: all is judged again"
            raise DataError(path, rule, found=repr(error), hint=hint) from None

    def new(self, source: str) -> list[NewFile]:
        """Return the files of ``source`` that no window held, whatever they were called then."""
        known = {sha256 for _, _, sha256 in self.files.values()}
        found = []
        for path in _files(self.root, source):
            try:
                status = path.stat()
                if self.files.get(str(path), [])[:2] == [status.st_size, status.st_mtime_ns]:
                    continue
                new = NewFile(path, status.st_size, status.st_mtime_ns, sha256_file(path))
            except FileNotFoundError:  # the prediction log has forgotten it meanwhile
                continue
            if new.sha256 not in known:
                known.add(new.sha256)
                found.append(new)
        return found

    def keep(self, files: Sequence[NewFile], window: Mapping[str, Any]) -> None:
        """Remember a window, and the files that need not be looked at again."""
        self.files |= {str(f.path): [f.size, f.mtime_ns, f.sha256] for f in files}
        self.files = {name: about for name, about in self.files.items() if Path(name).exists()}
        self.windows = [*self.windows, window][-MOST_WINDOWS:]
        write_json(
            self.root / WINDOWS, {"format": FORMAT, "files": self.files, "windows": self.windows}
        )

    def answers(self, digest: str) -> list[bool | None]:
        """Return the answers to windows that were held against the release ``digest``."""
        return [window["answer"] for window in self.windows if window["champion"] == digest]


def digest_of(files: Sequence[NewFile]) -> str:
    """Return one digest of what the files hold, in whatever order."""
    return hashlib.sha256("\n".join(sorted(f.sha256 for f in files)).encode()).hexdigest()


def _files(root: Path, source: str) -> list[Path]:
    """Return the files of a path, a folder or a glob; none if there is nothing yet."""
    pattern = str(root / source)
    if Path(pattern).is_dir():
        try:
            pattern = source_of(pattern)
        except DataError:  # an empty folder
            return []
    return sorted(Path(p) for p in glob.glob(pattern, recursive=True) if Path(p).is_file())  # noqa: PTH207
