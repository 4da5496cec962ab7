"""The rows that a database answers to the query in a .sql file.

The file holds the query and nothing else. Where the database is, and the password, only the
environment says. The answer is written to a temporary file first: a database tells the types of its
values one by one, and the types of columns are those that all values allow.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from modemap.data.delimited import common_type
from modemap.errors import DataError, ParamsError
from modemap.refusals import telling_room

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

__all__ = ["ADDRESS", "SUFFIX", "is_query", "query_pieces"]

SUFFIX = ".sql"
ADDRESS = "MODEMAP_SQL_URL"
ROWS_AT_ONCE, CELLS_AT_ONCE = 1 << 14, 1 << 19  # fetched, as Python's objects

_PLAIN = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_date,
)
_NO_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
_INNERMOST = re.compile(r"\([^()]*\)")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)  # in the name of an option


def is_query(source: str) -> bool:
    """Tell whether ``source`` names queries."""
    return source.lower().endswith(SUFFIX)


def query_pieces(path: Path, check: Callable[[list[str]], object]) -> Iterator[pa.Table]:
    """Yield the rows that the query in ``path`` returns, in its order, with the types of all.

    ``check`` sees the names of the columns first.

    Raises
    ------
    ParamsError
        If the environment names no database that can be asked.
    DataError
        If the query has no order, or the database refuses it or ends before the last row.
    """
    query = _query(path)
    engine = _engine()
    with tempfile.TemporaryFile(prefix="modemap-query-") as file:
        with (
            telling_room(Path(tempfile.gettempdir()), file.tell),
            _connected(path, engine) as connection,
        ):
            schema = _written(path, connection, query, file, check)
        yield from (table.cast(schema) for table in _read(file))


def _query(path: Path) -> str:
    query = path.read_text(encoding="utf-8").strip().rstrip(";")
    code = _NO_CODE.sub(" ", query)
    while (outer := _INNERMOST.sub(" ", code)) != code:
        code = outer
    if not code.strip():
        hint = "write the query, with its order"
        raise DataError(path, "must hold a query", found="nothing", hint=hint)
    if not _ORDER.search(code):
        raise DataError(
            path,
            "the query must say in which order its rows come, so that equal rows are equal data",
            found="no ORDER BY of the whole",
            hint="end it with ORDER BY and columns that name a row",
        )
    return query


def _engine() -> "Engine":
    from sqlalchemy import create_engine, make_url  # noqa: PLC0415  # few sources are queries
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    example = f"export {ADDRESS}=postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE"
    place, rule = f"environment: {ADDRESS}", "must be the address of a database, for SQLAlchemy"
    address = os.environ.get(ADDRESS)
    if not address:
        raise ParamsError(place, rule, found="no such variable", hint=example)
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # its message may repeat a password
        raise ParamsError(place, rule, found="something else", hint=example) from None
    try:
        return create_engine(url, poolclass=NullPool)
    except NoSuchModuleError:
        found = f"no dialect {url.drivername}"
        raise ParamsError(place, rule, found=found, hint=example) from None
    except ArgumentError:
        raise ParamsError(place, rule, found="something else", hint=example) from None
    except ModuleNotFoundError as error:
        raise ParamsError(
            place,
            f"the driver of {url.drivername} must be installed",
            found=f"no package {error.name}",
            hint="pip install it, or name another driver: postgresql+psycopg2, mysql+pymysql, …",
        ) from None


@contextmanager
def _connected(path: Path, engine: "Engine") -> Iterator["Connection"]:
    """Yield a connection whose errors are told without any secret; what it did is not kept."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    place = f"{path} ({_shown(engine.url)})"
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise DataError(
            place,
            "the database must let modemap in",
            found=_said(error, engine.url),
            hint=f"check {ADDRESS} in the environment, and whether the server runs",
        ) from None
    try:
        with connection:
            yield connection
    except DBAPIError as error:
        is_gone = error.connection_invalidated
        raise DataError(
            place,
            f"the database must answer {'to the last row' if is_gone else 'the query'}",
            found=_said(error, engine.url),
            hint="run again once the server is back" if is_gone else "mend the query",
        ) from None


def _written(
    path: Path,
    connection: "Connection",
    query: str,
    file: IO[bytes],
    check: Callable[[list[str]], object],
) -> pa.Schema:
    """Write the rows to ``file``, a stream for each piece; return the schema that fits all."""
    options = connection.execution_options(stream_results=True, no_parameters=True)
    result = options.exec_driver_sql(query)
    if not result.returns_rows:
        found, hint = "a statement that returns none", "write a SELECT"
        raise DataError(path, "must ask for rows", found=found, hint=hint)
    names = list(result.keys())
    check(names)
    types = [pa.null()] * len(names)
    n_rows = max(min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(len(names), 1)), 1)
    for rows in result.partitions(n_rows):
        arrays = [_array(values) for values in zip(*rows, strict=True)]
        types = [common_type(*both) for both in zip(types, (a.type for a in arrays), strict=True)]
        batch = pa.record_batch(arrays, names=names)
        with pa.ipc.new_stream(file, batch.schema) as stream:
            stream.write_batch(batch)
    return pa.schema(list(zip(names, types, strict=True)))


def _read(file: IO[bytes]) -> Iterator[pa.Table]:
    source = pa.PythonFile(file, "r")
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    while source.tell() < size:
        yield pa.ipc.open_stream(source).read_all()


def _array(values: Sequence[Any]) -> pa.Array:
    """Return values of one column with a plain type; what has none comes as text."""
    first = next((value for value in values if value is not None), None)
    if isinstance(first, Decimal):
        values = [None if value is None else float(value) for value in values]
    elif isinstance(first, memoryview):
        values = [None if value is None else bytes(value) for value in values]
    try:
        array = pa.array(values)
    except (pa.ArrowException, TypeError, OverflowError):
        array = None
    if array is not None and pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us", "UTC" if array.type.tz else None))
    if array is not None and any(is_plain(array.type) for is_plain in _PLAIN):
        return array
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _shown(url: "URL") -> str:
    """Return the address without password and options."""
    plain = url.set(query={})
    return plain._replace(password=None).render_as_string()


def _said(error: Exception, url: "URL") -> str:
    """Return what the driver said, without any secret of the address."""
    said = " ".join(str(getattr(error, "orig", error)).split())
    options = [value for name, value in url.query.items() if _SECRET.search(name)]
    for secret in (url.password, *options):
        said = said.replace(str(secret), "***") if secret else said
    return said
