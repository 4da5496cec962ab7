"""Bodies of requests and answers: JSON by rows or columns, CSV, and Arrow's streams."""

import struct
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import orjson
import pyarrow as pa
import pyarrow.csv

from modemap.serving.problems import Problem
from modemap.serving.rows import RowReader, Rows

__all__ = ["ARROW", "CSV", "JSON", "arrow_bytes", "read_json_body", "read_rows"]

T = TypeVar("T")

ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"
JSON = "application/json"
MESSAGE_KINDS = {1: "schema", 2: "dictionary", 3: "rows"}


def read_rows(body: bytes, kind: str, reader: RowReader, max_rows: int) -> tuple[Rows, str]:
    """Return the rows of a body and the form they came in.

    Parameters
    ----------
    body : bytes
        What was sent.
    kind : str
        Its content type.
    reader : RowReader
        That of the release that will answer.
    max_rows : int
        How many rows are taken at most.

    Returns
    -------
    rows : Rows
    form : {"rows", "columns", "arrow"}
        How they came, and the answer goes.

    Raises
    ------
    Problem
        If the body is none of these, holds no row or too many, or a value is not as it must be.
    """
    kind = kind.partition(";")[0].strip().lower()
    if kind == ARROW:
        return reader.from_table(_arrow_table(body, reader, max_rows)), "arrow"
    if kind == CSV:
        return reader.from_table(_checked(_csv_table(body), max_rows)), "rows"
    if kind not in {JSON, ""}:
        found, hint = kind[:80], f"send {JSON}, {CSV} or {ARROW}"
        raise Problem(415, "the content type must be one that is read", found=found, hint=hint)
    document = read_json_body(body)
    records, columns = _rows_of(document)
    if records is not None:
        if isinstance(records, list):
            _check_number(len(records), max_rows)
        return reader.from_records(records), "rows"
    for values in columns.values() if isinstance(columns, dict) else ():
        if isinstance(values, list):
            _check_number(len(values), max_rows)
    return reader.from_columns(columns), "columns"


def read_json_body(body: bytes) -> Any:
    """Return the JSON document of a body."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "the body must be JSON", found=str(error)) from None


def arrow_bytes(table: pa.Table) -> bytes:
    """Return an Arrow stream of ``table``."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _rows_of(document: Any) -> tuple[Any, Any]:
    """Return records, or columns, by whichever name a document has them."""
    if isinstance(document, list):
        return document, None
    if isinstance(document, dict):
        for name in ("rows", "dataframe_records", "instances"):
            if name in document:
                return document[name], None
        for name in ("columns", "inputs"):
            if name in document and "dataframe_split" not in document:
                return None, document[name]
        if "dataframe_split" in document:
            return _split_records(document["dataframe_split"]), None
    hint = 'send {"rows": [{…}, …]}, {"columns": {"name": […]}} or a list of rows'
    raise Problem(422, "the body must hold rows or columns", hint=hint)


def _split_records(split: Any) -> list[dict[str, Any]]:
    """Return the records of pandas' split form."""
    try:
        return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    except (KeyError, TypeError, ValueError):
        raise Problem(422, "dataframe_split must hold columns, and data of rows as long") from None


def _csv_table(body: bytes) -> pa.Table:
    return _parsed(lambda: pyarrow.csv.read_csv(pa.BufferReader(body)), "CSV with a header")


def _arrow_table(body: bytes, reader: RowReader, max_rows: int) -> pa.Table:
    _check_messages(body, max_rows)

    def read() -> pa.Table:
        with pa.ipc.open_stream(body) as stream:
            table = stream.read_all()
        table = table.select([name for name in reader.columns if name in table.column_names])
        table.validate(full=True)
        return table

    return _checked(_parsed(read, "an Arrow stream"), max_rows)


def _check_messages(body: bytes, max_rows: int) -> None:
    """Refuse packed and oversized messages before any is unpacked: they might not end."""

    def check() -> None:
        n_rows = 0
        stream = pa.ipc.MessageReader.open_stream(pa.BufferReader(body))
        for message in stream:
            length, is_packed = _announced(message.metadata.to_pybytes())
            if is_packed:
                hint = "write the stream without compression; the body itself may be packed by gzip"
                raise Problem(415, "an Arrow stream must not be compressed inside", hint=hint)
            n_rows += length
            _check_number(max(n_rows, 1), max_rows)

    _parsed(check, "an Arrow stream")


def _announced(metadata: bytes) -> tuple[int, bool]:
    """Return how many rows a message announces and whether its buffers are packed.

    References
    ----------
    The tables Message, RecordBatch and DictionaryBatch in Arrow's format/Message.fbs, read as
    FlatBuffers lays them out.
    """

    def place(table: int, slot: int) -> int:
        """Return where a field of ``table`` stands, 0 if it has its default."""
        (back,) = struct.unpack_from("<i", metadata, table)
        vtable = table - back
        (size,) = struct.unpack_from("<H", metadata, vtable)
        entry = 4 + 2 * slot
        (offset,) = struct.unpack_from("<H", metadata, vtable + entry) if entry < size else (0,)
        return table + offset if offset else 0

    def follow(at: int) -> int:
        return at + int(struct.unpack_from("<I", metadata, at)[0])

    message = follow(0)
    kind = metadata[place(message, 1)] if place(message, 1) else 0
    header = place(message, 2)
    if MESSAGE_KINDS.get(kind) not in {"dictionary", "rows"} or not header:
        return 0, False
    batch = follow(header)
    if MESSAGE_KINDS[kind] == "dictionary":
        batch = follow(place(batch, 1))
    at = place(batch, 0)
    (length,) = struct.unpack_from("<q", metadata, at) if at else (0,)
    return length, bool(place(batch, 3))


def _parsed(read: Callable[[], T], what: str) -> T:
    try:
        return read()
    except (pa.ArrowException, OSError, struct.error, IndexError, ValueError) as error:
        found = " ".join(str(error).split())[:200]
        raise Problem(400, f"the body must be {what}", found=found) from None


def _checked(table: pa.Table, max_rows: int) -> pa.Table:
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        _refuse("columns must have different names", column=twice)
    _check_number(table.num_rows, max_rows)
    return table


def _check_number(n_rows: int, max_rows: int) -> None:
    if not 0 < n_rows <= max_rows:
        hint = "larger tables: `modemap score`"
        _refuse(f"1 to {max_rows} rows are taken at once", found=n_rows, hint=hint)


def _refuse(title: str, **members: object) -> NoReturn:
    raise Problem(422, title, None, **members)
