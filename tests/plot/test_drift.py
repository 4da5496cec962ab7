"""Bars of drift are the numbers of the check, in an order that puts what matters on top."""

import json
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex

from modemap.monitoring.check import check, unchecked
from modemap.monitoring.plain import as_plain
from modemap.monitoring.profile import Reference
from modemap.plot import DriftDisplay
from modemap.plot.colours import BLUE, ORANGE
from tests.monitoring.conftest import counted
from tests.plot.drawn import has_part, part


@pytest.fixture(scope="module")
def found():
    """Return a check of four columns: one moved, one as before, one half missing, one empty."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(3000, 4)), rng.normal(size=(1000, 4))
    after[:, 0] += 1.0
    after[::2, 2] = np.nan
    after[:, 3] = np.nan
    return check(Reference.of(counted(before)), counted(after))


def names(display):
    """Return the names beside the bars, from the top."""
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_bars_are_the_effects_of_the_check(found):
    """Each column has its index, and drift its colour."""
    display = DriftDisplay.from_check(found)

    by_name = dict(zip(names(display), display.bars_, strict=True))
    for column in found.columns:
        bar = by_name[column.name]
        assert bar.get_width() == pytest.approx(column.psi)
        assert to_hex(bar.get_facecolor()) == {True: ORANGE, False: BLUE}[column.drift]
    assert "correlations" in by_name


def test_the_largest_drift_is_on_top(found):
    """Then what is no drift, each by falling effect."""
    display = DriftDisplay.from_check(found)

    widths = [bar.get_width() for bar in display.bars_]
    n_drifted = sum(to_hex(bar.get_facecolor()) == ORANGE for bar in display.bars_)
    assert n_drifted == 3
    assert widths[:n_drifted] == sorted(widths[:n_drifted], reverse=True)
    places = [bar.get_y() for bar in display.bars_]
    assert places == sorted(places)
    assert display.ax_.yaxis_inverted()


def test_thresholds_and_the_least_effect_are_marked(found):
    """They lie where the check has them."""
    display = DriftDisplay.from_check(found)

    marked = dict(zip(names(display), part(display.ax_, "thresholds").get_xdata(), strict=True))
    column = found.columns[0]
    assert marked["x0"] == pytest.approx(column.found.values.threshold(column.level))
    assert part(display.ax_, "min_effect").get_xdata() == [0.05, 0.05]


def test_a_report_says_the_same(found, tmp_path):
    """Plain data and a file of it are drawn as the check is."""
    path = tmp_path / "drift.json"
    path.write_text(json.dumps(as_plain(found)))

    drawn = [
        DriftDisplay.from_check(found),
        DriftDisplay.from_report(as_plain(found)),
        DriftDisplay.from_report(path),
        DriftDisplay.from_report(str(path)),
    ]

    widths = [[bar.get_width() for bar in display.bars_] for display in drawn]
    assert widths[0]
    assert widths[1:] == [widths[0]] * 3


def test_what_could_not_be_checked_has_a_cross():
    """It is at the end, and has no bar."""
    display = DriftDisplay([0.1, np.nan, 0.2], ["no", "not checkable", "yes"], list("abc")).plot()

    assert names(display) == ["c", "a", "b"]
    assert part(display.ax_, "unknown").get_ydata().tolist() == [2]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["drift", "no drift", "not checkable"]
    assert not has_part(display.ax_, "min_effect")


def test_skewed_effects_have_a_root_scale():
    """The axis says so; where effects are alike it is linear."""
    skewed = DriftDisplay([9.0, 0.06], ["yes", "yes"], ["a", "b"], min_effect=0.05).plot()
    alike = DriftDisplay([0.09, 0.06], ["yes", "yes"], ["a", "b"], min_effect=0.05).plot()

    assert "root scale" in skewed.ax_.get_xlabel()
    assert skewed.ax_.get_xscale() == "function"
    assert alike.ax_.get_xlabel() == "population stability index (nats)"
    assert alike.ax_.get_xscale() == "linear"


def test_sixty_columns_have_names_apart():
    """No name covers another; long ones are shortened."""
    display = DriftDisplay(
        np.arange(60.0),
        ["yes"] * 60,
        [f"a_column_name_that_is_much_too_long_{j}" for j in range(60)],
    ).plot()

    display.figure_.canvas.draw()
    boxes = [label.get_window_extent() for label in display.ax_.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0


def test_more_bars_than_asked_for_are_left_out():
    """The axis says how many."""
    display = DriftDisplay([0.1, 0.3, 0.2], ["no"] * 3, list("abc")).plot(max_bars=2)

    assert names(display) == ["b", "c"]
    assert display.n_left_out_ == 1
    assert display.ax_.get_xlabel().endswith("left out, of smaller effect: 1")


def test_a_single_column_without_any_effect_is_drawn():
    """Nothing to compare is no error where a column is named."""
    display = DriftDisplay([np.nan], ["not checkable"], ["a"]).plot()

    assert display.ax_.get_xlim() == (0, 1)


def test_a_check_that_compared_nothing_is_refused():
    """The error says why."""
    with pytest.raises(ValueError, match="compared something, got none: no rows at all"):
        DriftDisplay.from_check(unchecked("no rows at all"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1], ["no"], ["a", "b"]), r"of one length >= 1, got \[1, 1, 2, 1\]"),
        (([], [], []), r"of one length >= 1, got \[0, 0, 0, 0\]"),
        (([0.1], ["maybe"], ["a"]), "verdicts must be among .* got 'maybe'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        DriftDisplay(*arguments).plot()


def test_the_number_of_bars_must_be_one():
    """The error says what came."""
    with pytest.raises(ValueError, match="max_bars must be an integer >= 1, got 0"):
        DriftDisplay([0.1], ["no"], ["a"]).plot(max_bars=0)
