"""Fit the modes of a file's columns, encode them, and decode them again, in bounded memory."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from modemap.data.encoded import decoded_schema, encoded_schema, encoding_of, table_of, typed
from modemap.data.outputs import check_spares
from modemap.data.parts import keeping_parts
from modemap.data.streams import Watch, open_tables, unwatched, writing
from modemap.errors import DataError
from modemap.estimators.normalizer import ModeNormalizer
from modemap.files import sha256_file

__all__ = ["fit_modes", "inverse_modes", "transform_modes"]


def fit_modes(
    data: Path,
    model: Path,
    columns: Sequence[str],
    *,
    components: int,
    seed: int,
    encoding: str,
    n_jobs: int = -1,
    watch: Watch = unwatched,
) -> ModeNormalizer:
    """Fit a normaliser to columns of ``data`` in one pass, and write it to ``model``.

    Raises
    ------
    DataError
        If the file cannot be read, or a column has no value or an infinite one.
    ValueError
        If ``components`` is no number of modes.
    ParamsError
        If ``model`` is the file ``data``, as in the functions below.
    """
    check_spares(model, [data], "modemap modes fit")
    tables = open_tables(data, columns).watched(watch, "counting")
    normalizer = ModeNormalizer(components, encoding=encoding, random_state=seed, n_jobs=n_jobs)
    try:
        normalizer.fit(tables)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            data, "must have modes", found=error, hint="choose other columns, or clean the rows"
        ) from None
    model.parent.mkdir(parents=True, exist_ok=True)
    normalizer.save(model)
    return normalizer


def transform_modes(
    model: Path, data: Path, encoded: Path, *, n_jobs: int = -1, watch: Watch = unwatched
) -> int:
    """Encode the columns of ``data`` that ``model`` knows; return the number of rows.

    A run that was killed is gone on with, as is that of :func:`inverse_modes`.

    Raises
    ------
    DataError
        If ``data`` cannot be read, lacks a column or breaks a rule of the model.
    ReleaseError
        If ``model`` is no normaliser.
    """
    check_spares(encoded, [data, model], "modemap modes transform")
    normalizer = ModeNormalizer.load(model).set_params(n_jobs=n_jobs)
    _check_suffix(encoded)
    names = [str(name) for name in getattr(normalizer, "feature_names_in_", ())]
    tables = open_tables(data, names).watched(watch, "encoding")

    def encoded_table(table: pa.Table, first_row: int) -> pa.Table:
        try:
            encoding = normalizer.encode(table, first_row=first_row)
        except ValueError as error:
            hint = "clean the rows, or fit other modes"
            rule = f"must hold rows that {model} encodes"
            raise DataError(data, rule, found=error, hint=hint) from None
        return table_of(encoding, encoded_schema(tables.schema, encoding))

    with keeping_parts(encoded, _identity(data, model)) as parts:
        results, n_rows = parts.tables(tables, encoded_table), 0
        first = next(results, None)
        if first is None:
            raise DataError(data, "must have a row", found="none", hint="name another file")
        with writing(encoded, first.schema, tables.n_rows) as write:
            for table in chain([first], results):
                write(table)
                n_rows += len(table)
    return n_rows


def inverse_modes(
    model: Path, encoded: Path, data: Path, *, n_jobs: int = -1, watch: Watch = unwatched
) -> int:
    """Decode ``encoded`` into ``data``; return the number of rows.

    Raises
    ------
    DataError
        If ``encoded`` was not written by :func:`transform_modes` with this very model.
    ReleaseError
        If ``model`` is no normaliser.
    """
    check_spares(data, [encoded, model], "modemap modes inverse")
    normalizer = ModeNormalizer.load(model).set_params(n_jobs=n_jobs)
    _check_suffix(encoded)
    tables = open_tables(encoded).watched(watch, "decoding")
    try:
        digest, schema = decoded_schema(tables.schema.with_metadata(tables.remarks))

        def decoded_table(table: pa.Table, first_row: int) -> pa.Table:
            del first_row
            encoding = encoding_of(table, digest, schema)
            return typed(normalizer.inverse_transform(encoding), encoding, schema)

        with (
            keeping_parts(data, _identity(encoded, model)) as parts,
            writing(data, schema, tables.n_rows) as write,
        ):
            for table in parts.tables(tables, decoded_table):
                write(table)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            encoded,
            f"must be columns that {model} encoded",
            found=error,
            hint="name the model that `modemap modes transform` was given",
        ) from None
    return int(tables.n_rows or 0)


def _identity(source: Path, model: Path) -> list[object]:
    """Return what tells whether source or model were written anew."""
    found = source.stat()
    return [str(source.resolve()), found.st_size, found.st_mtime_ns, sha256_file(model)]


def _check_suffix(encoded: Path) -> None:
    if encoded.suffix != ".parquet":
        raise DataError(
            encoded,
            "must end in .parquet",
            found=encoded.suffix or "no suffix",
            hint="encoded columns are Parquet",
        )
