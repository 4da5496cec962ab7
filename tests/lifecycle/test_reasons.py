"""What is said of a value's place among the training rows holds for ties and for their own."""

import numpy as np
import pytest

from modemap.lifecycle.insight.reasons import reasons_of
from modemap.release import load_release
from modemap.reporting.words import place_of

pytestmark = pytest.mark.workflow


def places(release, x, train):
    """Return where each value of the row ``x`` is said to lie, by column."""
    (reasons,) = reasons_of(release, np.array([x]), train)
    return {reason.column: place_of(reason) for reason in reasons}


def test_one_row_alone_is_at_an_end(tiny_release, rows):
    """Of training rows the second highest is not above all of them, and neither is the highest."""
    release, train = load_release(tiny_release), rows.copy()
    train[:2, 0] = train[:, 0].max() + np.array([20.0, 10.0])

    found = [places(release, x, train)["delay"] for x in train[:2]]

    assert found == ["among the highest 0.2\u00a0%", "among the highest 0.4\u00a0%"]
    beyond = train[0] + [1.0, 0.0]
    assert places(release, beyond, train)["delay"] == "above all training rows"


def test_a_value_that_many_rows_have_is_usual(tiny_release, rows):
    """Few are lower, but a tenth of the rows are the same."""
    release, train = load_release(tiny_release), rows.copy()
    lowest = train[:, 0].min() - 1.0
    train[: len(train) // 10, 0] = lowest
    train[0, 0] = lowest - 1.0

    assert places(release, train[1], train)["delay"] == "not unusual by itself"
