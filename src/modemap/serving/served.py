"""The release that answers, as one value: a request keeps the one it began with."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.errors import ReleaseError
from modemap.lifecycle.history import Rollout
from modemap.release import Release, golden_mismatch, golden_rows, load_release, unit_positions
from modemap.serving.rows import RowReader

__all__ = ["Served", "Serving", "load_served"]


@dataclass(frozen=True)
class Served:
    """A loaded release, the version it is registered as, and what reads its rows."""

    release: Release
    version: int | None  # None: a directory that no registry knows
    example: dict[str, Any]  # a row in the middle of what the release knows, as callers send one
    since: float = field(default_factory=time.time)

    @property
    def label(self) -> str:
        """The version as counters name it."""
        return "unregistered" if self.version is None else str(self.version)

    @property
    def digest(self) -> str:
        """The release's digest."""
        return self.release.digest

    @cached_property
    def reader(self) -> RowReader:
        """What turns rows of a request into the release's array."""
        return RowReader(self.release)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """The place of each unit on the plane, (n_units, 2): row and column."""
        return unit_positions(self.release.som)


@dataclass(frozen=True)
class Serving:
    """All that is loaded, as one value: a request keeps the one it began with."""

    champion: Served
    challenger: Served | None = None
    rollout: Rollout | None = None
    failure: str = ""  # why the challenger of the rollout cannot be loaded
    before: Served | None = None  # the champion before, kept warm for a rollback

    def loaded(self, version: int, digest: str) -> Served | None:
        """Return a release that is here already."""
        for served in (self.champion, self.challenger, self.before):
            if served is not None and (served.version, served.digest) == (version, digest):
                return served
        return None


def load_served(directory: Path, version: int | None, digest: str | None = None) -> Served:
    """Load the release in ``directory``, compile what it runs, and ask it its golden rows.

    Raises
    ------
    ReleaseError
        If it is not the release of ``digest``, or answers otherwise than it promised.
    """
    release = load_release(directory, digest)
    if mismatch := golden_mismatch(directory, release):
        raise ReleaseError(
            directory,
            "a release must answer its golden rows before it is served",
            found=mismatch,
            hint="the release that was served before stays",
        )
    rows = golden_rows(directory)
    return Served(release, version, RowReader(release).example(np.median(rows, axis=0)))
