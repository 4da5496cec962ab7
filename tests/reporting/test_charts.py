"""Tests of histograms as drawings."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemap.reporting.charts import HEIGHT, TREND, WIDTH, chart, ticks, trend


def test_a_bar_for_each_bin_that_has_values(models):
    """Empty bins draw nothing, and the highest bar stays within the picture."""
    histogram = replace(models.histograms[0], counts=np.array([60, 0, 8]))

    drawn = chart(histogram)

    assert drawn.bars.count("z") == 2
    assert drawn.curve.count("L") == 2
    assert 0 <= min(y for y in heights(drawn.bars)) < HEIGHT


def heights(path: str) -> list[float]:
    """Return the upper ends of the bars."""
    return [float(part.split("H")[0]) for part in path.split("V")[1::2]]


def test_modes_beyond_the_picture_are_not_drawn(models):
    """Whiskers end at its sides."""
    far = replace(models.histograms[0].modes[0], mean=1e6)
    wide = replace(models.histograms[0].modes[0], std=1e6)

    drawn = chart(replace(models.histograms[0], modes=[far, wide]))

    ((middle, low, high),) = drawn.modes
    assert (low, high) == (0, WIDTH)
    assert 0 < middle < WIDTH


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_ticks_are_few_and_within(low, width):
    """Whatever the range."""
    found = ticks(low, low + width)

    assert len(found) <= 6
    assert all(low - 1e-9 * width <= tick <= low + width * (1 + 1e-9) for tick in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 10, [0, 5, 10]), (-1.3, 2, [-1, 0, 1, 2])]
)
def test_ticks_are_round(low, high, expected):
    """Steps of 1, 2 or 5 times a power of ten."""
    assert ticks(low, high) == expected


def test_a_trend_runs_from_the_first_to_the_last():
    """From left to right, higher values higher, zero at the foot; one value is a dot."""
    width, height = TREND

    assert trend([0.0, 0.0]) == f"M0.0 {height}L{width} {height}"
    places = [pair.split() for pair in trend([1.0, 3.0, 2.0])[1:].split("L")]
    assert [float(x) for x, _ in places] == [0, width / 2, width]
    heights = [height - float(y) for _, y in places]
    assert heights[0] < heights[2] < heights[1] < height
    assert trend([5.0]).endswith("h0")
