"""What a result was made from: the commit, the data's hashes, the flow run, the package."""

import getpass
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from modemap.lockfile import read_lock

__all__ = [
    "COMMIT",
    "DIRTY",
    "FILE_TAG",
    "LINEAGE_FILES",
    "OUTPUT_TAG",
    "UNKNOWN",
    "Lineage",
    "commit_of",
    "package_version",
    "read_lineage",
]

UNKNOWN = "unknown"
COMMIT = "modemap.commit"
DIRTY = "modemap.dirty"
FILE_TAG = "modemap.sha256."  # begins the tags with the digests of the lineage files
OUTPUT_TAG = "modemap.dvc."  # begins the tags with the md5 of outputs
FLOW_RUN_VARIABLE = "MODEMAP_FLOW_RUN"
COMMIT_VARIABLE = "MODEMAP_COMMIT"  # of the checkout that an image was built from
LINEAGE_FILES = ("params.yaml", "dvc.yaml", "dvc.lock")
GIT_SECONDS = 20


@dataclass(frozen=True)
class Lineage:
    """Where a run or a version comes from; what cannot be known is ``unknown``."""

    commit: str
    dirty: str  # true, false or unknown
    data: Mapping[str, str]  # path of a DVC output -> its md5
    flow_run: str
    package_version: str

    def tags(self, *paths: str) -> dict[str, str]:
        """Return it as MLflow tags, with the hashes of ``paths``, of all outputs by default."""
        tags = {
            COMMIT: self.commit,
            DIRTY: self.dirty,
            "modemap.flow_run": self.flow_run,
            "modemap.package_version": self.package_version,
        }
        return tags | {
            f"{OUTPUT_TAG}{path}": md5
            for path, md5 in sorted(self.data.items())
            if path in paths or not paths
        }


def read_lineage(root: Path) -> Lineage:
    """Return the lineage of what the checkout ``root`` holds now."""
    data = _outputs(read_lock(root))
    return Lineage(
        commit=_git(root, "rev-parse", "HEAD") or os.environ.get(COMMIT_VARIABLE) or UNKNOWN,
        dirty=_dirty(root, made=["dvc.lock", "reports", *data]),
        data=data,
        flow_run=os.environ.get(FLOW_RUN_VARIABLE) or UNKNOWN,
        package_version=package_version(),
    )


def _outputs(lock: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(output["path"]): str(output["md5"])
        for stage in lock["stages"].values()
        for output in stage.get("outs", [])
    }


def _dirty(root: Path, made: Sequence[str]) -> str:
    """Tell whether code, params or configuration differ from the commit; ``made`` is left out."""
    excluded = [f":(exclude,literal){path}" for path in made]
    changes = _git(root, "status", "--porcelain", "--", ".", *excluded)
    if changes is None:
        return UNKNOWN
    return "true" if changes else "false"


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where there is no git, no repository or no commit."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def commit_of(root: Path, revision: str) -> str | None:
    """Return the whole hash of the commit that git knows as ``revision``, None if there is none."""
    named = f"{revision}^{{commit}}"
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", named)


def requester(root: Path) -> str:
    """Return who asks for a version: the address that git commits under, else user and machine."""
    return _git(root, "config", "user.email") or f"{getpass.getuser()}@{socket.gethostname()}"


def package_version() -> str:
    """Return the version of this package, or ``unknown`` where it runs uninstalled."""
    try:
        return version("modemap")
    except PackageNotFoundError:
        return UNKNOWN
