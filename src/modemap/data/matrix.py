"""Columns of a Parquet file as the array that estimators take."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["read_matrix"]


def read_matrix(path: Path, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return ``columns`` of ``path`` as a C-ordered array of shape (n_rows, n_columns).

    A missing value is NaN.
    """
    table = pq.read_table(path, columns=list(columns))
    arrays = [table[column].to_numpy().astype(np.float64) for column in columns]
    return np.ascontiguousarray(np.column_stack(arrays))
