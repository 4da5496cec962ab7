"""Whether dvc.lock, the outputs it names and the files on disk speak of one and the same run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ReleaseError
from modemap.lockfile import difference, read_lock

__all__ = ["check_lock"]

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
            if differs := difference(root, out):
                rule = f"must be what dvc.lock says, md5 {differs.expected}"
                hint = f"{differs.hint(name)}, then register again"
                _refuse(differs.place, rule, found=differs.found, hint=hint)


def _check_inputs(root: Path, name: str, stage: Mapping[str, Any], made: Mapping[str, str]) -> None:
    for dep in stage.get("deps", []):
        expected = made.get(dep["path"])
        if expected is not None and dep.get("md5") != expected:
            rule = f"{dep['path']}, md5 {expected}, must be what stage {name} ran on"
            _refuse(root / "dvc.lock", rule, found=dep.get("md5"))


def _refuse(
    place: Path, rule: str, *, found: object, hint: str = "run `dvc repro`, then register again"
) -> NoReturn:
    raise ReleaseError(place, rule, found=found, hint=hint)
