"""Fit the modes of a file's columns, encode them, and decode them again, in bounded memory."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from modemap.data.encoded import decoded_schema, encoded_schema, encoding_of, table_of, typed
from modemap.data.streams import Tables, Watch, open_tables, unwatched, writing
from modemap.errors import DataError
from modemap.estimators.encoding import ModeEncoding
from modemap.estimators.normalizer import ModeNormalizer

__all__ = ["fit_modes", "inverse_modes", "transform_modes"]


def fit_modes(
    data: Path,
    model: Path,
    columns: Sequence[str],
    *,
    components: int,
    seed: int,
    encoding: str,
    n_threads: int = 1,
    watch: Watch = unwatched,
) -> ModeNormalizer:
    """Fit a normaliser to columns of ``data`` in one pass, and write it to ``model``.

    Raises
    ------
    DataError
        If the file cannot be read, or a column has no value or an infinite one.
    ValueError
        If ``components`` is no number of modes.
    """
    tables = open_tables(data, columns).watched(watch, "counting")
    normalizer = ModeNormalizer(components, encoding=encoding, random_state=seed, n_jobs=n_threads)
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
    model: Path, data: Path, encoded: Path, *, n_threads: int = 1, watch: Watch = unwatched
) -> int:
    """Encode the columns of ``data`` that ``model`` knows; return the number of rows.

    Raises
    ------
    DataError
        If ``data`` cannot be read, lacks a column or breaks a rule of the model.
    ReleaseError
        If ``model`` is no normaliser.
    """
    normalizer = ModeNormalizer.load(model).set_params(n_jobs=n_threads)
    _check_suffix(encoded)
    names = [str(name) for name in getattr(normalizer, "feature_names_in_", ())]
    tables = open_tables(data, names).watched(watch, "encoding")
    encodings = _encodings(normalizer, tables, model, data)
    first = next(encodings, None)
    if first is None:
        raise DataError(data, "must have a row", found="none", hint="name another file")
    schema, n_rows = encoded_schema(tables.schema, first), 0
    with writing(encoded, schema, tables.n_rows) as write:
        for encoding in chain([first], encodings):
            write(table_of(encoding, schema))
            n_rows += len(encoding.columns[0].values)
    return n_rows


def _encodings(
    normalizer: ModeNormalizer, tables: Tables, model: Path, data: Path
) -> Iterator[ModeEncoding]:
    first_row = 0
    for table in tables.batches():
        try:
            yield normalizer.encode(table, first_row=first_row)
        except ValueError as error:
            hint = "clean the rows, or fit other modes"
            rule = f"must hold rows that {model} encodes"
            raise DataError(data, rule, found=error, hint=hint) from None
        first_row += len(table)


def inverse_modes(
    model: Path, encoded: Path, data: Path, *, n_threads: int = 1, watch: Watch = unwatched
) -> int:
    """Decode ``encoded`` into ``data``; return the number of rows.

    Raises
    ------
    DataError
        If ``encoded`` was not written by :func:`transform_modes` with this very model.
    ReleaseError
        If ``model`` is no normaliser.
    """
    normalizer = ModeNormalizer.load(model).set_params(n_jobs=n_threads)
    _check_suffix(encoded)
    tables = open_tables(encoded).watched(watch, "decoding")
    try:
        digest, schema = decoded_schema(tables.schema.with_metadata(tables.remarks))
        with writing(data, schema, tables.n_rows) as write:
            for table in tables.batches():
                encoding = encoding_of(table, digest, schema)
                write(typed(normalizer.inverse_transform(encoding), encoding, schema))
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


def _check_suffix(encoded: Path) -> None:
    if encoded.suffix != ".parquet":
        raise DataError(
            encoded,
            "must end in .parquet",
            found=encoded.suffix or "no suffix",
            hint="encoded columns are Parquet",
        )
