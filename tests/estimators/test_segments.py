"""Segments of a map."""

import numpy as np
import pytest

from modemap.estimators import segment_units

STRIPES = np.repeat([[0.0], [9.0], [0.1]], 4, axis=0)  # three rows of four units


def test_alike_neighbors_share_a_segment():
    """Each stripe is a segment, numbered by its first unit."""
    assert segment_units(STRIPES, 3, 4, 3).reshape(3, 4).tolist() == [[0] * 4, [1] * 4, [2] * 4]


def test_alike_units_apart_are_never_joined_first():
    """The outer stripes are nearly equal, yet only neighbours may merge."""
    segments = segment_units(STRIPES, 3, 4, 2)

    assert len(set(segments)) == 2
    assert segments[4] in (segments[0], segments[8])


@pytest.mark.parametrize("n_segments", [1, 2, 5, 12])
@pytest.mark.parametrize("shape", [(3, 4), (1, 12), (12, 1)])
def test_there_are_as_many_segments_as_asked_for(shape, n_segments):
    """Numbers run from 0 in the order of first units."""
    codebook = np.random.default_rng(0).normal(size=(12, 3))

    segments = segment_units(codebook, *shape, n_segments)

    _, first = np.unique(segments, return_index=True)
    assert len(first) == n_segments
    assert (np.diff(first) > 0).all()


def test_a_single_unit_is_a_segment():
    """The smallest map has one."""
    assert segment_units(np.ones((1, 2)), 1, 1, 1).tolist() == [0]


def test_equal_units_can_be_segmented():
    """A map of duplicates has segments too."""
    assert len(set(segment_units(np.zeros((6, 2)), 2, 3, 3))) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 5, 2), "codebook must have n_rows \\* n_columns = 15 rows, got 12"),
        ((3, 4, 0), "n_segments must be an integer from 1 to 12, got 0"),
        ((3, 4, 13), "n_segments must be an integer from 1 to 12, got 13"),
        ((0, 4, 1), "n_rows must be an integer >= 1, got 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        segment_units(STRIPES, *arguments)
