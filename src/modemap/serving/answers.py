"""What a release says of rows, as JSON by rows or by columns, or as an Arrow table.

Every form carries the version and the digest of the release that answered.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modemap.lifecycle.insight.reasons import shares_of
from modemap.release import Scores
from modemap.serving.served import Served

__all__ = ["answered_by", "as_table", "by_column", "by_row", "explained", "written"]

FloatArray = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]

N_NEAREST = 3  # typical rows shown beside an explained one


def answered_by(served: Served) -> dict[str, Any]:
    """Return who answers."""
    return {"version": served.version, "digest": served.digest}


def written(served: Served, scores: Scores, modes: NDArray[np.uint8] | None = None) -> Columns:
    """Return scores as named columns, and the ``modes`` of the rows' values if they are given."""
    columns: Columns = {
        "unit": scores.units,
        "position": served.positions[scores.units],
        "segment": scores.segments,
        "map_distance": scores.distances,
        "anomaly_percentile": scores.anomaly_percentile,
        "log_likelihood": scores.log_likelihood,
    }
    if modes is not None:
        names = served.release.measured_columns
        columns |= {f"{name}_mode": modes[:, j] for j, name in enumerate(names)}
    return columns


def by_row(columns: Columns) -> list[dict[str, Any]]:
    """Return an object for each row."""
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def by_column(columns: Columns) -> dict[str, list[Any]]:
    """Return a list for each column."""
    return {name: values.tolist() for name, values in columns.items()}


def as_table(served: Served, columns: Columns) -> pa.Table:
    """Return an Arrow table, with who answers in its schema's metadata."""
    arrays: dict[str, Any] = dict(columns)
    row, column = arrays.pop("position").T
    arrays |= {"map_row": np.ascontiguousarray(row), "map_column": np.ascontiguousarray(column)}
    remarks = {f"modemap.{name}": str(value) for name, value in answered_by(served).items()}
    return pa.table(arrays).replace_schema_metadata(remarks)


def explained(served: Served, X: FloatArray, scores: Scores) -> list[dict[str, Any]]:
    """Return for each raw row of ``X`` which columns make it unusual, and what is typical near it.

    A row's shares of ``log_likelihood`` add up to minus its log-likelihood, in nats; its shares of
    ``map_distance`` to the square of its distance from the map.
    """
    release = served.release
    rows = release.preparation.transform(release.preparation.fill(X))
    surprise, squares = shares_of(release, rows, scores.units)
    found = []
    for i, row in enumerate(by_row(written(served, scores, release.modes(X)))):
        shares = {
            "log_likelihood": _named(release.measured_columns, surprise[i]),
            "map_distance": _named(release.columns, squares[i]),
        }
        found.append({**row, "shares": shares, "typical": _typical(served, rows[i])})
    return found


def _named(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _typical(served: Served, row: FloatArray) -> list[dict[str, Any]]:
    """Return the units of the map nearest to a prepared row, as rows in raw units."""
    som, preparation = served.release.som, served.release.preparation
    distances = np.linalg.norm(som.codebook_ - row, axis=1)
    nearest = np.argsort(distances, kind="stable")[:N_NEAREST]
    raw = preparation.inverse_transform(som.codebook_[nearest])
    return [
        {
            "unit": int(unit),
            "segment": int(served.release.segments[unit]),
            "map_distance": float(distances[unit]),
            "row": _named(preparation.columns, values),
        }
        for unit, values in zip(nearest, raw, strict=True)
    ]
