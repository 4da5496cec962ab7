"""Backup and restore: the stores of a checkout as one file.

MLflow's store with the history and all artifacts, the objects of DVC's cache that registered
versions name, and, where that is asked for, Prefect's records.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from modemap.files import remove, staged_directory
from modemap.lifecycle.archive import copy_database, pack, refuse, unpack, verified
from modemap.lifecycle.cached import left_to_git
from modemap.lockfile import CACHE, is_damaged, objects_of
from modemap.params import load_params
from modemap.tracking.registry import Registry
from modemap.tracking.store import ARTIFACTS, DATABASE, open_store

__all__ = ["Backup", "backup", "restore"]

STORE = DATABASE.parent
PREFECT = Path(".prefect", "prefect.db")
DVC = "dvc"  # folder of the objects in a backup
KNOWN = {DATABASE.name, ARTIFACTS.name, DVC, PREFECT.name}  # what may lie at its top
READ_ONLY = 0o444  # as DVC keeps its objects


@dataclass(frozen=True)
class Backup:
    """What a backup holds."""

    sha256: str
    n_files: int  # of MLflow's artifacts
    n_objects: int  # of DVC's cache
    n_absent: int  # objects that versions name and the cache does not have
    has_prefect: bool


def backup(root: Path, archive: Path, *, cache: bool = True, prefect: bool = False) -> Backup:
    """Write the stores of the checkout ``root`` to ``archive``, its sha256 beside it.

    Others may write meanwhile: the databases are copied first and by SQLite itself, and files are
    stored before a database names them. Equal stores give equal bytes.

    Parameters
    ----------
    root : Path
        The project's folder.
    archive : Path
        The file, replaced at once.
    cache : bool, default=True
        Whether to keep what of DVC's cache registered versions name.
    prefect : bool, default=False
        Whether to keep Prefect's records of flow runs.

    Raises
    ------
    RegistryError
        If there is no store in the checkout, or something that would be kept is damaged.
    """
    if not (root / DATABASE).is_file():
        refuse(root / DATABASE, "must exist", found="no such file", hint="run `modemap run` first")
    named = _objects(root) if cache else set()
    objects = {path for path in named if (root / path).is_file()}
    has_prefect = prefect and (root / PREFECT).is_file()
    with tempfile.TemporaryDirectory(prefix="modemap-backup-") as folder:
        files = {DATABASE.name: Path(folder, DATABASE.name)}
        copy_database(root / DATABASE, files[DATABASE.name])
        if has_prefect:
            files[PREFECT.name] = Path(folder, PREFECT.name)
            copy_database(root / PREFECT, files[PREFECT.name])
        artifacts = {
            path.relative_to(root / STORE).as_posix(): path
            for path in sorted((root / ARTIFACTS).rglob("*"))
        }
        sound = {
            f"{DVC}/{path.relative_to(CACHE).as_posix()}": _sound(root / path)
            for path in sorted(objects)
        }
        digest = pack(archive, files | artifacts | sound)
    n_files = sum(path.is_file() for path in artifacts.values())
    return Backup(digest, n_files, len(objects), len(named - objects), has_prefect)


def restore(root: Path, archive: Path) -> Backup:
    """Make the stores of the checkout ``root`` from ``archive``.

    Objects of DVC's cache and records of Prefect's that are there stay. MLflow's store comes last
    and at once: a restore that was killed is begun again.

    Raises
    ------
    RegistryError
        If the checkout has a store of MLflow's already, the archive is not the one of its digest,
        or what it holds is not what it should be.
    """
    digest = verified(archive)
    if (root / STORE).exists():
        hint = "move it away, or restore in a fresh checkout"
        refuse(root / STORE, "a store must not be replaced", found="it exists", hint=hint)
    with staged_directory(root / STORE) as folder:
        unpack(archive, folder)
        _check(archive, folder)
        n_objects = _put_objects(root, folder / DVC)
        has_prefect = _put_prefect(root, folder / PREFECT.name)
        n_files = sum(path.is_file() for path in (folder / ARTIFACTS.name).rglob("*"))
    return Backup(digest, n_files, n_objects, 0, has_prefect)


def _objects(root: Path) -> set[Path]:
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    uncached = left_to_git(root)
    outputs = {
        md5
        for version in registry.versions()
        for path, md5 in version.outputs.items()
        if path not in uncached
    }
    return {path for md5 in outputs for path in objects_of(root, md5)}


def _sound(path: Path) -> Path:
    if is_damaged(path):
        hint = "`modemap verify` names all that is damaged; remove it or restore it from a remote"
        refuse(path, "must be what its name says", found="other bytes", hint=hint)
    return path


def _check(archive: Path, folder: Path) -> None:
    """Refuse what is no backup of ours before anything of it leaves ``folder``."""
    hint = "make it again: `modemap backup`"
    strange = {path.name for path in folder.iterdir()} - KNOWN
    if strange or not (folder / DATABASE.name).is_file():
        found = ", ".join(sorted(strange)) or "no database"
        refuse(archive, "must be a backup", found=found, hint=hint)
    for path in (folder / DVC).rglob("*"):
        is_object = not path.is_symlink() and (path.is_dir() or not is_damaged(path))
        if not is_object:
            found = str(path.relative_to(folder))
            refuse(archive, "its objects must be what their names say", found=found, hint=hint)


def _put_objects(root: Path, folder: Path) -> int:
    objects = [path for path in folder.rglob("*") if path.is_file()]
    for path in objects:
        target = root / CACHE / path.relative_to(folder)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(READ_ONLY)
            path.replace(target)
    remove(folder)
    return len(objects)


def _put_prefect(root: Path, database: Path) -> bool:
    if not database.is_file():
        return False
    is_free = not (root / PREFECT).exists()
    if is_free:
        (root / PREFECT).parent.mkdir(exist_ok=True)
        database.replace(root / PREFECT)
    remove(database)
    return is_free
