"""DVC's locks and lock file as a killed process leaves them.

Locks that the system holds for a process end with it, and the empty files that stay mean nothing:
DVC's ``tmp/lock``, our ``.modemap/*.lock``. DVC's ``tmp/rwlock`` is a list of processes, written in
place, and so is ``dvc.lock``: both can stay half written.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from modemap.errors import RegistryError
from modemap.files import is_running, write_bytes
from modemap.lifecycle.doctor.finding import Finding
from modemap.lockfile import DVCS_LOCK, held, read_lock

__all__ = ["dvc_is_at_work", "stale_locks"]

RWLOCK, GUARD = Path(".dvc", "tmp", "rwlock"), Path(".dvc", "tmp", "rwlock.lock")
LOCK_FILE = Path("dvc.lock")
Holders = dict[str, dict[str, Any]]  # read or write -> path -> one process, or a list of them


def stale_locks(root: Path) -> Iterator[Finding]:
    """Yield what keeps DVC from working in ``root`` though no process is at work."""
    yield from _rwlock(root)
    yield from _lock_file(root)


def dvc_is_at_work(root: Path) -> bool:
    """Tell whether a living process holds something of DVC's, or writes that it does."""
    with held(root / GUARD) as is_ours:
        found = _read(root) if is_ours else None
        if not is_ours or (found is None and (root / RWLOCK).exists()):
            return True
    return any(is_running(_pid(info)) for info in _entries(found or {}))


def _rwlock(root: Path) -> Iterator[Finding]:
    with held(root / GUARD) as is_ours:
        if not is_ours or not (root / RWLOCK).exists():
            return  # DVC writes it at this moment, or never did
        found = _read(root)
    if found is None:
        yield Finding(
            str(RWLOCK),
            "half written: the DVC that wrote it was killed",
            "every command of DVC's stops with `Unable to read RWLock-file`",
            "removes it; no process holds it",
            partial(_keep_living, root),
        )
        return
    dead = sorted({pid for pid in map(_pid, _entries(found)) if not is_running(pid)})
    if dead:
        processes = ", ".join(map(str, dead))
        yield Finding(
            str(RWLOCK),
            f"locks of processes that are gone: {processes}",
            "once another process gets such a number, DVC waits for it in vain",
            "takes them out; locks of living processes stay",
            partial(_keep_living, root),
        )


def _keep_living(root: Path) -> None:
    """Take out of DVC's list who is gone, and the list if it cannot be read or nobody is left."""
    with held(root / GUARD, create=True) as is_ours:
        if not is_ours:
            return
        found = _read(root) or {}
        living = {
            mode: {path: kept for path, infos in paths.items() if (kept := _living(infos))}
            for mode, paths in found.items()
        }
        if any(living.values()):
            write_bytes(root / RWLOCK, json.dumps(living).encode())
        else:
            (root / RWLOCK).unlink(missing_ok=True)


def _read(root: Path) -> Holders | None:
    """Return who holds what, None if the file is not as DVC writes it."""
    try:
        found = json.loads((root / RWLOCK).read_bytes())
        for info in _entries(found):
            _pid(info)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return dict(found)


def _entries(found: Holders) -> Iterator[dict[str, Any]]:
    for paths in found.values():
        for infos in paths.values():
            yield from infos if isinstance(infos, list) else [infos]


def _living(infos: Any) -> Any:
    if isinstance(infos, list):
        return [info for info in infos if is_running(_pid(info))]
    return infos if is_running(_pid(infos)) else None


def _pid(info: dict[str, Any]) -> int:
    return int(info["pid"])


def _lock_file(root: Path) -> Iterator[Finding]:
    path = root / LOCK_FILE
    with held(root / DVCS_LOCK) as is_ours:
        if not is_ours or not path.exists():
            return
        try:
            read_lock(root)
            return
        except RegistryError as error:
            found = error.found
    committed = _committed(root)
    mending = "puts back the committed one; `dvc repro` brings it up to date"
    if not committed:
        mending = "nothing: git has none; remove it, then run `dvc repro`"
    yield Finding(
        str(LOCK_FILE),
        f"half written: {found}",
        "no stage runs and nothing can be registered",
        mending,
        partial(write_bytes, path, committed) if committed else None,
    )


def _committed(root: Path) -> bytes:
    command = ["git", "show", f"HEAD:./{LOCK_FILE}"]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, check=False).stdout
    except FileNotFoundError:
        return b""
