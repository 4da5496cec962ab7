"""Columns that stand in the names of folders: ``year=2024/month=3/rows.parquet``."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

__all__ = ["PARTITION", "partition_types", "with_partitions"]

PARTITION = "="  # in the name of a folder that is a partition
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
INT64_DIGITS = 18  # as many as any whole number of 64 bits may have


def partition_types(names: Iterable[str]) -> dict[str, pa.DataType]:
    """Return the type of each column in the folders of ``names``, paths of files from their root.

    A column is of whole numbers if all its values are such, written as numbers are (``07`` is a
    text), and of texts otherwise.

    Examples
    --------
    >>> partition_types(["year=2024/at=N/a.parquet", "year=2025/at=S/a.parquet"])
    {'year': DataType(int64), 'at': DataType(string)}
    """
    types: dict[str, pa.DataType] = {}
    for name in names:
        for column, value in _values(name).items():
            is_text = value is not None and not _is_whole(value)
            types[column] = pa.string() if is_text else types.get(column, pa.int64())
    return types


def with_partitions(name: str, table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the rows of the file ``name`` with the columns of its folders after its own.

    A column that the file itself has stays as it is there.
    """
    for column, value in _values(name).items():
        if column not in table.column_names:
            kind = types[column]
            known = int(value) if value is not None and pa.types.is_integer(kind) else value
            table = table.append_column(column, pa.repeat(pa.scalar(known, kind), len(table)))
    return table


def _values(name: str) -> dict[str, str | None]:
    folders = PurePosixPath(name).parent.parts
    pairs = [folder.partition(PARTITION) for folder in folders if PARTITION in folder]
    values = {unquote(column): unquote(value) for column, _, value in pairs if column}
    return {column: None if value == NO_VALUE else value for column, value in values.items()}


def _is_whole(value: str) -> bool:
    digits = value.removeprefix("-")
    return digits.isdecimal() and str(int(value)) == value and len(digits) <= INT64_DIGITS
