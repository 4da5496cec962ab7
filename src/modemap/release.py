"""A release: preparation, map and mixture in one directory, under one digest.

``manifest.json`` names every other file with its size and sha256; the release's digest is the
sha256 of that manifest, so one string stands for every byte that answers a request.
"""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ReleaseError
from modemap.files import canonical_json, read_json, sha256_file

__all__ = ["GOLDEN", "MANIFEST", "PARTS", "files_digest", "release_digest", "verify_release"]

MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
PARTS = (
    "anomaly.npz",
    GOLDEN,
    "mixture.npz",
    "normalizer.npz",
    "preparation.npz",
    "segments.npz",
    "som.npz",
)

FORMAT = 1


def files_digest(sha256: Mapping[str, str]) -> str:
    """Return one digest for a set of files, given the sha256 of each by its name."""
    return hashlib.sha256(canonical_json(dict(sha256))).hexdigest()


def release_digest(directory: Path) -> str:
    """Return the digest of the release in ``directory`` without looking at its other files.

    Raises
    ------
    ReleaseError
        If there is no manifest.
    """
    manifest = directory / MANIFEST
    if not manifest.is_file():
        _refuse(manifest, "a release has a manifest", found="no such file")
    return sha256_file(manifest)


def verify_release(directory: Path, digest: str | None = None) -> dict[str, Any]:
    """Compare every byte of a release with its manifest, and the manifest with ``digest``.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ReleaseError
        If a file is missing, unknown or changed, or the release is not the one named by
        ``digest``; the message names the file.
    """
    found = release_digest(directory)
    if digest is not None and found != digest:
        _refuse(directory / MANIFEST, f"the release's digest must be {digest}", found=found)
    manifest = _read_manifest(directory / MANIFEST)
    _check_names(directory, manifest["files"])
    for name, entry in sorted(manifest["files"].items()):
        _check_file(directory / name, entry)
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = read_json(path)
    except ValueError as error:
        _refuse(path, "the manifest must be JSON", found=error)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        number = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        _refuse(path, f"the manifest's format must be {FORMAT}", found=number)
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) != set(PARTS):
        names = sorted(files) if isinstance(files, dict) else files
        _refuse(path, f"the manifest must name {', '.join(PARTS)}", found=names)
    columns = manifest.get("columns")
    if not isinstance(columns, list) or not columns or not all(map(_is_name, columns)):
        _refuse(path, "the manifest must name the columns", found=columns)
    return manifest


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _check_names(directory: Path, files: Mapping[str, Any]) -> None:
    present = {entry.name for entry in directory.iterdir()} - {MANIFEST}
    for name in sorted(set(files) - present):
        _refuse(directory / name, "the manifest names this file", found="no such file")
    for name in sorted(present - set(files)):
        _refuse(directory / name, "a release holds the manifest's files only", found="another file")


def _check_file(path: Path, entry: Mapping[str, Any]) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, "must be a plain file", found=stat.filemode(status.st_mode))
    expected = {"sha256": entry.get("sha256"), "size": entry.get("size")}
    if status.st_size != expected["size"]:
        _refuse(path, f"must have {expected['size']} bytes", found=f"{status.st_size} bytes")
    digest = sha256_file(path)
    if digest != expected["sha256"]:
        _refuse(path, f"its sha256 must be {expected['sha256']}", found=digest)


def _refuse(place: Path, rule: str, *, found: object) -> NoReturn:
    hint = "restore it with `dvc checkout`, or make the release again with `dvc repro evaluate`"
    raise ReleaseError(place, rule, found=found, hint=hint) from None
