"""Whether dvc.lock, the outputs it names and the files on disk speak of one and the same run."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ReleaseError
from modemap.tracking.lineage import read_lock

__all__ = ["check_lock", "dvc_md5"]

CHECKED = ("evaluate", "validate")  # stages whose files the gate reads or promotes


def check_lock(root: Path) -> None:
    """Do nothing if what lies in ``root`` is what the last complete run of the graph left there.

    Raises
    ------
    ReleaseError
        If a stage ran on other inputs than the lock has now, or a file is not the one of the lock;
        the message names the file.
    """
    stages = read_lock(root)["stages"]
    for name in CHECKED:
        if not stages.get(name, {}).get("outs"):
            _refuse(root / "dvc.lock", f"must hold stage {name}", found="no such stage")
    made = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    for name, stage in stages.items():
        _check_inputs(root, name, stage, made)
    for name in CHECKED:
        for out in stages[name]["outs"]:
            path = root / out["path"]
            found = dvc_md5(path) if path.exists() else "no such file"
            if found != out["md5"]:
                _refuse(path, f"must be what dvc.lock says, md5 {out['md5']}", found=found)


def dvc_md5(path: Path) -> str:
    """Return the md5 by which DVC knows a file, or a directory with all it holds."""
    if path.is_file():
        return _md5(path)
    files = sorted(
        (entry.relative_to(path).as_posix(), _md5(entry))
        for entry in path.rglob("*")
        if entry.is_file()
    )
    listing = [{"md5": md5, "relpath": name} for name, md5 in files]
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir"


def _check_inputs(root: Path, name: str, stage: Mapping[str, Any], made: Mapping[str, str]) -> None:
    for dep in stage.get("deps", []):
        expected = made.get(dep["path"])
        if expected is not None and dep.get("md5") != expected:
            rule = f"{dep['path']}, md5 {expected}, must be what stage {name} ran on"
            _refuse(root / "dvc.lock", rule, found=dep.get("md5"))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()


def _refuse(place: Path, rule: str, *, found: object) -> NoReturn:
    raise ReleaseError(place, rule, found=found, hint="run `dvc repro`, then register again")
