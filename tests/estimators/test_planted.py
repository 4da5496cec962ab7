"""Ten kinds of planted anomalies: each row's own explanation names the planted column."""

import numpy as np
import pytest

from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.preparation import Preparation
from modemap.estimators.surprise import column_surprise

COLUMNS = ["dose", "weight", "height", "pulse", "hour", "price", "speed", "time", "stock", "age"]
N_EACH = 40


def _rows(n, rng):
    """Return rows of ten columns: groups, a law between two, a sum, a scale of its own, a code."""
    group = rng.integers(0, 2, n)
    dose = np.where(group, rng.normal(20, 1, n), rng.normal(5, 1, n))
    height = rng.normal(170, 9, n)
    weight = 0.9 * (height - 100) + rng.normal(0, 4, n)
    pulse = rng.normal(np.where(group, 90, 65), 5, n)
    hour = np.where(rng.random(n) < 0.5, rng.normal(9, 0.7, n), rng.normal(18, 0.7, n))
    price = np.exp(rng.normal(3, 0.4, n))
    speed = rng.normal(60, 5, n)
    time = 600 / speed + rng.normal(0, 0.1, n)
    stock = rng.integers(0, 6, n).astype(float)
    age = rng.normal(45, 12, n)
    return np.column_stack((dose, weight, height, pulse, hour, price, speed, time, stock, age))


KINDS = {  # kind: its column, and what becomes of the values there
    "far above": ("speed", lambda x: x + 60),
    "far below": ("age", lambda x: x - 140),
    "between two modes": ("hour", lambda x: np.full_like(x, 13.5)),
    "between two groups": ("dose", lambda x: np.full_like(x, 12.5)),
    "another unit": ("height", lambda x: x / 100),
    "a decimal slipped": ("price", lambda x: 10 * x + 100),
    "the sign turned": ("pulse", np.negative),
    "zero for missing": ("weight", np.zeros_like),
    "out of the law": ("time", lambda x: x + 4),
    "a code for unknown": ("stock", lambda x: np.full_like(x, 99.0)),
}


def _planted(kind, seed):
    """Return rows with an anomaly of this kind, and the number of its column."""
    X = _rows(N_EACH, np.random.default_rng(seed))
    name, changed = KINDS[kind]
    column = COLUMNS.index(name)
    X[:, column] = changed(X[:, column])
    return X, column


@pytest.fixture(scope="module")
def fitted():
    """Return a preparation and a mixture of 4,000 clean rows."""
    X = _rows(4000, np.random.default_rng(0))
    preparation = Preparation(COLUMNS, dict.fromkeys(COLUMNS, "error")).fit(X)
    mixture = BayesianGaussianMixture(n_components=12, max_iter=500, random_state=0)
    return preparation, mixture.fit(preparation.transform(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_planted_column_is_named_first(fitted):
    """For at least nine kinds of ten, in at least nine rows of ten each."""
    preparation, mixture = fitted
    named = {}
    for number, kind in enumerate(KINDS):
        planted, column = _planted(kind, 100 + number)
        shares = column_surprise(mixture, preparation.transform(planted))
        named[kind] = float(np.mean(shares.argmax(axis=1) == column))

    found = [kind for kind, share in named.items() if share >= 0.9]
    assert len(found) >= 9, named


def test_explanations_of_planted_rows_add_up(fitted):
    """To the log-likelihood within 1e-6, however unusual the row."""
    preparation, mixture = fitted
    for kind in KINDS:
        rows = preparation.transform(_planted(kind, 7)[0])

        shares = column_surprise(mixture, rows)

        assert np.abs(shares.sum(axis=1) + mixture.score_samples(rows)).max() < 1e-6
