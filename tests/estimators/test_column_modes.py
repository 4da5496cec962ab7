"""The mixture of one column against scikit-learn's, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.mixture import BayesianGaussianMixture

from modemap.estimators import BayesianGaussianMixture as OurMixture
from modemap.estimators.column_modes import fit_column_modes
from modemap.kernels.columns.points import k_means_cuts
from modemap.sketch import ColumnSketch


def fitted(x, n_components=10, max_iter=100):
    """Return the modes of a column."""
    sketch = ColumnSketch().update(np.asarray(x, dtype=np.float64))
    return fit_column_modes(sketch, n_components, max_iter, np.random.RandomState(0))


@pytest.fixture
def groups():
    """Return a column of three groups far apart, the heaviest first and the lightest last."""
    rng = np.random.default_rng(0)
    parts = rng.normal(0, 1, 5000), rng.normal(50, 2, 3000), rng.normal(200, 5, 1000)
    return np.concatenate(parts)


def test_one_component_is_the_one_of_scikit_learn(groups):
    """With nothing to start differently from, the fits are equal."""
    center, spread = groups.mean(), groups.std()
    peer = BayesianGaussianMixture(covariance_prior=[[1.0]]).fit(
        ((groups - center) / spread)[:, None]
    )

    modes = fitted(groups, n_components=1)

    assert modes.means[0] == pytest.approx(peer.means_[0, 0] * spread + center)
    assert modes.stds[0] == pytest.approx(np.sqrt(peer.covariances_[0, 0, 0]) * spread)
    assert modes.weights.tolist() == [1.0]


def test_groups_are_found_as_scikit_learn_finds_them(groups):
    """Where k-means leaves no doubt about the start, both end at the same place."""
    center, spread = groups.mean(), groups.std()
    peer = BayesianGaussianMixture(
        n_components=3, random_state=0, covariance_prior=[[1.0]], tol=1e-9, max_iter=1000
    ).fit(((groups - center) / spread)[:, None])
    order = np.argsort(-peer.weights_)

    modes = fitted(groups, n_components=3)

    np.testing.assert_allclose(modes.weights, peer.weights_[order], atol=2e-4)
    np.testing.assert_allclose(modes.means, peer.means_[order, 0] * spread + center, atol=0.01)
    np.testing.assert_allclose(
        modes.stds, np.sqrt(peer.covariances_[order, 0, 0]) * spread, rtol=1e-3
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_overlapping_modes_are_those_of_the_class_from_the_same_start():
    """A column's fit is the class's, which is scikit-learn's, to 1e-9: only the start is drawn.

    So two seeds end at two optima, and what is measured of them, calibration too, moves with them:
    between 0.026 and 0.035 over twelve seeds of the flights, for any implementation.
    """
    x = np.round(np.random.default_rng(1).lognormal(3, 1, 8000), 1)
    values, counts = np.unique(x, return_counts=True)
    center, spread = x.mean(), x.std()
    uniforms = np.random.RandomState(0).uniform(size=(5, 3))
    cuts = k_means_cuts((values - center) / spread, counts.astype(float), 5, uniforms)
    clusters = np.searchsorted(cuts[1:-1], np.searchsorted(values, x), side="right")
    by_weight = np.argsort(np.argsort(-np.bincount(clusters, minlength=5), kind="stable"))
    peer = OurMixture(
        n_components=5, init_params=by_weight[clusters], tol=0.0, max_iter=40,
        mean_prior=[0.0], covariance_prior=[[1.0]],
    ).fit(((x - center) / spread)[:, None])  # fmt: skip
    order = np.argsort(-peer.weights_, kind="stable")

    modes = fitted(x, n_components=5, max_iter=40)

    assert len(modes.lower_bounds) == 40
    np.testing.assert_allclose(modes.weights, peer.weights_[order], atol=1e-9)
    np.testing.assert_allclose((modes.means - center) / spread, peer.means_[order, 0], atol=1e-9)
    np.testing.assert_allclose(
        modes.stds / spread, np.sqrt(peer.covariances_[order, 0, 0]), atol=1e-9
    )


def test_a_constant_column_has_one_mode_at_its_value():
    """Rounding in the mean does not pass for spread, as that of six times 0.1 would."""
    modes = fitted([0.1] * 6)

    assert modes.means.tolist() == [0.1]
    assert modes.stds[0] == pytest.approx(1e-3, rel=0.1)


def test_groups_are_found_among_more_components(groups):
    """What is not needed keeps next to no weight."""
    modes = fitted(groups, n_components=8)

    near = [np.abs(modes.means - mean) < 4 for mean in (0, 50, 200)]
    np.testing.assert_allclose([modes.weights[n].sum() for n in near], [5 / 9, 3 / 9, 1 / 9], 0.02)


def test_the_lower_bound_never_falls(groups):
    """Every iteration improves it, up to rounding and the floor under variances."""
    for x in (groups, np.round(groups), np.exp(groups / 60)):
        bounds = fitted(x).lower_bounds
        assert (np.diff(bounds) > -1e-6 * np.abs(bounds[:-1])).all()


def test_offset_and_unit_do_not_matter(groups):
    """Epoch seconds have the modes that minutes have."""
    base, moved = fitted(groups), fitted(groups * 60 + 1.7e9)

    np.testing.assert_allclose(moved.means, base.means * 60 + 1.7e9, rtol=1e-9)
    np.testing.assert_allclose(moved.stds, base.stds * 60, rtol=1e-3)
    np.testing.assert_allclose(moved.weights, base.weights, atol=1e-4)


def test_equal_columns_have_equal_modes(groups):
    """The same seed gives the same bytes."""
    one, other = fitted(groups), fitted(groups[::-1])

    assert [part.tobytes() for part in one] == [part.tobytes() for part in other]


def test_components_come_by_falling_weight(groups):
    """So the number of a mode means something."""
    assert (np.diff(fitted(groups).weights) <= 0).all()


def test_iterations_are_bounded(groups):
    """No more than asked for."""
    assert len(fitted(groups, max_iter=3).lower_bounds) == 3


@pytest.mark.parametrize(
    "column",
    [
        [7.0],
        [7.0] * 50,
        [0.1] * 50,
        [0.0, 1.0],
        [1.0] * 40 + [2.0] * 3,
        [0.0] * 1000 + [1e6],
        [1e150, -1e150],
        [5e-324, 0.0, 0.0],
        [1e9, 1e9 + 1e-6],
        list(range(5)),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_components", [1, 2, 10])
def test_degenerate_columns_have_modes(column, n_components):
    """No variance is negative or zero and no number is missing."""
    modes = fitted(column, n_components)

    assert len(modes.weights) == min(n_components, len(set(column)))
    assert modes.weights.sum() == pytest.approx(1.0)
    assert (modes.weights >= 0).all()
    assert (modes.stds > 0).all()
    assert np.isfinite(modes.means).all()
    assert np.isfinite(modes.stds).all()
    assert np.isfinite(modes.lower_bounds).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=30), st.integers(1, 12))
def test_any_finite_column_has_modes(column, n_components):
    """Whatever the values are, a mixture of them is found."""
    weights, means, stds, bounds = fitted(column, n_components, max_iter=5)

    assert weights.sum() == pytest.approx(1.0)
    assert (stds > 0).all()
    assert np.isfinite([*means, *stds, *bounds]).all()


def test_columns_of_more_than_a_block_are_fitted_whole():
    """Blocks add up to the whole column."""
    x = np.random.default_rng(0).normal(3.0, 2.0, size=20_000)

    modes = fitted(x, n_components=1)

    assert modes.means[0] == pytest.approx(x.mean(), abs=1e-3)
    assert modes.stds[0] == pytest.approx(x.std(), rel=1e-3)
