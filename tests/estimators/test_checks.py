"""The short way of rows that need no check leads nowhere else than the long one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from modemap.estimators import (
    BayesianGaussianMixture,
    ModeNormalizer,
    Preparation,
    SelfOrganizingMap,
)
from modemap.estimators.checks import FEW, LARGEST, check_fitted, check_magnitude, is_ready


@pytest.fixture(name="X", scope="module")
def rows():
    """Return 200 rows of three columns."""
    return np.random.default_rng(0).normal(size=(200, 3))


@pytest.fixture(name="answers", scope="module")
def functions(X):
    """Return what asks fitted models about rows."""
    preparation = Preparation([*"abc"], dict.fromkeys("abc", "median")).fit(X)
    return {
        "map": SelfOrganizingMap(3, 3, max_iter=2, random_state=0).fit(X).score_samples,
        "mixture": BayesianGaussianMixture(n_components=2, tol=0.1, random_state=0)
        .fit(X)
        .score_samples,
        "preparation": preparation.transform,
        "normaliser": ModeNormalizer(random_state=0).fit(X).transform,
    }


@pytest.mark.parametrize("model", ["map", "mixture", "preparation", "normaliser"])
def test_both_ways_lead_to_the_same_answer(X, answers, model):
    """A list of lists takes the long one."""
    np.testing.assert_array_equal(answers[model](X[:5]), answers[model](X[:5].tolist()))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning:numpy")  # scikit-learn adds them
@pytest.mark.parametrize("model", ["map", "mixture", "preparation"])
@pytest.mark.parametrize("sizes", [(np.inf,), (np.inf, -np.inf), (-np.inf, np.nan)])
def test_infinity_is_refused_as_ever(X, answers, model, sizes):
    """Also where infinities of both signs meet, or one stands beside a missing value."""
    rows = X[:5].copy()
    rows[0, : len(sizes)] = sizes

    with pytest.raises(ValueError, match="infinity"):
        answers[model](rows)


@pytest.mark.parametrize("model", ["map", "mixture", "preparation", "normaliser"])
def test_another_number_of_columns_is_refused(X, answers, model):
    """By every model."""
    with pytest.raises(ValueError, match=r"3 (columns|features)"):
        answers[model](np.ascontiguousarray(X[:, :2]))


def test_names_that_are_missing_are_told_of(X):
    """A model that learned names warns of rows without them, as scikit-learn's do."""
    som = SelfOrganizingMap(3, 3, max_iter=1, random_state=0).fit(pd.DataFrame(X, columns=[*"abc"]))

    with pytest.warns(UserWarning, match="feature names"):
        som.predict(X)


def test_what_needs_a_check_is_not_ready(X):
    """Other types, orders, shapes and values take the long way."""
    others = {
        "list": X.tolist(),
        "matrix of another type": X.astype(np.float16),
        "integers": X.astype(np.int64),
        "columns first": np.asfortranarray(X),
        "one row as a vector": X[0],
        "no rows": X[:0],
        "more than rows": X[np.newaxis],
        "a number": np.float64(3.0),
        "a missing value": np.where(X[0, 0] == X, np.nan, X),
        "masked": np.ma.masked_array(X),
    }

    assert is_ready(X)
    assert is_ready(X.astype(np.float32))
    assert [name for name, other in others.items() if is_ready(other)] == []


@pytest.mark.filterwarnings("error")
def test_a_sum_that_overflows_is_no_infinity(answers):
    """The long way is asked, and says what it says of each value."""
    assert not is_ready(np.full((2, 3), 1e308))
    with pytest.raises(ValueError, match="must lie between"):
        answers["map"](np.full((2, 3), 1e308))


def test_a_model_without_what_it_learns_is_refused(X):
    """The message is scikit-learn's; of a fitted model nothing is said."""
    model = SelfOrganizingMap(3, 3, max_iter=2, random_state=0)

    with pytest.raises(NotFittedError, match="SelfOrganizingMap instance is not fitted yet"):
        check_fitted(model, "codebook_")

    assert check_fitted(model.fit(X), "codebook_") is None


@pytest.mark.parametrize("n", [1, FEW + 1])
@pytest.mark.parametrize("beside", [1.0, np.nan])
def test_the_largest_size_is_taken_and_the_next_is_not(n, beside):
    """Among few values and many, with and without a missing one."""
    X = np.full((n, 2), beside)
    for value in (LARGEST, -LARGEST, 0.0):
        X[-1, 0] = value
        check_magnitude(X)

    for value in (np.nextafter(LARGEST, np.inf), -1e300, np.inf):
        X[-1, 0] = value
        with pytest.raises(ValueError, match=r"X must lie between -1e\+150 and 1e\+150, got"):
            check_magnitude(X)
    check_magnitude(np.full((n, 2), 3e38, np.float32))
