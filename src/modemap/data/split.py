"""Which side of the split a row is on, decided by the row alone.

A row's hash depends on the names and values of its key columns and on nothing else: no other row,
no order of rows or columns, no width of a type (1 is 1 as int32, int64 or float64; a time is the
same time in any unit down to microseconds). So a row stays on its side while data grow around it.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.errors import DataError

__all__ = ["SHARES", "SPLITS", "assign_splits", "row_hashes"]

SHARES = "shares.json"  # what training rows lacked, and their levels, before any was dropped
SPLITS = ("train", "validation", "test")

_Hashes = NDArray[np.uint64]
_MISSING = np.uint64(0x9E3779B97F4A7C15)
_EXACT = 2.0**63


def row_hashes(table: pa.Table, columns: Sequence[str]) -> _Hashes:
    """Return a 64-bit hash of each row's values in ``columns``.

    Raises
    ------
    DataError
        If a column holds values without a canonical form, such as lists.
    """
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for name in columns:
        total += _mixed(_value_hashes(name, table[name]) + _text_hash(name))
    return _mixed(total)


def assign_splits(hashes: _Hashes, validation_share: float, test_share: float) -> NDArray[np.uint8]:
    """Return the index in :data:`SPLITS` of each row's side.

    Test rows are those with the lowest hashes and validation rows those above them, so a change of
    ``validation_share`` moves no test row.
    """
    sides = np.zeros(len(hashes), dtype=np.uint8)
    sides[hashes < _threshold(validation_share + test_share)] = SPLITS.index("validation")
    sides[hashes < _threshold(test_share)] = SPLITS.index("test")
    return sides


def _threshold(share: float) -> np.uint64:
    return np.uint64(min(int(share * 2**64), 2**64 - 1))


def _value_hashes(name: str, values: pa.ChunkedArray) -> _Hashes:
    kind = values.type
    missing = values.is_null().to_numpy()
    if pa.types.is_string(kind):
        hashes = _string_hashes(values)
    elif pa.types.is_null(kind):
        hashes = np.zeros(len(values), dtype=np.uint64)
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        floats = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
        missing |= np.isnan(floats)
        hashes = _mixed(_float_words(floats))
    else:
        hashes = _mixed(_integers(name, values).view(np.uint64))
    return np.where(missing, _MISSING, hashes)


def _integers(name: str, values: pa.ChunkedArray) -> NDArray[np.int64]:
    kind = values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
    elif pa.types.is_time(kind):
        values = values.cast(pa.time64("us"), safe=False)
    elif pa.types.is_duration(kind):
        values = values.cast(pa.duration("us"), safe=False)
    elif not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise DataError(
            name,
            "a column that identifies rows must hold numbers, text or times",
            found=str(kind),
            hint="name other columns in prepare.key",
        )
    if pa.types.is_uint64(kind):
        return np.asarray(pc.fill_null(values, 0).to_numpy()).view(np.int64)
    return np.asarray(pc.fill_null(values.cast(pa.int64()), 0).to_numpy())


def _float_words(values: NDArray[np.float64]) -> _Hashes:
    """Return what stands for each float: the integer if it is one, else its bits."""
    words = values.view(np.uint64).copy()
    whole = (np.abs(values) < _EXACT) & (values == np.floor(values))
    words[whole] = values[whole].astype(np.int64).view(np.uint64)
    return words


def _string_hashes(values: pa.ChunkedArray) -> _Hashes:
    coded = pc.dictionary_encode(values).combine_chunks()
    words = np.array([_text_hash(text) for text in coded.dictionary.to_pylist()], dtype=np.uint64)
    if not len(words):
        return np.zeros(len(values), dtype=np.uint64)
    indices: NDArray[np.int32] = pc.fill_null(coded.indices, 0).to_numpy()
    return words[indices]


def _text_hash(text: str) -> np.uint64:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mixed(words: _Hashes) -> _Hashes:
    """Return splitmix64's finalizer of each word: every input bit moves every output bit."""
    words = words ^ (words >> np.uint64(30))
    words = words * np.uint64(0xBF58476D1CE4E5B9)
    words = words ^ (words >> np.uint64(27))
    words = words * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
