"""Classifier and regressor on a map, and the labels of units."""

import numpy as np
import pytest

from modemap.estimators import (
    SelfOrganizingMap,
    SelfOrganizingMapClassifier,
    SelfOrganizingMapRegressor,
)


@pytest.fixture(name="X")
def samples():
    """Return 300 samples of two features in a square."""
    return np.random.default_rng(0).uniform(size=(300, 2))


@pytest.fixture
def y(X):
    """Return the quarter of the square each sample lies in."""
    return np.array(["sw", "nw", "se", "ne"])[2 * (X[:, 0] > 0.5) + (X[:, 1] > 0.5)]


def test_labels_of_units_are_shares_of_their_samples(X, y):
    """Counted sample by sample, with their weights."""
    som = SelfOrganizingMap(5, 5).fit(X)
    weights = np.random.default_rng(1).uniform(size=300)

    labels = som.label_units(X, y, sample_weight=weights)

    assert labels.classes.tolist() == ["ne", "nw", "se", "sw"]
    units = som.predict(X)
    for unit in range(25):
        own = [weights[(units == unit) & (y == name)].sum() for name in labels.classes]
        np.testing.assert_allclose(labels.shares[unit], own / np.sum(own))
        assert labels.majority[unit] == np.argmax(own)


def test_a_unit_without_samples_has_no_label():
    """Its shares are 0, its majority is -1."""
    som = SelfOrganizingMap(1, 2, max_iter=1, init=[[0.0], [99.0]], neighborhood="bubble")
    som.set_params(radius=(0.5, 0.5)).fit([[0.0], [1.0]])

    labels = som.label_units([[0.0], [1.0]], [7, 7])

    assert labels.majority.tolist() == [0, -1]
    assert labels.shares.tolist() == [[1.0], [0.0]]


def test_labels_must_be_as_many_as_samples(X):
    """The message says how many."""
    with pytest.raises(ValueError, match="y must have a class for each of 300 rows, got 2"):
        SelfOrganizingMap(2, 2).fit(X).label_units(X, [0, 1])


def test_the_classifier_finds_the_quarters(X, y):
    """Shares add up to 1, and the heaviest class is predicted."""
    model = SelfOrganizingMapClassifier(SelfOrganizingMap(10, 10, max_iter=30)).fit(X, y)
    unseen = np.random.default_rng(2).uniform(size=(500, 2))
    shares = model.predict_proba(unseen)

    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(unseen), model.classes_[shares.argmax(axis=1)])
    quarters = np.array(["sw", "nw", "se", "ne"])[2 * (unseen[:, 0] > 0.5) + (unseen[:, 1] > 0.5)]
    assert model.score(unseen, quarters) > 0.85


def test_units_without_samples_answer_as_their_nearest_neighbor_in_the_data():
    """Every unit has an answer."""
    som = SelfOrganizingMap(1, 3, max_iter=1, init=[[0.0], [7.0], [9.0]], neighborhood="bubble")
    som.set_params(radius=(0.5, 0.5))
    X = [[0.0], [9.0]]

    classifier = SelfOrganizingMapClassifier(som).fit(X, ["low", "high"])
    regressor = SelfOrganizingMapRegressor(som).fit(X, [1.0, 5.0])

    assert classifier.predict([[7.0]]).tolist() == ["high"]
    assert regressor.predict([[7.0]]).tolist() == [5.0]


def test_the_regressor_learns_a_slope(X):
    """Means of units follow the target."""
    model = SelfOrganizingMapRegressor(SelfOrganizingMap(10, 10, max_iter=30)).fit(X, X[:, 0])

    assert model.score(X, X[:, 0]) > 0.95


def test_the_map_that_is_given_stays_as_it_is(X, y):
    """The fitted one is another."""
    som = SelfOrganizingMap(3, 3)

    model = SelfOrganizingMapClassifier(som).fit(X, y)

    assert not hasattr(som, "codebook_")
    assert model.som_.codebook_.shape == (9, 2)


def test_each_kind_keeps_a_score_of_its_own(X, y):
    """Accuracy and R2, not the map's quantization error."""
    som = SelfOrganizingMap(4, 4, max_iter=5)
    classifier = SelfOrganizingMapClassifier(som).fit(X, y)
    regressor = SelfOrganizingMapRegressor(som).fit(X, X[:, 0])

    assert classifier.score(X, y) == np.mean(classifier.predict(X) == y)
    assert 0.5 < regressor.score(X, X[:, 0]) <= 1
    assert regressor.som_.score(X) < 0


@pytest.mark.parametrize("kind", [SelfOrganizingMapClassifier, SelfOrganizingMapRegressor])
def test_numbers_as_text_are_refused(X, kind):
    """As the map refuses them."""
    model = kind(SelfOrganizingMap(2, 2)).fit(X, np.arange(300) % 2)

    with pytest.raises(ValueError, match="X must hold numbers, got text"):
        kind().fit(X.astype(str), np.arange(300) % 2)
    with pytest.raises(ValueError, match="X must hold numbers, got text"):
        model.predict(X.astype(str))
