"""Rows to compare, made up."""

import numpy as np
import pytest

from modemap.monitoring.levels import Levels
from modemap.monitoring.profile import Observed, Reference
from modemap.sketch import ColumnSketch


def counted(X, levels=None) -> Observed:
    """Return the columns x0, x1 and so on of ``X``, (n_rows, n_columns), as a window."""
    names = [f"x{j}" for j in range(X.shape[1])]
    return Observed(
        n_rows=len(X),
        numbers={name: ColumnSketch().update(x) for name, x in zip(names, X.T, strict=True)},
        levels={name: Levels(dict(counts)) for name, counts in (levels or {}).items()},
        n_missing={
            **{name: int(np.isnan(x).sum()) for name, x in zip(names, X.T, strict=True)},
            **dict.fromkeys(levels or {}, 0),
        },
        sampled=names,
        sample=X,
    )


@pytest.fixture(scope="session")
def reference():
    """Return three independent normal columns of 20,000 rows."""
    return Reference.of(counted(np.random.default_rng(0).standard_normal((20_000, 3))))
