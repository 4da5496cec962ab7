"""Follow the history's head: a new champion is loaded beside the old one and takes its place.

The alias in MLflow is never followed. A release that cannot be fetched, verified or loaded, or does
not answer its golden rows, is told by ``trouble`` and in the log, and the last good one stays; it
also stays on disk, for a start while the registry is away.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from modemap.errors import ModemapError, RegistryError
from modemap.files import read_json, write_json
from modemap.lifecycle.candidate import Promoted
from modemap.lifecycle.history import History
from modemap.params import load_params
from modemap.serving.served import Served, load_served
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, store_exists

__all__ = ["Follower", "champion_source", "directory_source"]

log = logging.getLogger(__name__)

Source = Callable[[Served | None], Served | None]
KEPT = Path(".modemap", "serving")  # releases by digest, and the one that served last
LAST = "last.json"


class Follower:
    """Keep ``served`` up to date by a thread of its own.

    Parameters
    ----------
    source : callable
        Given what is served now, returns what should be served, the same value if nothing changed.
    seconds : float
        Between two looks.
    """

    def __init__(self, source: Source, seconds: float) -> None:
        self.served: Served | None = None
        self.trouble: ModemapError | None = None
        self._source, self._seconds = source, seconds
        self._ending = threading.Event()
        self._thread = threading.Thread()

    def start(self) -> None:
        """Begin to follow; the first release is loaded in the background."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End following; what is being loaded is finished first."""
        self._ending.set()
        self._thread.join()

    def look(self) -> None:
        """Look once, and swap if there is another champion."""
        try:
            found = self._source(self.served)
        except ModemapError as error:
            if str(error) != str(self.trouble):
                log.warning("the champion cannot be followed: %s", error)
            self.trouble = error
            return
        self.trouble = None
        if found is not None and found is not self.served:
            log.info("serving version %s, digest %s", found.version, found.digest)
            self.served = found

    def _follow(self) -> None:
        while True:
            self.look()
            if self._ending.wait(self._seconds):
                return


def directory_source(directory: Path) -> Source:
    """Return a source of the one release in ``directory``."""

    def look(served: Served | None) -> Served:
        return served or load_served(directory, None)

    return look


def champion_source(root: Path) -> Source:
    """Return a source of the champion by the history of the project in ``root``.

    Without a registry to ask, the release that served last is loaded from where it was kept.
    """
    project = load_params(root / "params.yaml").project
    opened: list[History] = []  # folded once, then only newer entries are read

    def look(served: Served | None) -> Served | None:
        try:
            if not opened and store_exists(root):
                opened.append(History(Registry(open_store(root, project))))
            promoted = Promoted.of(opened[0].registry, opened[0].head()) if opened else None
            return served if promoted is None else _load(root, promoted, served)
        except RegistryError:
            if served is None and (kept := _kept(root)):
                log.warning("the registry does not answer: serving what served last")
                return kept
            raise

    return look


def _load(root: Path, promoted: Promoted, served: Served | None) -> Served:
    if served is not None and (served.version, served.digest) == (promoted.number, promoted.digest):
        return served
    folder = root / KEPT / promoted.digest
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{time.time_ns()}.part")
        partial.mkdir(parents=True)
        try:
            promoted.release(partial).rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    found = load_served(folder, promoted.number, promoted.digest)
    write_json(root / KEPT / LAST, {"digest": promoted.digest, "version": promoted.number})
    _forget_others(root, {promoted.digest, served.digest if served else promoted.digest})
    return found


def _kept(root: Path) -> Served | None:
    try:
        last = read_json(root / KEPT / LAST)
    except (FileNotFoundError, ValueError):
        return None
    return load_served(root / KEPT / str(last["digest"]), int(last["version"]), last["digest"])


def _forget_others(root: Path, digests: set[str]) -> None:
    for folder in (root / KEPT).iterdir():
        if folder.is_dir() and folder.name not in digests:
            shutil.rmtree(folder, ignore_errors=True)
