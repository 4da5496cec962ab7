"""The release that answers, as one value: a request keeps the one it began with."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modemap.errors import ReleaseError
from modemap.release import Release, golden_mismatch, golden_rows, load_release, unit_positions
from modemap.serving.rows import RowReader

__all__ = ["Served", "load_served"]


@dataclass(frozen=True)
class Served:
    """A loaded release, the version it is registered as, and what reads its rows."""

    release: Release
    version: int | None  # None: a directory that no registry knows
    example: dict[str, float]  # a row in the middle of what the release knows, by column
    since: float = field(default_factory=time.time)

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
    middle = np.median(rows, axis=0)
    example = dict(zip(release.columns, map(float, middle), strict=True))
    return Served(release, version, example)
