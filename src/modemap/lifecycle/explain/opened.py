"""The release that is explained, and the prepared rows that it is explained by."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modemap.data.matrix import prepared_batches
from modemap.data.split import SPLITS
from modemap.errors import DataError
from modemap.lifecycle.naming import find_candidate
from modemap.params import load_params
from modemap.release import Release, load_release
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["PREPARED", "opened"]

PREPARED = Path("data", "prepared")


@contextmanager
def opened(root: Path, name: str) -> Iterator[tuple[str, Release]]:
    """Load the release that ``name`` is of; see first that the prepared rows are there for it."""
    params = load_params(root / "params.yaml")
    candidate = find_candidate(root, name, lambda: Registry(open_store(root, params.project)))
    with tempfile.TemporaryDirectory(prefix="modemap-explain-") as folder:
        release = load_release(candidate.release(Path(folder)), candidate.digest)
        _check_prepared(root / PREPARED, release)
        yield candidate.name, release


def _check_prepared(prepared: Path, release: Release) -> None:
    counts = {split: prepared_batches(prepared, split, release.columns).n_rows for split in SPLITS}
    if not counts[SPLITS[0]]:
        rule = "must hold training rows"
        raise DataError(prepared / SPLITS[0], rule, found="none", hint="run `dvc repro prepare`")
