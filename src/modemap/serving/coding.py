"""Columns by their modes, as JSON: to the value within its mode and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.encoding import ColumnEncoding, ModeEncoding
from modemap.serving.problems import Problem
from modemap.serving.served import Served

__all__ = ["decoded", "encoded"]

FloatArray = NDArray[np.float64]


def encoded(served: Served, X: FloatArray) -> dict[str, Any]:
    """Return for each measured column of raw rows its values within their modes, and the modes.

    ``kept`` has the values, by row, that encoding would not give back.
    """
    release = served.release
    encoding = release.normalizer.encode(release.measured(release.preparation.fill(X)))
    return {
        name: {
            "values": column.values.tolist(),
            "modes": column.modes.tolist(),
            "kept": dict(zip(map(str, column.rows.tolist()), column.kept.tolist(), strict=True)),
        }
        for name, column in zip(release.measured_columns, encoding.columns, strict=True)
    }


def decoded(served: Served, document: Any) -> dict[str, list[float]]:
    """Return the columns that a document of :func:`encoded` stands for.

    Raises
    ------
    Problem
        If it is none, or is another release's.
    """
    if not isinstance(document, dict) or not isinstance(document.get("columns"), dict):
        raise Problem(422, "the body must be what /v1/encode answers")
    if document.get("digest") != served.digest:
        hint = f"this release is {served.digest}; rows encoded by another are lost here"
        found = str(document.get("digest"))[:80]
        rule = "rows must be decoded by the release that encoded them"
        raise Problem(409, rule, found=found, hint=hint)
    normalizer, names = served.release.normalizer, served.release.measured_columns
    columns = tuple(_column(document["columns"].get(name), name) for name in names)
    if len({len(column.values) for column in columns}) > 1:
        raise Problem(422, "columns must be of one length")
    try:
        rows = normalizer.inverse_transform(ModeEncoding(columns, normalizer.digest_))
    except ValueError as error:
        raise Problem(422, "modes must be those of the column", found=str(error)) from None
    return dict(zip(names, rows.T.tolist(), strict=True))


def _column(part: Any, name: str) -> ColumnEncoding:
    try:
        values = np.array(part["values"], np.float64)
        modes = np.array(part["modes"], np.uint8)
        kept = part.get("kept", {})
        rows = np.array([int(row) for row in kept], np.int64)
        originals = np.array(list(kept.values()), np.float64)
        is_whole = values.shape == modes.shape and values.ndim == 1
        if not is_whole or (rows < 0).any() or (rows >= len(values)).any():
            raise ValueError("values and modes must be lists of one length, and kept rows in it")
        if not np.isfinite(values).all() or not np.isfinite(originals).all():
            raise ValueError("a value is no finite number")
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        rule = "a column must have the values, modes and kept rows of /v1/encode"
        raise Problem(422, rule, column=name, found=str(error)[:200]) from None
    return ColumnEncoding(values, modes, rows, originals, np.dtype(np.float64))
