"""Checkout: params.yaml, dvc.yaml and dvc.lock of a version, as they were when it was made."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modemap.errors import RegistryError
from modemap.files import staged_file
from modemap.params import load_params
from modemap.tracking.lineage import UNKNOWN
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["Restored", "checkout"]

EDITED_BY_PEOPLE = ("params.yaml", "dvc.yaml")


@dataclass(frozen=True)
class Restored:
    """What was put back, and the commit whose code belongs to it."""

    version: int
    digest: str
    commit: str
    dirty: str  # whether the code had changes that no commit holds: true, false or unknown
    files: list[str]


def checkout(root: Path, number: int, *, force: bool = False) -> Restored:
    """Replace the three files in ``root`` by those of version ``number``; touch nothing else.

    Raises
    ------
    RegistryError
        If the version does not have them whole, or edits that git does not hold would be lost;
        ``force`` gives these up.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    version = registry.get(number)
    with tempfile.TemporaryDirectory(prefix="modemap-checkout-") as folder:
        files = registry.lineage_files(version, Path(folder))
        changed = {
            name
            for name, path in files.items()
            if not (root / name).is_file() or (root / name).read_bytes() != path.read_bytes()
        }
        if not force:
            _check_edits(root, changed.intersection(EDITED_BY_PEOPLE))
        for name in sorted(changed):
            with staged_file(root / name) as temporary:
                shutil.copyfile(files[name], temporary)
    tags = version.tags
    commit, dirty = (tags.get(f"modemap.{name}", UNKNOWN) for name in ("commit", "dirty"))
    return Restored(version.number, version.digest, commit, dirty, sorted(changed))


def _check_edits(root: Path, names: set[str]) -> None:
    for name in sorted(names):
        command = ["git", "-C", str(root), "diff", "--quiet", "HEAD", "--", name]
        try:
            code = subprocess.run(command, capture_output=True, check=False).returncode
        except FileNotFoundError:
            code = 1  # without git nobody holds them
        if code:
            rule, hint = "edits must be committed first", "commit it, or give it up with --force"
            raise RegistryError(root / name, rule, found="changes that git lacks", hint=hint)
