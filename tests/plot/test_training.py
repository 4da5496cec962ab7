"""Curves of training are what the estimator kept."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from modemap import BayesianGaussianMixture, SelfOrganizingMap
from modemap.plot import TrainingDisplay


def test_curves_are_the_history_of_the_map(hexagons):
    """Each quantity has its own axes, with its unit."""
    display = TrainingDisplay.from_estimator(hexagons)

    names = ("quantization_error", "topographic_error", "radius")
    for line, ax, name in zip(display.lines_, display.axes_, names, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 10))
        np.testing.assert_array_equal(line.get_ydata(), hexagons.history_[name])
        assert ax.get_ylabel().startswith(name.replace("_", " "))
    assert [ax.get_xlabel() for ax in display.axes_] == ["", "", "epoch"]


def test_one_epoch_is_a_point(X):
    """It is marked, at 1."""
    display = TrainingDisplay.from_estimator(SelfOrganizingMap(2, 2, max_iter=1).fit(X))

    display.figure_.canvas.draw()
    ticks = [label.get_text() for label in display.axes_[-1].get_xticklabels()]
    assert {line.get_marker() for line in display.lines_} == {"o"}
    assert "1" in ticks


def test_a_mixture_shows_its_lower_bound(X):
    """One curve over the iterations."""
    mixture = BayesianGaussianMixture(n_components=2, random_state=0, tol=1.0).fit(X)

    display = TrainingDisplay.from_estimator(mixture)

    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), mixture.lower_bounds_)
    assert display.axes_[0].get_xlabel() == "iteration"


def test_given_axes_each_name_the_epoch(hexagons):
    """Nothing says that they lie above each other."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 3)

    display = TrainingDisplay.from_estimator(hexagons, axes=axes)

    assert [ax.get_xlabel() for ax in display.axes_] == ["epoch"] * 3


def test_gaps_are_drawn_as_gaps():
    """NaN is no point."""
    display = TrainingDisplay({"error": [1.0, np.nan, 3.0]}).plot()

    assert np.isnan(display.lines_[0].get_ydata()[1])
    assert display.axes_[0].get_xlim() == (0.5, 3.5)


@pytest.mark.parametrize("estimator", [SelfOrganizingMap(), BayesianGaussianMixture()])
def test_an_estimator_that_is_not_fitted_is_refused(estimator):
    """The error is scikit-learn's."""
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        TrainingDisplay.from_estimator(estimator)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "at least one quantity, got none"),
        ({"a": []}, r"one entry for each epoch, got shapes \{'a': \(0,\)\}"),
        ({"a": [1.0], "b": [1.0, 2.0]}, r"got shapes \{'a': \(1,\), 'b': \(2,\)\}"),
    ],
)
def test_histories_that_are_none_are_refused(history, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        TrainingDisplay(history).plot()
