"""CSV in blocks of whole lines, so that no more than a few of them are in memory.

The types of columns are those that all lines allow. They are looked for first, block by block, and
the rows come in a second pass; a file of one block is read once.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from modemap.errors import DataError

__all__ = ["check_form", "common_type", "csv_options", "read_delimited"]

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
BLOCK_BYTES = 1 << 24
MAX_LINE_BYTES = 1 << 26  # a longer one is no row
MAX_INFLATION, MAX_INFLATED_BYTES = 200, 1 << 30  # of a packed file: more than both is no table

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}  # that other programs write
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins
CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r")  # in no text

Types = dict[str, pa.DataType]

_WIDER = (  # types of which the second takes every text that the first takes
    (pa.types.is_integer, pa.types.is_floating),
    (pa.types.is_date, pa.types.is_timestamp),
    (lambda kind: kind == pa.timestamp("s"), lambda kind: kind == pa.timestamp("ns")),
    (lambda kind: kind == pa.timestamp("s", "UTC"), lambda kind: kind == pa.timestamp("ns", "UTC")),
)


def csv_options(types: Mapping[str, pa.DataType] | None = None) -> pacsv.ConvertOptions:
    """Return how the cells of a CSV file become values."""
    return pacsv.ConvertOptions(
        column_types=types,
        null_values=NULLS,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def check_form(path: Path, start: bytes) -> None:
    """Refuse a file that by its first bytes ``start`` has another encoding or separator.

    Raises
    ------
    DataError
        If it is not UTF-8, or if its lines have no commas but as many of another separator.
    """
    encoding = _other_encoding(start)
    if encoding:
        rule, hint = "must be UTF-8", "write it as UTF-8, or as Parquet"
        raise DataError(path, rule, found=f"not UTF-8 text; it looks like {encoding}", hint=hint)
    header, row = [*start.decode(errors="replace").lstrip().splitlines(), "", ""][:2]
    for separator, name in SEPARATORS.items():
        n = header.count(separator)
        if "," not in header and n and row.count(separator) == n:
            rule, hint = "must have columns separated by commas", "write it so, or as Parquet"
            found = f"the columns seem to be separated by {name}"
            raise DataError(path, rule, found=found, hint=hint)


def _other_encoding(start: bytes) -> str | None:
    if start.startswith(UTF_16) or b"\0" in start[:2]:
        return "UTF-16"
    try:
        start.decode()
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data" and error.end == len(start)
        is_text = start.translate(None, CONTROLS) == start
        return "Latin-1" if is_text and not is_cut else None
    return None


def read_delimited(
    path: Path, known: Mapping[str, pa.DataType], check: Callable[[list[str]], object]
) -> Iterator[pa.Table]:
    """Yield the rows of ``path`` in pieces, all with the same columns and types.

    Columns get the types in ``known`` if the file has all of these columns, and the narrowest that
    all their cells allow otherwise. ``check`` sees the names first.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a line has another number of cells, or a column is no UTF-8 text.
    """
    blocks = _blocks(path)
    first = _parsed(next(blocks, b"\n"))
    check(first.column_names)
    is_known = set(known) <= set(first.column_names)
    second = next(blocks, None)
    if second is None and not is_known:
        _check_text(first.schema)
        yield first
        return
    types = dict(known) if is_known else {}
    rest = blocks if second is None else chain([second], blocks)
    if not is_known or set(known) < set(first.column_names):
        types = _common_types(first.schema, rest) | types
    for block in _blocks(path):
        yield _parsed(block, types)


def _common_types(first: pa.Schema, blocks: Iterator[bytes]) -> Types:
    types = {field.name: field.type for field in first}
    for block in blocks:
        for field in _parsed(block).schema:
            types[field.name] = common_type(types[field.name], field.type)
    _check_text(pa.schema(list(types.items())))
    return types


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the narrowest type that takes the values of both."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_binary(one) or pa.types.is_binary(other):
        return pa.binary()
    for is_narrow, is_wide in _WIDER:
        for narrow, wide in ((one, other), (other, one)):
            if is_narrow(narrow) and is_wide(wide):
                return wide
    return pa.string()


def _parsed(block: bytes, types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    return pacsv.read_csv(pa.BufferReader(block), convert_options=csv_options(types))


def _check_text(schema: pa.Schema) -> None:
    for field in schema:
        if pa.types.is_binary(field.type):
            raise pa.ArrowInvalid(f"column `{field.name}` is not UTF-8 text")


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in blocks that end with a line; each begins with the file's header."""
    header, rest, n_bytes = b"", b"", 0
    most = max(MAX_INFLATED_BYTES, MAX_INFLATION * path.stat().st_size)
    with pa.input_stream(str(path), compression="detect") as file:
        while data := file.read(BLOCK_BYTES):
            lines, n_bytes = rest + data, n_bytes + len(data)
            if n_bytes > most:
                raise pa.ArrowInvalid(f"a packed file that unpacks to more than {most:,} bytes")
            cut = lines.rfind(b"\n") + 1 or lines.rfind(b"\r") + 1
            block, rest = lines[:cut], lines[cut:]
            if len(rest) > MAX_LINE_BYTES:
                raise pa.ArrowInvalid(f"a line of more than {MAX_LINE_BYTES:,} bytes")
            if block.strip():
                yield header + block
                header = header or _first_line(block)
    if rest.strip() or not header:
        yield header + rest


def _first_line(block: bytes) -> bytes:
    lines = block.lstrip(b"\r\n").splitlines(keepends=True)
    return lines[0]
