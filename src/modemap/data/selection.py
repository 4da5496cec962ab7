"""The rows and columns that the models see, gathered from a batch piece by piece."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.batches import Batch, read_pieces
from modemap.data.derived import derive, derived_names, listed_texts
from modemap.data.memory import Memory, memory_of
from modemap.data.split import row_hashes
from modemap.errors import DataError
from modemap.estimators.checks import LARGEST

__all__ = ["SelectedRows", "Selection"]


@dataclass(frozen=True)
class SelectedRows:
    """Keys as they came, model columns as float64 with NaN for missing, and a hash for each row."""

    keys: pa.Table  # (n_rows, n_keys)
    X: NDArray[np.float64]  # (n_rows, n_columns): numbers, then what is derived
    hashes: NDArray[np.uint64]  # (n_rows,)
    labels: pa.Table  # (n_rows, 1), or no columns where there is no label
    levels: pa.Table  # (n_rows, n_categories): levels as texts


@dataclass(frozen=True)
class Selection:
    """What is read of every batch.

    ``columns`` says for each column what becomes of a missing value; ``"error"`` allows none.
    Without a key, a row's hash is taken over its whole content.
    """

    key: Sequence[str]
    columns: Mapping[str, str]
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    times: Mapping[str, Sequence[str]] = field(default_factory=dict)
    label: str | None = None
    memory: Memory = field(default_factory=memory_of)

    @property
    def labels(self) -> list[str]:
        """Return the label, if there is one."""
        return [] if self.label is None else [self.label]

    @property
    def derived(self) -> dict[str, str | None]:
        """Return the names of the derived columns, as :func:`derived_names` does."""
        return derived_names(self.categories, self.times)

    def rows(self, directory: Path, batch: Batch) -> Iterator[SelectedRows]:
        """Yield the rows of ``batch`` in pieces.

        Raises
        ------
        DataError
            If a column is absent, not numeric, infinite or nearly so somewhere, or missing where
            its policy allows nothing to be missing.
        """
        named = [*self.key, *self.columns, *self.categories, *self.times, *self.labels]
        named = list(dict.fromkeys(named))
        first_row = 0
        for table in read_pieces(directory, batch, named if self.key else None, self.memory):
            place = _Place(directory, batch, self.key, first_row)
            for name in named:
                place.check_present(name, table)
            numbers = [place.numbers(name, table, self.columns[name]) for name in self.columns]
            derived = derive(table, self.categories, self.times)
            yield SelectedRows(
                keys=table.select(list(self.key)),
                X=np.column_stack([*numbers, *derived.values()]),
                hashes=row_hashes(table, self.key or table.column_names),
                labels=table.select(self.labels),
                levels=pa.table(
                    {
                        name: listed_texts(name, table[name], listed)
                        for name, listed in self.categories.items()
                    }
                ),
            )
            first_row += len(table)


@dataclass(frozen=True)
class _Place:
    """A batch being read, to say where a value that breaks a rule stands."""

    directory: Path
    batch: Batch
    key: Sequence[str]
    first_row: int

    def check_present(self, name: str, table: pa.Table) -> None:
        if name not in table.column_names:
            section = "key" if name in self.key else "columns"
            raise DataError(
                f"{self._path}: column `{name}`",
                f"each column in prepare.{section} must be in the data",
                found=f"no such column in {self.batch.source}",
                hint=f"take it out of prepare.{section}, or name another source",
            )

    def numbers(self, name: str, table: pa.Table, missing: str) -> NDArray[np.float64]:
        kind = table[name].type
        is_number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if not (pa.types.is_null(kind) or any(check(kind) for check in is_number)):
            raise DataError(
                f"{self._path}: column `{name}`",
                "a column in prepare.columns must be numeric",
                found=str(kind),
                hint="take it out of prepare.columns",
            )
        values = np.asarray(table[name].cast(pa.float64(), safe=False).to_numpy())
        too_large = np.abs(values) > LARGEST
        self._check_none(too_large, name, table, f"must not exceed {LARGEST:g}", "larger")
        if missing == "error":
            rule = "must not be missing, since prepare.columns says `error`"
            self._check_none(np.isnan(values), name, table, rule, "missing")
        return values

    def _check_none(
        self, bad: NDArray[np.bool_], name: str, table: pa.Table, rule: str, what: str
    ) -> None:
        if not bad.any():
            return
        row = int(np.argmax(bad))
        key = {column: str(table[column][row]) for column in self.key}
        first = key or f"row {self.first_row + row}"
        is_whole = len(bad) == self.batch.rows
        last_row = self.first_row + len(bad) - 1
        where = "" if is_whole else f", rows {self.first_row} to {last_row}"
        raise DataError(
            f"{self._path}: column `{name}`",
            rule,
            found=f"{int(bad.sum())} of {len(bad)} values {what} in {self.batch.source}"
            f"{where}, the first at {first}",
            hint="mend the source, or change what prepare.columns says of the column",
        )

    @property
    def _path(self) -> Path:
        return self.directory / self.batch.file_name
