"""What the gate compares: a registered version or a checkout's release, and the champion."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modemap.lifecycle.history import Head
from modemap.release import release_digest, verify_release
from modemap.tracking.lineage import DIRTY, UNKNOWN, read_lineage
from modemap.tracking.registry import Registry, Version

__all__ = [
    "EVALUATION",
    "PAPERS",
    "RAW_MANIFEST",
    "RELEASE",
    "REPORTS",
    "VALIDATION",
    "Candidate",
    "LocalCandidate",
    "Promoted",
    "RegisteredCandidate",
]

RELEASE, REPORTS = Path("models", "release"), Path("reports")
EVALUATION, VALIDATION, RAW_MANIFEST = "evaluate.json", "validate.json", "raw_manifest.json"
PAPERS = {  # what is registered beside a release, and where a run of the graph leaves it
    EVALUATION: REPORTS / "evaluate.json",
    VALIDATION: REPORTS / "validate.json",
    RAW_MANIFEST: Path("data", "raw", "manifest.json"),
}


class Candidate(Protocol):
    """A release with its papers, wherever they are kept."""

    @property
    def digest(self) -> str:
        """The digest it claims to have."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def dirty(self) -> str:
        """Whether the tree it was made in differed from its commit: true, false or unknown."""

    def release(self, folder: Path) -> Path:
        """Copy the release below ``folder`` and verify every byte of the copy."""

    def papers(self, folder: Path) -> Path:
        """Copy the JSON files that speak of it below ``folder`` and return their place."""


@dataclass(frozen=True)
class RegisteredCandidate:
    """A version of the registry."""

    registry: Registry
    version: Version

    @property
    def digest(self) -> str:
        """The digest it was registered with."""
        return self.version.digest

    @property
    def name(self) -> str:
        """Its number."""
        return f"version {self.version.number}"

    @property
    def dirty(self) -> str:
        """What was known at its registration."""
        return self.version.tags.get(DIRTY, UNKNOWN)

    def release(self, folder: Path) -> Path:
        """Download the release."""
        return self.registry.download(self.version, folder)

    def papers(self, folder: Path) -> Path:
        """Download what was registered beside it."""
        return self.registry.evidence(self.version, folder)


class LocalCandidate:
    """The release that the last run of the graph left in a checkout, registered or not."""

    name = "the release here"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = release_digest(root / RELEASE)
        self.dirty = read_lineage(root).dirty

    def release(self, folder: Path) -> Path:
        """Copy the release, as it will be copied when it is registered."""
        copy = Path(shutil.copytree(self.root / RELEASE, folder / RELEASE.name))
        verify_release(copy, self.digest)
        return copy

    def papers(self, folder: Path) -> Path:
        """Copy what would be registered beside it."""
        for name, path in PAPERS.items():
            if (self.root / path).is_file():
                shutil.copyfile(self.root / path, folder / name)
        return folder


@dataclass(frozen=True)
class Promoted:
    """The release that the head of the history promoted."""

    registry: Registry
    number: int
    digest: str  # by the history, whatever the version's tags say

    @classmethod
    def of(cls, registry: Registry, head: Head) -> "Promoted | None":
        """Return the champion as of ``head``, None before the first promotion."""
        if head.champion is None:
            return None
        return cls(registry, head.champion, head.entry["digest"])

    def release(self, folder: Path) -> Path:
        """Download the release."""
        return self.registry.download(self.registry.get(self.number), folder)
