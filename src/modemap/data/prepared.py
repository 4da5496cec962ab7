"""The prepared rows: a folder for each split, in it a file for each batch, in their order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modemap.data.batches import Batch, writing_parquet
from modemap.data.selection import SelectedRows
from modemap.data.split import SPLITS

__all__ = ["PREPARATION", "fill_file", "part_table", "prepared_name", "writing_splits"]

PREPARATION = "preparation.npz"

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


def _filled(table: pa.Table, values: Mapping[str, float]) -> pa.Table:
    for name, value in values.items():
        numbers = table[name].to_numpy()
        full = pa.array(np.where(np.isnan(numbers), value, numbers))
        table = table.set_column(table.column_names.index(name), name, full)
    return table
