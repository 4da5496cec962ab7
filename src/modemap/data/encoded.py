"""Columns encoded by their modes, as Parquet holds them.

Of each column ``x`` there are ``x_value`` (float32 or float64), ``x_mode`` (uint8, 255 where the
value is missing) and ``x_kept``, the value itself where encoding would not give it back, null
elsewhere. The schema's remarks name the normaliser by its digest, and the columns' types.
"""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from modemap.estimators.encoding import MISSING, ColumnEncoding, ModeEncoding

__all__ = ["decoded_schema", "encoded_schema", "encoding_of", "table_of", "typed"]

REMARK = b"modemap.modes"
PARTS = ("value", "mode", "kept")


def encoded_schema(schema: pa.Schema, encoding: ModeEncoding) -> pa.Schema:
    """Return the schema of encoded columns of ``schema``."""
    fields = []
    for field, column in zip(schema, encoding.columns, strict=True):
        kinds = (pa.from_numpy_dtype(column.values.dtype), pa.uint8(), field.type)
        fields += [
            pa.field(f"{field.name}_{part}", kind) for part, kind in zip(PARTS, kinds, strict=True)
        ]
    document = {
        "digest": encoding.digest,
        "columns": {field.name: str(field.type) for field in schema},
    }
    return pa.schema(fields, metadata={REMARK: json.dumps(document).encode()})


def decoded_schema(schema: pa.Schema) -> tuple[str, pa.Schema]:
    """Return the digest of the normaliser and the columns that an encoded schema stands for.

    Raises
    ------
    ValueError
        If it is no schema of encoded columns.
    """
    try:
        document = json.loads((schema.metadata or {})[REMARK])
        digest, columns = document["digest"], document["columns"]
        fields = [(name, pa.type_for_alias(kind)) for name, kind in columns.items()]
    except (KeyError, TypeError, ValueError):
        raise ValueError("no columns encoded by `modemap modes transform`") from None
    names = [f"{name}_{part}" for name in columns for part in PARTS]
    if schema.names != names:
        raise ValueError(f"columns {schema.names} instead of {names}")
    return str(digest), pa.schema(fields)


def table_of(encoding: ModeEncoding, schema: pa.Schema) -> pa.Table:
    """Return an encoding as a table of an encoded schema."""
    arrays = []
    for j, column in enumerate(encoding.columns):
        n = len(column.values)
        kept, is_null = np.zeros(n, column.kept.dtype), np.ones(n, np.bool_)
        kept[column.rows], is_null[column.rows] = column.kept, False
        kind = schema.field(3 * j + 2).type
        arrays += [
            pa.array(column.values),
            pa.array(column.modes),
            pa.array(kept, mask=is_null).cast(kind),
        ]
    return pa.table(arrays, schema=schema)


def encoding_of(table: pa.Table, digest: str, schema: pa.Schema) -> ModeEncoding:
    """Return the encoding that a table holds of the columns of ``schema``."""
    columns = []
    for field in schema:
        values, modes, kept = (table[f"{field.name}_{part}"].combine_chunks() for part in PARTS)
        rows = np.flatnonzero(~kept.is_null().to_numpy(zero_copy_only=False))
        originals = kept.drop_null().to_numpy(zero_copy_only=False)
        dtype = np.dtype(field.type.to_pandas_dtype())
        columns.append(ColumnEncoding(values.to_numpy(), modes.to_numpy(), rows, originals, dtype))
    return ModeEncoding(tuple(columns), digest, tuple(schema.names), "arrow")


def typed(table: pa.Table, encoding: ModeEncoding, schema: pa.Schema) -> pa.Table:
    """Return decoded columns in their types, missing ones as null."""
    arrays: list[Any] = []
    for field, column, name in zip(schema, encoding.columns, table.column_names, strict=True):
        values = table[name].to_numpy()
        is_missing = column.modes == MISSING
        values = np.where(is_missing, 0, values) if values.dtype.kind == "f" else values
        arrays.append(pa.array(values, mask=is_missing).cast(field.type))
    return pa.table(arrays, schema=schema)
