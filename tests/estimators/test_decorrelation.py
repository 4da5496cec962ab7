"""Preparation that turns columns to principal components, and back."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from modemap.errors import DataError, ReleaseError
from modemap.estimators import BayesianGaussianMixture, Preparation
from modemap.estimators.state import load_state, save_state
from modemap.release import Release
from modemap.sketch import sketches_of

COLUMNS = ("a", "b", "c")
POLICIES = dict.fromkeys(COLUMNS, "error")
DECORRELATED = pytest.mark.parametrize("how", ["pca", "whiten"])


def correlated(seed, n_rows=500):
    """Return rows of three columns that vary together, in very different units."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(3, 3)) + np.eye(3)
    scales = 10.0 ** rng.integers(-6, 7, 3)
    return (rng.normal(size=(n_rows, 3)) @ mixing + rng.normal(size=3)) * scales


def fitted(how, X, map_only=None):
    """Return the preparation of rows of three columns."""
    return Preparation(COLUMNS, POLICIES, map_only, how).fit(X)


@DECORRELATED
@given(seed=st.integers(0, 10_000))
def test_the_inverse_gives_rows_back(how, seed):
    """To a billionth of the largest value of each column."""
    X = correlated(seed)
    preparation = fitted(how, X)

    back = preparation.inverse_transform(preparation.transform(X))

    assert np.all(np.abs(back - X) <= 1e-9 * np.abs(X).max(axis=0))
    measured = preparation.inverse_measured(preparation.transform(X))
    np.testing.assert_allclose(measured, back, rtol=1e-12)


@given(seed=st.integers(0, 10_000))
def test_whitened_training_rows_have_the_identity_as_covariance(seed):
    """And their means are 0."""
    X = correlated(seed)

    rows = fitted("whiten", X).transform(X)

    np.testing.assert_allclose(np.cov(rows.T, bias=True), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)


def test_principal_components_are_ordered_and_keep_distances():
    """The first has most variance; none varies with another; rows are as far apart as scaled."""
    X = correlated(1)

    rows, scaled = fitted("pca", X).transform(X), fitted("none", X).transform(X)

    covariance = np.cov(rows.T, bias=True)
    np.testing.assert_allclose(covariance, np.diag(np.diagonal(covariance)), atol=1e-9)
    assert list(np.diagonal(covariance)) == sorted(np.diagonal(covariance), reverse=True)
    distances = [np.linalg.norm(of[1:] - of[:-1], axis=1) for of in (rows, scaled)]
    np.testing.assert_allclose(*distances, rtol=1e-9)


@DECORRELATED
def test_the_largest_part_of_each_component_is_positive(how):
    """A component and its opposite tell the same: which of them is no matter of chance."""
    axes = fitted(how, correlated(2)).directions_.axes

    assert (axes[np.abs(axes).argmax(axis=0), range(3)] > 0).all()


@DECORRELATED
def test_sketches_and_blocks_learn_what_rows_do(how):
    """A stage sees columns first, then rows."""
    X = correlated(3)
    whole = fitted(how, X)

    pieces = Preparation(COLUMNS, POLICIES, None, how).fit_sketches(sketches_of([X]))
    pieces.fit_directions([X])

    np.testing.assert_array_equal(pieces.transform(X), whole.transform(X))


def test_before_directions_are_learned_nothing_is_transformed():
    """Sketches do not tell how columns vary together."""
    X = correlated(3)
    halfway = Preparation(COLUMNS, POLICIES, None, "whiten").fit_sketches(sketches_of([X]))

    with pytest.raises(ValueError, match="not fitted yet"):
        halfway.transform(X)


def test_threads_of_blas_change_no_bit():
    """Neither of what is learned nor of rows; a row alone has the same bits too."""
    X, found = correlated(4, 40_000), []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            found.append(fitted("whiten", X).transform(X))

    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(fitted("whiten", X).transform(X[7:8])[0], found[0][7])


@DECORRELATED
def test_what_only_the_map_sees_stays(how):
    """Its columns have their places and values still."""
    X = correlated(5)
    map_only = {"b": None}

    rows = fitted(how, X, map_only).transform(X)

    np.testing.assert_array_equal(rows[:, 1], X[:, 1])
    assert abs(np.corrcoef(rows[:, [0, 2]].T)[0, 1]) < 1e-9


def test_the_log_jacobian_is_that_of_the_whole_change():
    """It is the logarithm of the volume that a unit of prepared rows has in raw ones."""
    preparation = fitted("whiten", correlated(6))

    corners = preparation.inverse_transform(np.vstack((np.zeros(3), np.eye(3))))

    _, log_volume = np.linalg.slogdet(corners[1:] - corners[0])
    assert preparation.log_jacobian_ == pytest.approx(log_volume, rel=1e-9)


@DECORRELATED
def test_shares_of_columns_add_up(how):
    """Surprise and distances are told by the columns people know, and none is lost."""
    X = correlated(7)
    preparation = fitted(how, X)
    rows = preparation.transform(X)
    mixture = BayesianGaussianMixture(n_components=2, tol=1.0, random_state=0).fit(rows)
    release = Release("", {}, preparation, None, None, mixture, None, None)

    shares = release.surprise(rows[:9]).sum(axis=1) + np.log(preparation.scale_).sum()

    np.testing.assert_allclose(shares, -release.log_likelihood(rows[:9]), rtol=1e-6)
    apart = rows[:9] - rows[9:18]
    told = preparation.by_column(apart)
    np.testing.assert_allclose((told**2).sum(axis=1), (apart**2).sum(axis=1), rtol=1e-9)


def test_surprise_points_to_the_column_that_is_odd():
    """A component is no column: the strange value's own column has the largest share."""
    X = correlated(8)
    preparation = fitted("whiten", X)
    mixture = BayesianGaussianMixture(n_components=1, random_state=0).fit(preparation.transform(X))
    release = SimpleNamespace(preparation=preparation, mixture=mixture, measured=lambda rows: rows)
    strange = np.median(X, axis=0)[np.newaxis].copy()
    strange[0, 2] += 30 * X[:, 2].std()

    shares = Release.surprise(release, preparation.transform(strange))

    assert shares[0].argmax() == 2


def test_a_direction_without_variance_is_not_whitened():
    """Columns that tell the same are named; principal components take them."""
    X = correlated(9)
    X[:, 1] = 3 * X[:, 0] + 1

    with pytest.raises(DataError, match="columns a, b: to be whitened") as caught:
        fitted("whiten", X)

    assert "decorrelate to pca" in str(caught.value)
    assert np.isfinite(fitted("pca", X).transform(X)).all()


def test_constant_columns_are_not_whitened():
    """There is nothing to divide by."""
    with pytest.raises(DataError, match="columns c: to be whitened"):
        fitted("whiten", np.column_stack((correlated(0)[:, :2], np.full(500, 7.0))))


def test_an_unknown_way_is_refused():
    """The message names those there are."""
    with pytest.raises(ValueError, match="decorrelate must be one of"):
        fitted("zca", correlated(0))


@DECORRELATED
def test_a_saved_preparation_prepares_alike(how, tmp_path):
    """And equal ones have equal bytes."""
    X = correlated(10)
    for name in ("one.npz", "two.npz"):
        fitted(how, X).save(tmp_path / name)

    loaded = Preparation.load(tmp_path / "one.npz")

    np.testing.assert_array_equal(loaded.transform(X), fitted(how, X).transform(X))
    assert loaded.log_jacobian_ == fitted(how, X).log_jacobian_
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_without_decorrelation_the_file_is_as_before(tmp_path):
    """Releases keep their digests, and older files load."""
    X = correlated(11)
    fitted("none", X).save(tmp_path / "p.npz")

    params, arrays = load_state(tmp_path / "p.npz", "preparation")

    assert set(params["arguments"]) == {"columns", "missing"}
    assert set(arrays) == {"center", "fill", "scale"}
    assert Preparation.load(tmp_path / "p.npz").directions_ is None


@pytest.mark.parametrize(
    ("name", "change"),
    [("axes", lambda axes: axes * 2), ("lengths", lambda lengths: -lengths), ("mean", None)],
)
def test_a_file_of_impossible_directions_is_refused(tmp_path, name, change):
    """They would not lead back."""
    fitted("whiten", correlated(12)).save(tmp_path / "p.npz")
    params, arrays = load_state(tmp_path / "p.npz", "preparation")
    arrays = dict(arrays)
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    save_state(tmp_path / "p.npz", "preparation", params, arrays)

    with pytest.raises(ReleaseError, match=r"p.npz: must be a preparation file"):
        Preparation.load(tmp_path / "p.npz")
