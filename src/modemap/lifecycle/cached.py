"""Which outputs DVC keeps in its cache, and which of them are there or can be had again."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modemap.lockfile import dvc_md5, objects_of

__all__ = ["is_absent", "is_lost", "left_to_git", "may_come_from_elsewhere"]

SIDES = ("outs", "metrics", "plots")  # of a stage in dvc.yaml
SECONDS = 60.0


def left_to_git(root: Path) -> set[str]:
    """Return the outputs that dvc.yaml keeps out of the cache; none if it cannot be read."""
    try:
        stages = YAML(typ="safe").load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        return {name for stage in stages.values() for name in _uncached(stage)}
    except (YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()


def _uncached(stage: Mapping[str, Any]) -> Iterator[str]:
    for side in SIDES:
        for output in stage.get(side, []):
            if isinstance(output, dict):
                yield from (
                    name for name, how in output.items() if how and how.get("cache") is False
                )


def is_absent(root: Path, md5: str) -> bool:
    """Tell whether the cache of ``root`` lacks an object of the output ``md5``."""
    return not all((root / path).is_file() for path in objects_of(root, md5))


def is_lost(root: Path, path: str, md5: str) -> bool:
    """Tell whether neither the cache nor the checkout ``root`` has the output at ``path``."""
    return is_absent(root, md5) and not ((root / path).exists() and dvc_md5(root / path) == md5)


def may_come_from_elsewhere(root: Path) -> bool:
    """Tell whether DVC is told of a remote, or keeps its cache in another place."""
    command = [sys.executable, "-m", "dvc", "config", "--list"]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return any(line.startswith(("remote.", "cache.dir=")) for line in done.stdout.splitlines())
