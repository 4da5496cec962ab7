"""Follow the history's head: a new champion is loaded beside the old one and takes its place.

The alias in MLflow is never followed. A release that cannot be fetched, kept, verified or loaded,
or does not answer its golden rows, is told by ``trouble`` and in the log, and the last good one
stays; it also stays on disk, for a start while the registry is away.
"""

import gc
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from modemap.errors import ModemapError, RegistryError, ReleaseError
from modemap.files import read_json, write_json
from modemap.lifecycle.candidate import Promoted
from modemap.lifecycle.history import Head, History, Rollout
from modemap.params import load_params
from modemap.refusals import refused
from modemap.serving.served import Served, Serving, load_served
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, store_exists

__all__ = ["Follower", "champion_source", "directory_source"]

log = logging.getLogger(__name__)

Source = Callable[[Serving | None], Serving | None]
KEPT = Path(".modemap", "serving")  # releases by digest, and the one that served last
LAST = "last.json"


class Follower:
    """Keep ``serving`` up to date by a thread of its own.

    Parameters
    ----------
    source : callable
        Given what is served now, returns what should be served, the same value if nothing changed.
    seconds : float
        Between two looks.
    alarm : callable, optional
        Told, in words, when the champion can no longer be followed.
    root : Path or None, optional
        The project whose history is followed, if one is.

    Attributes
    ----------
    serving : Serving or None
        The champion, and the challenger beside it.
    seen : callable
        Called after each look with what is served.
    """

    def __init__(
        self,
        source: Source,
        seconds: float,
        alarm: Callable[[str], object] | None = None,
        root: Path | None = None,
    ) -> None:
        self.serving: Serving | None = None
        self.seen: Callable[[Serving], object] = lambda _: None
        self.trouble: ModemapError | None = None
        self.root = root
        self._source, self._seconds, self._alarm = source, seconds, alarm
        self._ending = threading.Event()
        self._thread = threading.Thread()

    @property
    def served(self) -> Served | None:
        """The champion."""
        return self.serving.champion if self.serving else None

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
            found = self._source(self.serving)
        except ModemapError as error:
            self._tell(error)
            return
        except OSError as error:  # a full disk, a folder that takes no files
            self._tell(refused(error, "the service", str(KEPT), "it follows again by itself"))
            return
        self.trouble = None
        if found is None:
            return
        champion = found.champion
        if self.serving is None:
            gc.freeze()  # no more searched for garbage, which would be a pause of 0.2 s
        if champion is not self.served:
            log.info("serving version %s, digest %s", champion.version, champion.digest)
        self.serving = found
        self.seen(found)

    def _tell(self, error: ModemapError) -> None:
        if str(error) != str(self.trouble):
            log.warning("the champion cannot be followed: %s", error)
        is_new, self.trouble = self.trouble is None, error
        if is_new and self._alarm is not None:
            self._alarm(f"the champion cannot be followed: {error.place}: {error.rule}")

    def _follow(self) -> None:
        while True:
            self.look()
            if self._ending.wait(self._seconds):
                return


def directory_source(directory: Path) -> Source:
    """Return a source of the one release in ``directory``."""

    def look(serving: Serving | None) -> Serving:
        return serving or Serving(load_served(directory, None))

    return look


def champion_source(root: Path) -> Source:
    """Return a source of the champion by the history of the project in ``root``.

    Without a registry to ask, the release that served last is loaded from where it was kept.
    """
    project = load_params(root / "params.yaml").project
    opened: list[History] = []  # folded once, then only newer entries are read

    def look(serving: Serving | None) -> Serving | None:
        try:
            if not opened and store_exists(root):
                opened.append(History(Registry(open_store(root, project))))
            head = opened[0].head() if opened else Head()
            promoted = Promoted.of(opened[0].registry, head) if opened else None
            return serving if promoted is None else _load(root, promoted, head.rollout, serving)
        except RegistryError:
            if serving is None and (kept := _kept(root)):
                log.warning("the registry does not answer: serving what served last")
                return Serving(kept)
            raise

    return look


def _load(
    root: Path, promoted: Promoted, rollout: Rollout | None, serving: Serving | None
) -> Serving:
    champion = _fetched(root, promoted, serving)
    challenger, failure = None, ""
    if rollout is not None:
        challenged = Promoted(promoted.registry, rollout.version, rollout.digest)
        try:
            challenger = _fetched(root, challenged, serving)
        except ReleaseError as error:
            failure = " ".join(f"it cannot be served: {error}".split())
        except RegistryError as error:
            log.warning("the challenger cannot be fetched: %s", error)
    before = serving.before if serving else None
    if serving is not None and serving.champion is not champion:
        before = serving.champion
    if serving is None or serving.champion is not champion:
        last = {"digest": promoted.digest, "version": promoted.number}
        write_json(root / KEPT / LAST, last)
    known = {served.digest for served in (champion, challenger, before) if served is not None}
    _forget_others(root, known)
    return Serving(champion, challenger, rollout, failure, before)


def _fetched(root: Path, release: Promoted, serving: Serving | None) -> Served:
    """Return a release that is loaded already, or from where it is kept or registered."""
    found = serving.loaded(release.number, release.digest) if serving else None
    if found is not None:
        return found
    folder = root / KEPT / release.digest
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{time.time_ns()}.part")
        partial.mkdir(parents=True)
        try:
            release.release(partial).rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return load_served(folder, release.number, release.digest)


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
