"""A release answers a row by that row alone, whatever stands around it and in whatever unit."""

from dataclasses import replace

import numpy as np
import pytest

from modemap.lifecycle.evidence.behaviour import try_behaviour
from modemap.release import load_release


@pytest.fixture
def loaded(tiny_release):
    """Return a sound release."""
    return load_release(tiny_release)


class _Wrong:
    """A map that goes wrong in one way."""

    def __init__(self, som, wrong):
        self.codebook_ = som.codebook_
        self._som, self._wrong = som, wrong

    def predict(self, X):
        return self._wrong(self._som.predict(X), X)


def _by_place(units, _X):
    return np.where(np.arange(len(units)) == 3, 0, units)


def _by_count(units, X):
    return (units + len(X) // 600) % 9


def _by_neighbour(units, _X):
    return np.concatenate([units[:1], np.where(units[1:] == units[:-1], 0, units[1:])])


def test_a_sound_release_behaves(loaded, rows):
    """Order, repetition and unit change nothing."""
    assert set(try_behaviour(loaded, rows).values()) == {None}


@pytest.mark.parametrize(
    ("wrong", "properties"),
    [
        (_by_place, {"row_order", "duplicated_rows"}),
        (_by_count, {"duplicated_rows"}),
        (_by_neighbour, {"row_order", "duplicated_rows"}),
    ],
)
def test_an_answer_that_depends_on_other_rows_is_told(loaded, rows, wrong, properties):
    """The property, the answer and the row are named."""
    found = try_behaviour(replace(loaded, som=_Wrong(loaded.som, wrong)), rows)

    assert {name for name, failure in found.items() if failure} == properties
    assert "of row" in found["duplicated_rows"]


def test_an_answer_that_depends_on_the_unit_is_told(loaded, rows):
    """A preparation that was not fitted as its name says gives other units other answers."""

    class Fixed(type(loaded.preparation)):
        def transform(self, X):
            return super().transform(np.clip(X, -1000, 1000))

    fixed = Fixed(loaded.columns, loaded.preparation.missing)
    vars(fixed).update(vars(loaded.preparation))

    found = try_behaviour(replace(loaded, preparation=fixed), rows)

    assert {name for name, failure in found.items() if failure} == {"rescaled_units"}
