"""dvc.lock, and whether what lies on disk is what it names.

DVC does not look into its own cache again: an object that was damaged there is restored as if it
were sound, and DVC calls the result up to date. So whoever trains or registers looks for himself.
"""

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modemap.errors import RegistryError

__all__ = [
    "CACHE",
    "DVCS_LOCK",
    "Difference",
    "cached_damage",
    "difference",
    "dvc_md5",
    "held",
    "is_damaged",
    "objects_of",
    "read_lock",
    "restore_output",
]

CACHE = Path(".dvc", "cache", "files", "md5")
DVCS_LOCK = Path(".dvc", "tmp", "lock")  # which DVC holds while it writes dvc.lock
PATIENCE_SECONDS = 10.0  # whoever holds it longer does something else
POLL_SECONDS = 0.05
DIRECTORY = ".dir"  # ends the md5 of a directory


@dataclass(frozen=True)
class Difference:
    """A file that is not what dvc.lock says."""

    place: Path
    expected: str
    found: str
    damaged: Path | None  # the object of DVC's cache that is to blame

    def hint(self, stage: str) -> str:
        """Say how to have ``stage`` make the file again."""
        again = f"run `dvc repro --force --single-item {stage}`"
        if self.damaged is None:
            return again
        return f"remove {self.damaged}, damaged in DVC's cache, then {again}"


def read_lock(root: Path) -> dict[str, Any]:
    """Return ``dvc.lock`` as DVC leaves it, empty if there is none.

    Raises
    ------
    RegistryError
        If the file cannot be read as DVC writes it.
    """
    path = root / "dvc.lock"
    try:
        with _undisturbed(root):
            text = path.read_text(encoding="utf-8")
        lock = YAML(typ="safe").load(text)
        stages = lock["stages"]
        for stage in stages.values():
            for output in stage.get("outs", []):
                output["path"], output["md5"]
    except FileNotFoundError:
        return {"stages": {}}
    except (YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = str(error).splitlines()[0]
        rule, hint = "must be DVC's lock file", "restore it with git, then run `dvc repro`"
        raise RegistryError(path, rule, found=found, hint=hint) from None
    return dict(lock)


@contextmanager
def _undisturbed(root: Path) -> Iterator[None]:
    """Keep DVC from writing during the block: it writes in place, and half a file can be read."""
    with held(root / DVCS_LOCK, patience=PATIENCE_SECONDS):
        yield


@contextmanager
def held(
    lock: Path, *, patience: float = 0.0, create: bool = False, exclusive: bool = False
) -> Iterator[bool]:
    """Hold one of DVC's locks during the block; yield whether nobody else holds it.

    Parameters
    ----------
    lock : Path
        The lock's file; without one nobody ran DVC here, and nobody holds it.
    patience : float, default=0.0
        Seconds to wait for whoever holds it.
    create : bool, default=False
        Whether to make the file, so that DVC has to wait.
    exclusive : bool, default=False
        Whether others may not hold it as readers either.
    """
    try:
        file = lock.open("ab" if create else "rb")
    except FileNotFoundError:
        yield True
        return
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    with file:
        deadline = time.monotonic() + patience
        while not (is_held := _locked(file.fileno(), kind)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        yield is_held


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def difference(root: Path, output: Mapping[str, Any]) -> Difference | None:
    """Return how a file or directory differs from its entry among the outs of dvc.lock."""
    path, md5 = root / output["path"], str(output["md5"])
    found = _found(path)
    if found == md5:
        return None
    for name, expected in _listing(root, md5).items():
        found_there = _found(path / name)
        if found_there != expected:
            return Difference(path / name, expected, found_there, _damaged(root, expected))
    return Difference(path, md5, found, _damaged(root, md5))


def dvc_md5(path: Path) -> str:
    """Return the md5 by which DVC knows a file, or a directory with all it holds."""
    if path.is_file():
        return _md5(path)
    files = sorted(
        (entry.relative_to(path).as_posix(), _md5(entry))
        for entry in path.rglob("*")
        if entry.is_file()
    )
    listing = [{"md5": md5, "relpath": name} for name, md5 in files]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + DIRECTORY


def cached_damage(root: Path, md5: str) -> list[Path]:
    """Return the objects of DVC's cache behind an output that are not what their names say.

    Objects that are not in this cache are nobody's damage: a remote may have them.
    """
    return sorted(path for path in objects_of(root, md5) if is_damaged(root / path))


def objects_of(root: Path, md5: str) -> set[Path]:
    """Return the objects of DVC's cache behind an output, as paths in a checkout.

    Those that are not in this cache are named all the same, but for the files of a directory whose
    own object is not there.
    """
    return {_cached(each) for each in (md5, *_listing(root, md5).values())}


def _object_md5(path: Path) -> str:
    """Return the md5 that an object of DVC's cache must have, by its name."""
    return path.parent.name + path.name.removesuffix(DIRECTORY)


def restore_output(root: Path, md5: str, target: Path) -> bool:
    """Copy a directory that DVC's cache knows as ``md5`` to ``target``; say if it is all there.

    Nothing is verified: DVC does not look into its cache, so whoever asks must look himself.
    """
    files = _listing(root, md5)
    sources = {name: root / _cached(each) for name, each in files.items()}
    is_flat = all(Path(name).name == name for name in files)
    if not files or not is_flat or not all(path.is_file() for path in sources.values()):
        return False
    target.mkdir(parents=True)
    for name, source in sources.items():
        shutil.copyfile(source, target / name)
    return True


def _found(path: Path) -> str:
    return dvc_md5(path) if path.exists() else "no such file"


def _listing(root: Path, md5: str) -> dict[str, str]:
    """Return what DVC's cache says a directory holds; nothing if the cache lies elsewhere."""
    if not md5.endswith(DIRECTORY):
        return {}
    try:
        entries = json.loads((root / _cached(md5)).read_bytes())
        return {entry["relpath"]: entry["md5"] for entry in entries}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _damaged(root: Path, md5: str) -> Path | None:
    cached = _cached(md5)
    return cached if is_damaged(root / cached) else None


def is_damaged(path: Path) -> bool:
    """Tell whether an object of DVC's cache is not what its name says."""
    return path.is_file() and _md5(path) != _object_md5(path)


def _cached(md5: str) -> Path:
    return CACHE / md5[:2] / md5[2:]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()
