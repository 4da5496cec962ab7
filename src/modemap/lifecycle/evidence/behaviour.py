"""What must not change a release's answers: the order of rows, their repetition, their units."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modemap.release import Release

__all__ = ["try_behaviour"]

TOLERANCE = 1e-9
FACTOR = 1024.0  # a power of two: rows in other units have the very same digits


def try_behaviour(release: Release, rows: NDArray[np.float64]) -> dict[str, str | None]:
    """Return for each property None, or in words how ``release`` answered ``rows`` otherwise.

    Parameters
    ----------
    release : Release
        The release.
    rows : ndarray of shape (n_rows, n_columns)
        Raw rows without missing values.
    """
    expected = release.answers(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    back = np.argsort(order)
    repeated = release.answers(np.repeat(rows, 2, axis=0))
    first, second = (
        _difference(expected, {name: values[start::2] for name, values in repeated.items()})
        for start in (0, 1)
    )
    permuted = {name: values[back] for name, values in release.answers(rows[order]).items()}
    return {
        "row_order": _difference(expected, permuted),
        "duplicated_rows": first or second,
        "rescaled_units": _difference(expected, _rescaled(release, rows)),
    }


def _rescaled(release: Release, rows: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """Return the answers to ``rows`` in other units, told in the old ones.

    What only the map sees has no unit. Modes are those of values in the old units, and left out.
    """
    old = release.preparation
    new = copy(old)  # decorrelated in robust units, which stay
    factors = np.ones(len(release.columns))
    factors[old.measured_] = FACTOR
    for name in ("center_", "scale_", "fill_"):
        setattr(new, name, getattr(old, name) * factors)
    shift = len(old.measured_) * np.log(FACTOR)
    other = replace(release, preparation=new, anomaly=release.anomaly - shift)
    scores = other.score(rows * factors)
    return vars(scores) | {"log_likelihood": scores.log_likelihood + shift}


def _difference(
    expected: Mapping[str, NDArray[np.generic]], found: Mapping[str, NDArray[np.generic]]
) -> str | None:
    for name, values in found.items():
        tolerance = TOLERANCE if values.dtype.kind == "f" else 0
        close = np.isclose(values, expected[name], rtol=tolerance, atol=tolerance)
        if not close.all():
            row = int(np.argmin(close.reshape(len(values), -1).all(axis=1)))
            return f"{name} of row {row} were {expected[name][row]}, then {values[row]}"
    return None
