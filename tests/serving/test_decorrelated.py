"""A release of principal components answers in columns, as every other does."""

import numpy as np
import pytest

from modemap.lifecycle.evidence.behaviour import try_behaviour
from modemap.release import golden_mismatch, golden_rows
from modemap.serving.answers import explained
from modemap.serving.app import _sampled
from modemap.serving.served import load_served


@pytest.fixture(scope="module")
def whitened(make_release, tmp_path_factory):
    """Return the tiny release with its columns whitened, as a service has it."""
    folder = tmp_path_factory.mktemp("whitened") / "release"
    return load_served(make_release(folder, decorrelate="whiten"), 1), folder


def test_golden_rows_and_behaviour_hold(whitened, rows):
    """The gate's trials find nothing wrong: order, repetition, units of rows."""
    served, folder = whitened

    assert golden_mismatch(folder, served.release) is None
    assert set(try_behaviour(served.release, rows).values()) == {None}


def test_explanations_are_of_columns_and_add_up(whitened):
    """Shares of what is unlikely and far, and rows that are typical, in raw units."""
    served, folder = whitened
    X = golden_rows(folder)
    scores = served.release.score(X)

    told = explained(served, X, scores)

    for i, row in enumerate(told):
        shares = {name: list(parts.values()) for name, parts in row["shares"].items()}
        assert list(row["shares"]["map_distance"]) == ["delay", "distance"]
        assert sum(shares["log_likelihood"]) == pytest.approx(-scores.log_likelihood[i], rel=1e-6)
        assert sum(shares["map_distance"]) == pytest.approx(scores.distances[i] ** 2, rel=1e-6)
    raw = served.release.preparation.inverse_transform(served.release.som.codebook_)
    typical = told[0]["typical"][0]
    assert list(typical["row"].values()) == raw[typical["unit"]].tolist()


def test_samples_vary_as_the_training_rows_do(whitened, rows):
    """They are in raw units, and correlated as the columns are."""
    sample = _sampled(whitened[0], 20_000, 0)

    X = np.column_stack([sample["delay"], sample["distance"]])
    spread = rows.std(axis=0)
    np.testing.assert_allclose(X.std(axis=0), spread, rtol=0.1)
    np.testing.assert_allclose((X.mean(axis=0) - rows.mean(axis=0)) / spread, 0, atol=0.1)
    np.testing.assert_allclose(np.corrcoef(X.T), np.corrcoef(rows.T), atol=0.05)
