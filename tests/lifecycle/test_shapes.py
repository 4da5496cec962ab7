"""Tests of the columns' shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemap.estimators.normalizer import ModeNormalizer
from modemap.lifecycle.insight.shapes import histograms
from modemap.reporting.bins import bin_edges
from modemap.sketch import ColumnSketch

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


def sketched(X):
    """Return the sketches of columns."""
    return [ColumnSketch().update(x) for x in X.T]


@given(VALUES, st.sampled_from([None, 0, 2]))
def test_bins_rise_and_are_not_many(values, decimals):
    """Whatever the values: equal ones, far ones, one alone."""
    sketch = ColumnSketch().update(np.round(values, 9 if decimals is None else decimals))

    edges = bin_edges(sketch, decimals)

    assert 2 <= len(edges) <= 70
    assert (np.diff(edges) > 0).all()


def test_whole_numbers_fill_equal_bins():
    """Every bin holds as many possible values as any other: a flat column is drawn flat."""
    x = np.arange(1000.0)

    counts, _ = np.histogram(x, bin_edges(ColumnSketch().update(x), 0))

    assert len(set(counts[1:-1])) == 1


def test_tails_are_counted_and_not_drawn():
    """One far value does not squeeze all others into one bin."""
    x = np.append(np.linspace(0, 1, 999), 1e6)[:, None]

    (drawn,) = histograms(sketched(x), ["delay"], ModeNormalizer(2, random_state=0).fit(x))

    assert drawn.edges[-1] < 2
    assert drawn.counts.sum() + drawn.below + drawn.above == 1000
    assert drawn.high == 1e6


def test_modes_expect_what_there_is(rows):
    """The expected counts follow the mixture that was fitted on these very rows."""
    normalizer = ModeNormalizer(3, random_state=0).fit(rows)

    for drawn in histograms(sketched(rows), ["delay", "distance"], normalizer):
        assert drawn.expected.sum() == pytest.approx(drawn.counts.sum(), rel=0.05)
        assert [mode.mean for mode in drawn.modes] == sorted(mode.mean for mode in drawn.modes)
