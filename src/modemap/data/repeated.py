"""Which keys come more than once in tables larger than memory: by sorted hashes, exactly.

Equal keys have equal hashes, so a hash that comes once needs no second look. The few rows whose
hash comes again are then compared by their values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.batches import Batch, read_pieces
from modemap.data.kept import DIGEST_BYTES, Kept
from modemap.data.seen import Seen
from modemap.data.split import row_hashes

__all__ = ["Key", "repeated_hashes"]

Hashes = NDArray[np.uint64]

WORD = 8  # bytes of a hash
SPAN = 1 << 64


@dataclass(frozen=True)
class Key:
    """Columns that are to differ from row to row, and which rows do not count."""

    columns: tuple[str, ...]
    ignored: str  # rows in which a value is missing: all, any or none

    def hashes(self, table: pa.Table) -> tuple[Hashes, NDArray[np.bool_]]:
        """Return each row's hash, and which rows count."""
        missing = np.column_stack([table[name].is_null().to_numpy() for name in self.columns])
        is_ignored = {"all": missing.all(axis=1), "any": missing.any(axis=1)}
        counts = ~np.asarray(is_ignored.get(self.ignored, np.zeros(len(table), np.bool_)))
        return row_hashes(table, self.columns), counts

    def run(self, directory: Path, kept: Kept, batch: Batch) -> Path:
        """Return the file of the sorted hashes of ``batch``, made if it was not kept."""
        about = ("hashes", batch.digest, self.columns, self.ignored)
        if (path := kept.find(*about)) is None:
            parts = []
            for table in read_pieces(directory, batch, self.columns, sha256=Seen(kept).sha256):
                hashes, counts = self.hashes(table)
                parts.append(hashes[counts])
            kept.put(np.sort(np.concatenate(parts)).astype("<u8").tobytes(), *about)
            path = kept.find(*about)
        assert path is not None  # noqa: S101  # it has just been written
        return path

    def rows(
        self, directory: Path, batches: Sequence[Batch], wanted: Hashes
    ) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
        """Yield the rows whose hash is ``wanted``, with their numbers through all batches."""
        start = 0
        for batch in batches:
            for table in read_pieces(directory, batch, self.columns):
                hashes, counts = self.hashes(table)
                found = np.flatnonzero(np.isin(hashes, wanted) & counts)
                yield start + found, table.take(pa.array(found))
                start += len(table)


def repeated_hashes(paths: Sequence[Path], at_once: int) -> tuple[int, Hashes]:
    """Return how many hashes the files hold, and those that come more than once, sorted.

    Only ``at_once`` of them are in memory: the files are sorted, so a range of values is a slice of
    each.
    """
    runs = [_opened(path) for path in paths]
    total = sum(map(len, runs))
    n_ranges = max(1, -(-total // at_once))
    ends = [np.uint64(SPAN * i // n_ranges) for i in range(1, n_ranges)]
    cuts = [np.concatenate(([0], np.searchsorted(run, ends), [len(run)])) for run in runs]
    found = [np.empty(0, np.uint64)]
    for i in range(n_ranges):
        slices = [run[cut[i] : cut[i + 1]] for run, cut in zip(runs, cuts, strict=True)]
        values = np.sort(np.concatenate([np.empty(0, np.uint64), *slices]))
        found.append(np.unique(values[1:][values[1:] == values[:-1]]))
    return total, np.concatenate(found)


def _opened(path: Path) -> Hashes:
    n_hashes = (path.stat().st_size - DIGEST_BYTES) // WORD
    if not n_hashes:
        return np.empty(0, np.uint64)
    return np.memmap(path, "<u8", mode="r", shape=(n_hashes,))
