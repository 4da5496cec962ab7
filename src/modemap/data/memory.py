"""How much memory a stage may take for rows, and what that means for its pieces.

No output depends on it: row groups and batches have sizes of their own.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from modemap.data.tables import rows_at_once
from modemap.errors import DataError
from modemap.estimators.alongside import N_THREADS

__all__ = ["Memory", "memory_of"]

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
CELL_BYTES = 8
COPIES = 16  # of a piece: decoded, converted, filtered, waiting to be written
FRAME_BYTES = 32  # of a cell in a data frame under judgement
HASH_BYTES = 32  # of a key that is sorted
FEWEST_ROWS = 1024
THREAD_BYTES = 1 << 29  # below this a thread's own buffers, which no piece counts, are too many


@dataclass(frozen=True)
class Memory:
    """A number of bytes, in the terms of those who read rows."""

    bytes: int

    def piece_rows(self, n_columns: int) -> int:
        """Return how many rows of so many columns are read at once."""
        fit = self.bytes // (COPIES * CELL_BYTES * max(n_columns, 1))
        return max(min(rows_at_once(n_columns), fit), FEWEST_ROWS)

    @property
    def n_threads(self) -> int:
        """Return how many threads may have rows of their own at once."""
        return max(min(N_THREADS, self.bytes // THREAD_BYTES), 1)

    def shared(self) -> "Memory":
        """Return what each of these threads may take."""
        return Memory(self.bytes // self.n_threads)

    @property
    def hashes(self) -> int:
        """Return how many hashes are sorted at once."""
        return max(self.bytes // HASH_BYTES, FEWEST_ROWS)

    def check_frame(self, place: object, n_rows: int, n_columns: int) -> None:
        """Refuse a data frame of so many rows and columns if it would not fit.

        Raises
        ------
        DataError
            If it needs more bytes than there are.
        """
        needed = n_rows * n_columns * FRAME_BYTES
        if needed > self.bytes:
            raise DataError(
                place,
                f"rows that a rule needs must fit into memory_limit, {self.bytes >> 20:,} MiB",
                found=f"{n_rows:,} rows of {n_columns} columns, about {needed >> 20:,} MiB",
                hint="take `over: all` out, lower ingest.partition_rows, or raise memory_limit",
            )


def memory_of(limit: int | None = None) -> Memory:
    """Return the memory of ``limit`` bytes; half of what machine or control group has, if None."""
    if limit is not None:
        return Memory(limit)
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    told = [
        path.read_text(encoding="ascii").strip() for path in map(Path, CGROUPS) if path.is_file()
    ]
    return Memory(min(found + [int(text) for text in told if text.isdecimal()]) // 2)
