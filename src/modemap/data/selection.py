"""The rows and columns that the models see, gathered from all batches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.data.batches import Batch, read_batch, read_manifest
from modemap.data.derived import derive, level_texts
from modemap.data.split import row_hashes
from modemap.errors import DataError
from modemap.estimators.checks import LARGEST

__all__ = ["SelectedRows", "select_rows"]


@dataclass(frozen=True)
class SelectedRows:
    """Keys as they came, model columns as float64 with NaN for missing, and a hash for each row."""

    keys: pa.Table  # (n_rows, n_keys)
    X: NDArray[np.float64]  # (n_rows, n_columns): numbers, then what is derived
    hashes: NDArray[np.uint64]  # (n_rows,)
    labels: pa.Table  # (n_rows, 1), or no columns where there is no label
    levels: pa.Table  # (n_rows, n_categories): levels as texts


def select_rows(
    directory: Path,
    key: Sequence[str],
    columns: Mapping[str, str],
    *,
    categories: Mapping[str, Sequence[str]] = MappingProxyType({}),
    times: Mapping[str, Sequence[str]] = MappingProxyType({}),
    label: str | None = None,
) -> SelectedRows:
    """Read ``key``, ``columns`` and what the others name of every batch in ``directory``.

    ``columns`` says for each column what becomes of a missing value; ``"error"`` allows none.
    Without a key, a row's hash is taken over its whole content.

    Raises
    ------
    DataError
        If a column is absent, not numeric, infinite or nearly so somewhere, missing everywhere, or
        missing where its policy allows nothing to be missing.
    """
    keys, blocks, hashes, labels, levels = [], [], [], [], []
    label_names = [] if label is None else [label]
    named = list(dict.fromkeys([*key, *columns, *categories, *times, *label_names]))
    for batch in read_manifest(directory).batches:
        table = read_batch(directory, batch, named if key else None)
        place = _Place(directory, batch, key)
        for name in named:
            place.check_present(name, table)
        hashes.append(row_hashes(table, key or table.column_names))
        keys.append(table.select(list(key)))
        labels.append(table.select(label_names))
        levels.append(pa.table({name: level_texts(table[name]) for name in categories}))
        numbers = [place.numbers(name, table, columns[name]) for name in columns]
        blocks.append(np.column_stack([*numbers, *derive(table, categories, times)]))
    X = np.concatenate(blocks)
    _check_some_value(directory, X[:, : len(columns)], columns)
    gathered = (pa.concat_tables(tables) for tables in (keys, labels, levels))
    key_rows, label_rows, level_rows = gathered
    return SelectedRows(key_rows, X, np.concatenate(hashes), label_rows, level_rows)


def _check_some_value(directory: Path, X: NDArray[np.float64], columns: Iterable[str]) -> None:
    for name, values in zip(columns, X.T, strict=True):
        if np.isnan(values).all():
            raise DataError(
                f"{directory}: column `{name}`",
                "must hold at least one value",
                found=f"missing in all of {len(values)} rows",
                hint="take it out of prepare.columns, or mend the source",
            )


@dataclass(frozen=True)
class _Place:
    """A batch being read, to say where a value that breaks a rule stands."""

    directory: Path
    batch: Batch
    key: Sequence[str]

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
        first = {column: str(table[column][row]) for column in self.key} or f"row {row}"
        raise DataError(
            f"{self._path}: column `{name}`",
            rule,
            found=f"{int(bad.sum())} of {len(bad)} values {what} in {self.batch.source}, "
            f"the first at {first}",
            hint="mend the source, or change what prepare.columns says of the column",
        )

    @property
    def _path(self) -> Path:
        return self.directory / self.batch.file_name
