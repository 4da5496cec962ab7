"""The pass over several columns against plain NumPy."""

import numpy as np
import pytest

from modemap.estimators import BayesianGaussianMixture, expectation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("n_features", [3, 8, 11])
def test_the_compiled_pass_agrees_with_plain_numpy(n_features, monkeypatch):
    """Whether components have all rows of a block, a few or none; weighted, and not in blocks."""
    rng = np.random.default_rng(n_features)
    X = rng.normal(size=(9001, n_features))
    X[3000:] += 12.0 * rng.integers(0, 2, (6001, 1))  # the first blocks hold one group alone
    starts = (rng.integers(0, 5, len(X)), (X[:, 0] > 6) + 2 * rng.integers(0, 2, len(X)))
    weights = rng.uniform(0.5, 2.0, len(X))

    def fitted():
        return [
            BayesianGaussianMixture(n_components=5, init_params=labels, max_iter=2).fit(
                X, sample_weight=weights
            )
            for labels in starts
        ]

    compiled = fitted()
    monkeypatch.setattr(expectation, "MIN_COMPILED", len(X) + 1)

    for ours, plain in zip(compiled, fitted(), strict=True):
        np.testing.assert_allclose(ours.means_, plain.means_, atol=1e-10)
        np.testing.assert_allclose(ours.covariances_, plain.covariances_, atol=1e-10)
        np.testing.assert_allclose(ours.lower_bounds_, plain.lower_bounds_, rtol=1e-12)
