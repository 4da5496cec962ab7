"""Old objects of DVC's cache that nothing names: no checkout, no ref of git, no version."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from modemap.errors import RegistryError, StageError
from modemap.lifecycle.doctor.leftovers import NOT_OURS
from modemap.lifecycle.doctor.locks import dvc_is_at_work
from modemap.lifecycle.gc.kept import Kept
from modemap.lifecycle.gc.waste import Waste
from modemap.lockfile import CACHE, DVCS_LOCK, held, objects_of, read_lock

__all__ = ["old_objects", "resting_dvc"]

MD5 = re.compile(rb"\bmd5: ([0-9a-f]{32}(?:\.dir)?)\b")  # in dvc.lock and *.dvc, of outs and deps
STORE = "mlruns"  # has the lock file of every version, also of those that go
HEAD = ("rev-parse", "--quiet", "--verify", "HEAD")
FULL_TREE = ("ls-tree", "-r", "-z", "--full-tree")


@contextmanager
def resting_dvc(root: Path) -> Iterator[None]:
    """Keep DVC from working in ``root`` during the block.

    Raises
    ------
    StageError
        If it is at work.
    """
    with held(root / DVCS_LOCK, create=True, exclusive=True) as is_ours:
        if not is_ours or dvc_is_at_work(root):
            hint = "wait for the other `dvc` to end; `modemap doctor` finds what a killed one left"
            raise StageError(root, "DVC must rest", found="another DVC is at work", hint=hint)
        yield


def old_objects(root: Path, kept: Kept, before: datetime) -> Iterator[Waste]:
    """Yield the objects that nothing names and that are older than ``before``.

    A cache that lies elsewhere, which other checkouts may share, is left alone.

    Raises
    ------
    RegistryError
        If dvc.lock or git's refs cannot be read, so that it is not known what they name.
    """
    cache = root / CACHE
    if not cache.is_dir() or not cache.resolve().is_relative_to(root.resolve()):
        return
    named = {md5 for version in kept.versions for md5 in version.outputs.values()}
    named |= _named_here(root) | _named_by_git(root)
    needed = {path for md5 in named for path in objects_of(root, md5)}
    for path in sorted(cache.glob("*/*")):
        status = path.stat()
        place = path.relative_to(root)
        if place not in needed and status.st_mtime < before.timestamp():
            yield Waste("DVC", str(place), status.st_size, partial(path.unlink, missing_ok=True))


def _named_here(root: Path) -> set[str]:
    read_lock(root)  # half a lock file would name half of what is needed
    found: set[str] = set()
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_OURS | {STORE}]
        for name in filter(_names_objects, files):
            found |= _named_in(Path(place, name).read_bytes())
    return found


def _named_by_git(root: Path) -> set[str]:
    """Return what lock files name in the index and at every ref: branches, tags, experiments."""
    if _git(root, "rev-parse", "--git-dir", must=False) is None:
        return set()
    refs = (_git(root, "for-each-ref", "--format=%(objectname)") or b"").decode().split()
    refs += (_git(root, *HEAD, must=False) or b"").decode().split()  # of no branch, perhaps
    listed = (_git(root, "ls-files", "-s", "-z") or b"").split(b"\0")
    for ref in set(refs):
        listed += (_git(root, *FULL_TREE, ref) or b"").split(b"\0")
    blobs = {_blob(line) for line in listed if _names_objects(line.partition(b"\t")[2].decode())}
    return {md5 for blob in blobs for md5 in _named_in(_git(root, "cat-file", "blob", blob) or b"")}


def _blob(line: bytes) -> str:
    """Return the object that a line of `ls-tree` or of `ls-files -s` names."""
    mode_and_objects = line.partition(b"\t")[0].decode().split()
    return next(part for part in mode_and_objects[1:] if len(part) > len("commit"))


def _names_objects(path: str) -> bool:
    return path.endswith((".dvc", "dvc.lock"))


def _named_in(text: bytes) -> set[str]:
    return {md5.decode() for md5 in MD5.findall(text)}


def _git(root: Path, *arguments: str, must: bool = True) -> bytes | None:
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        if (root / ".git").exists():
            hint = "install git: without it nobody knows what branches and tags need"
            raise RegistryError("git", "must be there", found="no program", hint=hint) from None
        return None
    if done.returncode and must:
        found = done.stderr.decode(errors="replace").strip()
        rule, hint = f"`git {arguments[0]}` must answer", "mend the repository; nothing was freed"
        raise RegistryError(root, rule, found=found, hint=hint)
    return None if done.returncode else done.stdout
