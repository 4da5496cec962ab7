"""The map where scikit-learn's users put it: frames, pipelines, searches; and when it stops."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modemap.estimators import SelfOrganizingMap, SelfOrganizingMapClassifier
from modemap.estimators.umatrix import component_planes, hit_map, unit_similarity


@pytest.fixture(name="X")
def samples():
    """Return 300 samples of three features."""
    return np.random.default_rng(0).normal(size=(300, 3))


def test_frames_and_tables_are_samples(X):
    """A pandas frame and an Arrow table give what their array gives, by name."""
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    som = SelfOrganizingMap(3, 4, max_iter=3)
    expected = som.fit(X).codebook_

    for table in (frame, pa.Table.from_pandas(frame)):
        som.fit(table)
        np.testing.assert_array_equal(som.codebook_, expected)
        assert som.feature_names_in_.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(som.predict(table), som.predict(frame))


def test_transform_returns_the_container_that_was_chosen(X):
    """With the names of its two columns."""
    som = SelfOrganizingMap(3, 4, max_iter=3).set_output(transform="pandas")

    places = som.fit_transform(pd.DataFrame(X, columns=["a", "b", "c"]))

    assert places.columns.tolist() == ["som_row", "som_column"]
    assert places.index.tolist() == list(range(300))


def test_pipelines_and_searches_take_a_map(X):
    """The classifier on top of a map is tuned through the map's arguments."""
    y = np.arange(len(X)) % 2
    X[:, 0] += 4.0 * y
    pipeline = make_pipeline(
        StandardScaler(), SelfOrganizingMapClassifier(SelfOrganizingMap(3, 3, max_iter=3))
    )
    name = "selforganizingmapclassifier__som__n_rows"

    search = GridSearchCV(pipeline, {name: [1, 4]}, cv=2).fit(X, y)

    assert search.best_params_ == {name: 4}
    assert search.score(X, y) > 0.8


def test_a_clone_has_the_arguments_and_nothing_learned(X):
    """As scikit-learn's searches rely on."""
    som = SelfOrganizingMap(3, 4, max_iter=3, radius=(2.0, 1.0)).fit(X)

    copy = clone(som)

    assert copy.get_params() == som.get_params()
    assert not hasattr(copy, "codebook_")


@pytest.mark.parametrize("training", ["batch", "online"])
def test_training_stops_when_the_error_does_not_fall(X, training):
    """After so many epochs without a better one, long before the last."""
    som = SelfOrganizingMap(
        3, 4, training=training, max_iter=200, radius=(1.0, 1.0), early_stopping=True, tol=0.01,
        n_iter_no_change=3, random_state=0,
    )  # fmt: skip

    errors = som.fit(X).history_["quantization_error"]

    assert 3 < som.n_iter_ == len(errors) < 200
    assert all(errors[i] >= 0.99 * min(errors[:i]) for i in (-3, -2, -1))


@pytest.mark.parametrize("training", ["batch", "online"])
def test_progress_is_printed_where_it_is_asked_for(X, training, capsys):
    """A line for each epoch."""
    som = SelfOrganizingMap(3, 4, training=training, max_iter=3, verbose=True, random_state=0)

    som.fit(X)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("quantization error" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": (1.0, -1.0)}, r"start >= end > 0, got \(1.0, -1.0\)"),
        ({"learning_rate": (2.0, 0.1)}, r"1 >= start >= end > 0, got \(2.0, 0.1\)"),
        ({"learning_rate": 0.5}, "learning_rate must be .*, got 0.5"),
        ({"learning_rate_decay": "root"}, "learning_rate_decay must be one of .*, got 'root'"),
        ({"topology": "round"}, "topology must be one of 'rectangular', 'hexagonal', got 'round'"),
        ({"boundary": "open"}, "boundary must be one of 'planar', 'toroidal', got 'open'"),
        ({"metric": "taxi"}, "metric must be one of 'euclidean', .*, got 'taxi'"),
        ({"training": "slow"}, "training must be one of 'batch', 'online', got 'slow'"),
        ({"early_stopping": 1}, "early_stopping must be True or False, got 1"),
        ({"tol": -1.0}, "tol must be a number >= 0.0 and < 1.0, got -1.0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an integer >= 1, got 0"),
        (
            {"n_rows": 10**6, "n_columns": 10**6},
            r"n_rows \* n_columns must fit the memory, .* GiB, got 1000000 \* 1000000 units",
        ),
    ],
)
def test_wrong_arguments_are_named_with_their_rule_and_value(X, arguments, message):
    """No map is begun."""
    with pytest.raises(ValueError, match=message):
        SelfOrganizingMap(**arguments).fit(X)


@pytest.mark.parametrize(
    "method",
    ["predict", "transform", "inverse_transform", "score_samples", "distances", "impute"],
)
def test_a_map_that_is_not_fitted_answers_nothing(X, method):
    """As scikit-learn's estimators say it."""
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(SelfOrganizingMap(), method)(X)


def test_maps_as_arrays_are_those_of_plain_loops(X):
    """Planes of the features, hits, and how alike units are."""
    som = SelfOrganizingMap(2, 3, max_iter=3).fit(X)
    codebook, units = som.codebook_, som.predict(X)

    planes, hits = component_planes(codebook, 2, 3), hit_map(units, 2, 3)
    alike = unit_similarity(codebook)

    farthest = max(np.linalg.norm(one - other) for one in codebook for other in codebook)
    for k in range(6):
        row, column = divmod(k, 3)
        assert hits[row, column] == sum(unit == k for unit in units)
        for other in range(6):
            apart = np.linalg.norm(codebook[k] - codebook[other])
            assert alike[k, other] == pytest.approx(1.0 - apart / farthest)
        for j in range(3):
            assert planes[j, row, column] == codebook[k, j]
