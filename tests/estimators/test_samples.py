"""Samples in batches, and what no map can learn from."""

import numpy as np
import pytest

from modemap.estimators import Batches, SelfOrganizingMap


class Cut:
    """An array in batches."""

    def __init__(self, X, *cuts):
        self.X, self.cuts = X, cuts

    def batches(self):
        """Return the batches, anew each time."""
        return iter(np.split(self.X, self.cuts))


@pytest.fixture(name="X")
def samples():
    """Return 100 samples of three features."""
    return np.random.default_rng(0).normal(size=(100, 3))


@pytest.mark.parametrize("init", ["pca", "random", "sample"])
@pytest.mark.parametrize("training", ["batch", "online"])
def test_batches_give_what_the_array_gives(X, init, training):
    """Up to rounding, with weights and missing values in one of the batches."""
    X[70, 1] = np.nan
    weights = np.random.default_rng(1).integers(0, 3, size=100)
    som = SelfOrganizingMap(
        3, 4, init=init, training=training, shuffle=False, decay_by="epoch", random_state=0
    )

    whole = som.fit(X, sample_weight=weights).codebook_
    cut = som.fit(Cut(X, 10, 60), sample_weight=weights).codebook_

    assert isinstance(Cut(X), Batches)
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-5)


def test_missing_values_are_learned_from_the_samples_that_have_them(X):
    """A unit's feature is the mean over those, by the formula."""
    X[::3, 1], X[1::5, 2] = np.nan, np.nan
    start = np.random.default_rng(1).normal(size=(4, 3))

    som = SelfOrganizingMap(1, 4, init=start, max_iter=1, radius=(1.0, 1.0)).fit(X)

    is_seen = ~np.isnan(X)
    squares = np.where(is_seen[:, None], (np.nan_to_num(X)[:, None] - start) ** 2, 0).sum(axis=2)
    strength = np.exp(-((np.arange(4)[:, None] - squares.argmin(axis=1)) ** 2) / 2)
    expected = strength @ np.nan_to_num(X) / (strength @ is_seen)
    np.testing.assert_allclose(som.codebook_, expected)


def test_missing_values_are_filled_from_the_nearest_unit(X):
    """Values that are there stay."""
    som = SelfOrganizingMap(3, 4).fit(X)
    missing = X.copy()
    missing[::4, 2] = np.nan

    filled = som.impute(missing)

    units = som.predict(missing)
    np.testing.assert_array_equal(filled[::4, 2], som.codebook_[units[::4], 2])
    np.testing.assert_array_equal(filled[:, :2], X[:, :2])
    assert not np.isnan(filled).any()


@pytest.mark.parametrize(
    ("X", "weights", "message"),
    [
        (np.full((3, 2), np.nan), None, "X must have a value in each row, got NaN alone in row 0"),
        ([[1.0, np.nan], [2.0, np.nan]], None, "in each column, got NaN alone in column 1"),
        ([[1.0, np.inf]], None, "infinity"),
        ([["a", "b"]], None, "X must hold numbers, got text"),
        (np.array([[{}, 1.0]], dtype=object), None, "float"),
        (np.empty((0, 2)), None, "minimum of 1 is required"),
        (Cut(np.ones((4, 2)), 2), np.ones(3), "sample_weight must have a weight for each row"),
        (Cut(np.ones((4, 2)), 2), np.ones(5), r"must have shape \(4,\), got \(5,\)"),
        (Cut(np.ones((4, 2)), 2, 2), None, "minimum of 1 is required"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(X, weights, message):
    """The message names what is wrong and where."""
    with pytest.raises((ValueError, TypeError), match=message):
        SelfOrganizingMap(2, 2).fit(X, sample_weight=weights)


def test_batches_must_hold_a_batch():
    """None at all is no data."""

    class Nothing:
        """No batches."""

        def batches(self):
            """Return none."""
            return []

    with pytest.raises(ValueError, match="X must have a batch with a row, got none"):
        SelfOrganizingMap().fit(Nothing())
