"""Files and folders that a killed process has left half written, under the names of ``files``."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from modemap.files import REPLACED, abandoned_target, remove
from modemap.lifecycle.doctor.finding import Finding

__all__ = ["half_written"]

NOT_OURS = {".git", ".venv", "node_modules"}
CACHE = Path(".dvc", "cache")  # DVC's own, with names of its own


def half_written(root: Path) -> Iterator[Finding]:
    """Yield what was to become a file or folder below ``root`` and never will."""
    for place, folders, files in os.walk(root):
        folder = Path(place)
        for name in sorted([*folders, *files]):
            if target := abandoned_target(folder / name):
                yield _finding(root, folder / name, target)
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS
            and (folder / name).relative_to(root) != CACHE
            and not abandoned_target(folder / name)
        ]


def _finding(root: Path, left: Path, target: Path) -> Finding:
    name = str(target.relative_to(root))
    if left.name.endswith(REPLACED) and not target.exists():
        what = f"{name} as it was before a process, killed since, replaced it"
        consequence, mending = f"{name} is missing", f"puts it back as {name}"
        return Finding(str(left.relative_to(root)), what, consequence, mending,
                       partial(left.rename, target))  # fmt: skip
    return Finding(
        str(left.relative_to(root)),
        f"a part of {name}, whose writer was killed",
        "it takes room; nothing reads it",
        "removes it",
        partial(remove, left),
    )
