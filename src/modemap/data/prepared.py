"""The prepared rows: a folder for each split, in it a file for each batch, in their order."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modemap.data.batches import Batch, writing_parquet
from modemap.data.kept import Kept
from modemap.data.seen import Seen, linked
from modemap.data.selection import SelectedRows
from modemap.data.split import SPLITS
from modemap.data.summary import Summary
from modemap.files import canonical_json, sha256_file

__all__ = [
    "PREPARATION",
    "PreparedBefore",
    "fill_file",
    "part_table",
    "prepared_name",
    "writing_splits",
]

PREPARATION = "preparation.npz"
YES, NO = b"yes", b"no"

Append = Callable[[str, pa.Table], None]


def prepared_name(number: int, batch: Batch) -> str:
    """Return the name of the rows of ``batch``, the ``number``-th: names sort as batches come."""
    return f"{number:06}-{batch.file_name}"


@contextmanager
def writing_splits(folder: Path, name: str) -> Iterator[Append]:
    """Yield a function that appends rows to a split's file ``name``, which all splits get."""
    with ExitStack() as stack:
        appends: dict[str, Callable[[pa.Table], None]] = {}

        def append(split: str, table: pa.Table) -> None:
            for each in () if appends else SPLITS:
                (folder / each).mkdir(exist_ok=True)
                path = folder / each / name
                appends[each] = stack.enter_context(writing_parquet(path, table.schema))
            appends[split](table)

        yield append


def part_table(rows: SelectedRows, columns: Sequence[str]) -> pa.Table:
    """Return keys, model ``columns`` and label as they stand in a prepared file."""
    table = {name: rows.keys[name] for name in rows.keys.column_names}
    table.update(zip(columns, np.ascontiguousarray(rows.X.T), strict=True))
    table.update((name, rows.labels[name]) for name in rows.labels.column_names)
    return pa.table(table)


def fill_file(path: Path, values: Mapping[str, float]) -> None:
    """Replace NaN in the columns of ``values`` in a prepared file that nobody reads yet."""
    file = pq.ParquetFile(path)
    filled = path.with_suffix(".tmp")
    with writing_parquet(filled, file.schema_arrow) as append:
        for group in range(file.num_row_groups):
            append(_filled(file.read_row_group(group), values))
    filled.replace(path)


class PreparedBefore:
    """The files of batches that an earlier run left in a folder of prepared rows.

    Parameters
    ----------
    folder : Path
        The prepared rows of the last run.
    kept : Kept
        Where it is remembered what they were made of.
    settings : object
        All besides a batch that its files depend on, as JSON has it.

    Attributes
    ----------
    seen : Seen
        Digests of files that stayed as they were.
    """

    def __init__(self, folder: Path, kept: Kept, settings: object) -> None:
        self._folder, self._kept, self._settings = folder, kept, settings
        self.seen = Seen(kept)
        self._paths = {
            split: {
                path.name.partition("-")[2]: path for path in (folder / split).glob("*-*.parquet")
            }
            for split in SPLITS
        }

    def has_missing(self, batch: Batch) -> bool | None:
        """Return whether ``batch`` has values to fill; None if it is not known."""
        self._kept.retain("summary", batch.digest, self._settings)
        known = self._kept.get("has missing", batch.digest, self._settings)
        return None if known is None else known == YES

    def keep_summary(self, batch: Batch, summary: Summary) -> None:
        """Remember what was learned of ``batch``."""
        has_missing = YES if summary.filled.any() else NO
        self._kept.put(summary.to_bytes(), "summary", batch.digest, self._settings)
        self._kept.put(has_missing, "has missing", batch.digest, self._settings)

    def total(self, batches: Sequence[Batch]) -> Summary | None:
        """Return what was learned of all ``batches``; None if of one it is not known.

        The sum over the first of them, all but those that came last, is kept too.
        """
        digests = [batch.digest for batch in batches]
        for n_known in range(len(batches), 0, -1):
            known = self._kept.get("total", digests[:n_known], self._settings)
            if known is not None:
                break
        else:
            n_known, known = 0, None
        total = None if known is None else Summary.from_bytes(known)
        for batch in batches[n_known:]:
            found = self._kept.get("summary", batch.digest, self._settings)
            if found is None:
                return None
            summary = Summary.from_bytes(found)
            total = summary if total is None else total.merge(summary)
        if total is not None and n_known < len(batches):
            self._kept.put(total.to_bytes(), "total", digests, self._settings)
        return total

    def bring(self, batch: Batch, fill: Sequence[float] | None, target: Path, name: str) -> bool:
        """Let the files of ``batch`` stand in ``target`` too; say whether all of them do.

        ``fill`` are the values in place of missing ones, None where nothing was missing.
        """
        known = self._kept.get("files", batch.digest, self._settings, fill)
        if known is None:
            return False
        found = {}
        for split, digest in json.loads(known).items():
            path = self._paths[split].get(batch.file_name)
            if path is None or self.seen.sha256(path) != digest:
                return False
            found[split] = path
        for split, path in found.items():
            linked(path, target / split / name)
        return True

    def keep_files(
        self, batch: Batch, fill: Sequence[float] | None, folder: Path, name: str
    ) -> None:
        """Remember the files ``name`` of ``batch``."""
        digests = {split: sha256_file(folder / split / name) for split in SPLITS}
        self._kept.put(canonical_json(digests), "files", batch.digest, self._settings, fill)


def _filled(table: pa.Table, values: Mapping[str, float]) -> pa.Table:
    for name, value in values.items():
        numbers = table[name].to_numpy()
        full = pa.array(np.where(np.isnan(numbers), value, numbers))
        table = table.set_column(table.column_names.index(name), name, full)
    return table
