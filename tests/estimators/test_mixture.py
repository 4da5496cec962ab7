"""The mixture: scikit-learn's results, more ways to bring rows, and files without pickles."""

from itertools import product

import numpy as np
import pytest
from scipy.special import digamma, logsumexp
from sklearn.base import clone
from sklearn.mixture import BayesianGaussianMixture as Peer

from modemap.errors import ReleaseError
from modemap.estimators import BayesianGaussianMixture
from modemap.estimators.expectation import log_totals
from modemap.estimators.state import load_state, save_state
from modemap.sketch import ColumnSketch

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KIND = "bayesian_gaussian_mixture"
KINDS = list(
    product(("full", "tied", "diag", "spherical"), ("dirichlet_process", "dirichlet_distribution"))
)

FEW_ROWS = ("k-means++", "random_from_data")  # starts of one row for each component
SAME_STARTS = [
    pytest.param(kind, init_params, id=" ".join((*kind, init_params)))
    for kind, init_params in product(KINDS, ("kmeans", "random", *FEW_ROWS))
    if kind[0] != "tied" or init_params not in FEW_ROWS  # see the test of the origin
]


@pytest.fixture(name="X")
def rows():
    """Return two groups in three columns."""
    rng = np.random.default_rng(0)
    return np.concatenate((rng.normal(0, 1, (80, 3)), rng.normal(6, 2, (50, 3))))


def fitted_like_the_peer(X, **arguments):
    """Return scikit-learn's mixture and ours after the same start."""
    arguments = {"n_components": 4, "random_state": 0} | arguments
    return [kind(**arguments).fit(X) for kind in (Peer, BayesianGaussianMixture)]


@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize(("kind", "init_params"), SAME_STARTS)
def test_it_agrees_with_scikit_learn(X, n_features, kind, init_params):
    """Every parameter, in the order of the components; the start is the same."""
    arguments = {"covariance_type": kind[0], "weight_concentration_prior_type": kind[1]}

    theirs, ours = fitted_like_the_peer(X[:, :n_features], init_params=init_params, **arguments)

    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    for name in vars(theirs):
        if name.endswith("_") and name != "feature_names_in_":
            expected = np.asarray(getattr(theirs, name))
            found = np.asarray(getattr(ours, name))
            if name not in {"lower_bound_", "lower_bounds_"}:  # of shape (1,) there where tied
                assert found.shape == expected.shape, name
            found, expected = found.ravel(), expected.ravel()
            scale = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale, err_msg=name)
    np.testing.assert_allclose(
        ours.score_samples(X[:, :n_features]), theirs.score_samples(X[:, :n_features]), atol=1e-9
    )
    np.testing.assert_array_equal(
        ours.predict(X[:, :n_features]), theirs.predict(X[:, :n_features])
    )


@pytest.mark.parametrize("init_params", FEW_ROWS)
def test_a_tied_start_from_few_rows_does_not_depend_on_the_origin(X, init_params):
    """Ours is the same fit wherever zero lies; scikit-learn's is not, so they cannot agree.

    Its first tied covariance counts the squares of all rows, but the means of those few alone.
    """
    arguments = {"covariance_type": "tied", "init_params": init_params, "max_iter": 1}

    near, far = (fitted_like_the_peer(rows, **arguments) for rows in (X, X + 1000.0))

    for (theirs, moved), is_same in zip(zip(near, far, strict=True), (False, True), strict=True):
        assert np.allclose(moved.covariances_, theirs.covariances_, rtol=1e-6) == is_same
    np.testing.assert_allclose(near[1].means_, far[1].means_ - 1000.0, atol=1e-6)


def test_it_has_all_that_scikit_learns_has():
    """Arguments with their defaults, and public methods."""
    ours, theirs = BayesianGaussianMixture(), Peer()

    assert theirs.get_params().items() <= ours.get_params().items()
    assert {name for name in dir(theirs) if not name.startswith("_")} <= set(dir(ours))


@pytest.mark.parametrize("n_features", [2, 9])
def test_the_compiled_pass_agrees_with_scikit_learn(n_features):
    """Also on so many rows that the pass is compiled, with weights in single precision."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(9000, n_features)) + rng.integers(0, 3, 9000)[:, None] * 3

    theirs, ours = fitted_like_the_peer(X, max_iter=10)

    np.testing.assert_allclose(ours.means_, theirs.means_, atol=1e-9)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, atol=1e-9)
    single = BayesianGaussianMixture(n_components=4, random_state=0, max_iter=10).fit(
        X.astype(np.float32)
    )
    np.testing.assert_allclose(single.means_, ours.means_, atol=1e-3)


@pytest.mark.parametrize("n_features", [1, 2])
def test_single_precision_far_from_zero_is_fitted_as_double(n_features):
    """No variance is negative: the fit is that of the same numbers in double precision."""
    X = (1e6 + np.random.default_rng(2).normal(size=(9000, n_features))).astype(np.float32)

    single, double = (
        BayesianGaussianMixture(n_components=2, random_state=0, max_iter=5).fit(rows)
        for rows in (X, X.astype(np.float64))
    )

    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-12)
    np.testing.assert_allclose(single.covariances_, double.covariances_, rtol=1e-6)
    assert (np.diagonal(single.covariances_, axis1=1, axis2=2) > 0).all()


def variational_fit(x, resp, n_iter):
    """Return means and variances of scikit-learn's algorithm on the rows of one column."""
    prior_mean, prior_variance, prior_weight = x.mean(), x.var(ddof=1), 1 / resp.shape[1]
    for step in range(n_iter + 1):
        n = resp.sum(axis=0)
        centers = resp.T @ x / n
        scatters = (resp * (x[:, None] - centers) ** 2).sum(axis=0) + n * 1e-6
        means = (prior_mean + n * centers) / (1 + n)
        pull = n / (1 + n) * (centers - prior_mean) ** 2
        variances = (prior_variance + scatters + pull) / (1 + n)
        if step == n_iter:
            return means, variances
        above, below = 1 + n, prior_weight + np.append(np.cumsum(n[::-1])[-2::-1], 0.0)
        both = digamma(above + below)
        scores = digamma(above) - both + np.append(0.0, np.cumsum(digamma(below) - both)[:-1])
        scores = scores + 0.5 * (digamma(0.5 * (1 + n)) - np.log(0.5 * (1 + n)) - 1 / (1 + n))
        scores = scores - 0.5 * (np.log(variances) + (x[:, None] - means) ** 2 / variances)
        resp = np.exp(scores - scores.max(axis=1, keepdims=True))
        resp /= resp.sum(axis=1, keepdims=True)
    raise AssertionError


@pytest.mark.parametrize("offset", [0.0, 1.7e9], ids=["centered", "epoch seconds"])
def test_a_binned_column_agrees_with_its_rows(offset):
    """What is fitted to the bins of 200,000 distinct values is what is fitted to the rows.

    By the same algorithm from the same start. Measured, centered and far from zero: means differ
    by 8e-10 and 3e-10 of a standard deviation, variances by 7e-9 and 5e-8 of themselves.
    """
    rng = np.random.default_rng(2)
    X = offset + np.concatenate((rng.normal(0, 50, 120_000), rng.normal(900, 200, 80_000)))
    labels = (offset + 400 < X).astype(int)
    arguments = {"n_components": 2, "init_params": labels, "max_iter": 30, "tol": 0.0}

    ours = BayesianGaussianMixture(**arguments).fit(X[:, None])

    assert not ColumnSketch().update(X).is_exact
    center = X.mean()
    means, variances = variational_fit(X - center, np.eye(2)[labels], 30)
    errors = (ours.means_.ravel() - center - means) / np.sqrt(variances)
    assert np.abs(errors).max() < 1e-8
    np.testing.assert_allclose(ours.covariances_.ravel(), variances, rtol=5e-7)


@pytest.mark.parametrize("n_features", [1, 3])
def test_whole_weights_are_repeated_rows(X, n_features):
    """A weight of 0 takes a row out, a weight of 2 counts it twice."""
    X, weights = X[:, :n_features], np.random.default_rng(3).integers(0, 4, len(X))

    weighted, repeated = (
        BayesianGaussianMixture(n_components=3, random_state=0).fit(*arguments)
        for arguments in ((X, None, weights), (np.repeat(X, weights, axis=0),))
    )

    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-9)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, atol=1e-9)


def test_weights_may_be_fractions(X):
    """Halves of all rows twice are the rows."""
    halves = BayesianGaussianMixture(n_components=2, random_state=0).fit(
        np.repeat(X, 2, axis=0), sample_weight=np.full(2 * len(X), 0.5)
    )

    whole = BayesianGaussianMixture(n_components=2, random_state=0).fit(X)

    order, other = np.argsort(halves.means_[:, 0]), np.argsort(whole.means_[:, 0])
    np.testing.assert_allclose(halves.means_[order], whole.means_[other], atol=1e-2)


def test_a_column_may_come_in_parts_in_batches_or_as_a_sketch(X):
    """All are the fit of the rows at once, in every bit."""
    x = np.round(np.tile(X[:, :1], (150, 1)) + np.linspace(0, 1, 150 * len(X))[:, None], 2)
    model = BayesianGaussianMixture(n_components=3, random_state=0)
    whole = model.fit(x).means_

    class Parts:
        def batches(self):
            yield from np.array_split(x, 7)

    parts = BayesianGaussianMixture(n_components=3, random_state=0)
    for part in np.array_split(x, 5):
        parts.partial_fit(part)

    np.testing.assert_array_equal(parts.means_, whole)
    np.testing.assert_array_equal(model.fit(Parts()).means_, whole)
    np.testing.assert_array_equal(model.fit(ColumnSketch().update(x[:, 0])).means_, whole)
    first = parts.weights_
    assert not np.array_equal(parts.partial_fit(x[:500]).weights_, first)


def test_rows_may_come_in_batches(X):
    """The fit is that of the rows at once."""

    class Parts:
        def batches(self):
            yield from np.array_split(X, 4)

    class Nothing:
        def batches(self):
            return []

    model = BayesianGaussianMixture(n_components=3, random_state=0)

    np.testing.assert_allclose(model.fit(Parts()).means_, model.fit(X).means_, atol=1e-9)
    with pytest.raises(ValueError, match="a batch with a row, got none"):
        model.fit(Nothing())


def test_steps_on_batches_come_near_the_fit():
    """Stepwise updates of several columns find both groups."""
    rng = np.random.default_rng(4)
    X = rng.permutation(
        np.concatenate((rng.normal(0, 1, (5000, 2)), rng.normal([8, 4], 2, (5000, 2))))
    )
    model = BayesianGaussianMixture(n_components=2, random_state=0)

    for part in np.array_split(X, 20):
        model.partial_fit(part)

    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order], [[0, 0], [8, 4]], atol=0.15)
    np.testing.assert_allclose(model.weights_, [0.5, 0.5], atol=0.05)


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_the_bound_never_falls_with_missing_values(X, kind):
    """What is missing is expected from what is observed; the density is of the observed."""
    rng = np.random.default_rng(5)
    X = np.where(rng.uniform(size=X.shape) < 0.2, np.nan, X)
    mixture = BayesianGaussianMixture(
        n_components=2,
        random_state=0,
        reg_covar=0.0,
        covariance_type=kind[0],
        weight_concentration_prior_type=kind[1],
    ).fit(X)

    bounds = np.array(mixture.lower_bounds_)

    assert (np.diff(bounds) > -1e-9 * np.abs(bounds[:-1])).all()
    assert np.isfinite(mixture.score_samples(X)).all()
    assert mixture.score_samples(np.full((1, 3), np.nan)) == pytest.approx(0.0)


def test_missing_values_move_the_fit_little():
    """A tenth missing at random leaves the groups where they are."""
    rng = np.random.default_rng(6)
    X = np.concatenate((rng.normal(0, 1, (6000, 3)), rng.normal(6, 2, (6000, 3))))
    holes = np.where(rng.uniform(size=X.shape) < 0.1, np.nan, X)
    fits = [
        BayesianGaussianMixture(n_components=2, random_state=0).fit(rows) for rows in (X, holes)
    ]

    whole, broken = (fit.means_[np.argsort(fit.means_[:, 0])] for fit in fits)

    np.testing.assert_allclose(broken, whole, atol=0.1)


def test_threads_change_no_bit():
    """Chunks and the order of their sums are fixed."""
    X = np.random.default_rng(7).normal(size=(60_000, 4))
    one, two = (
        BayesianGaussianMixture(n_components=3, random_state=0, max_iter=5, n_jobs=n).fit(X)
        for n in (1, 2)
    )

    np.testing.assert_array_equal(one.covariances_, two.covariances_)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_components", [1, 2, 3, 10, 40])
def test_totals_of_scores_are_those_of_scipy(n_components):
    """To the bit: where several are largest, none has a probability, or all are huge."""
    rng = np.random.default_rng(n_components)
    scores = rng.normal(size=(100, n_components)) * 10.0 ** rng.integers(0, 6, (100, 1))
    scores[::3] = scores[::3, :1]
    scores[1::7, -1] = -np.inf
    scores[2] = -np.inf

    np.testing.assert_array_equal(log_totals(scores), logsumexp(scores, axis=1))


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_a_row_has_the_same_density_alone_and_among_others(X, covariance_type):
    """Down to the last bit."""
    kind = {"covariance_type": covariance_type, "random_state": 0}
    mixture = BayesianGaussianMixture(n_components=3, **kind).fit(X)

    alone = [mixture.score_samples(row[np.newaxis])[0] for row in X]

    np.testing.assert_array_equal(mixture.score_samples(X), alone)


@pytest.mark.parametrize("n_features", [1, 2])
def test_the_number_of_components_is_found(n_features):
    """Three groups far apart are three components."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(2000, n_features)) + 9.0 * rng.integers(0, 3, 2000)[:, None]

    mixture = BayesianGaussianMixture(n_components="auto", random_state=0).fit(X)

    assert mixture.n_components_ == 3
    assert len(mixture.weights_) == 3


def test_a_tolerance_per_row_converges():
    """scikit-learn's, of the whole bound, asks for more iterations the more rows there are."""
    X = np.random.default_rng(9).normal(size=(50_000, 1)).round(2)
    arguments = {"n_components": 3, "random_state": 0, "max_iter": 300, "tol": 1e-4}

    whole, row = (
        BayesianGaussianMixture(tol_per_row=flag, **arguments).fit(X) for flag in (False, True)
    )

    assert row.converged_
    assert row.n_iter_ < whole.n_iter_


def test_the_plug_in_density_integrates_to_one(X):
    """The expected one, scikit-learn's, to a little less."""
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(X[:, :1])
    grid = np.linspace(-60, 80, 40_001)[:, None]

    areas = [
        np.trapezoid(np.exp(density(grid)), grid[:, 0])
        for density in (mixture.log_density, mixture.score_samples)
    ]

    assert areas[0] == pytest.approx(1.0, abs=1e-9)
    assert 0.9 < areas[1] < 1.0


@pytest.mark.parametrize(
    ("X", "n_components"),
    [
        (np.full((50, 1), 7.0), 3),
        (np.repeat([[0.0], [1.0]], 30, axis=0), 2),
        (np.full((50, 2), 7.0), 1),
        (np.array([[1e150], [-1e150], [0.0]]), 2),
    ],
    ids=["constant", "two values", "constant rows", "huge"],
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_no_variance_is_negative_and_no_parameter_nan(X, n_components):
    """Whatever the column."""
    mixture = BayesianGaussianMixture(n_components=n_components, random_state=0).fit(X)

    for name in ("means_", "covariances_", "weights_"):
        assert np.isfinite(getattr(mixture, name)).all()
    assert (np.diagonal(mixture.covariances_, axis1=1, axis2=2) > 0).all()


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        ([[1.0], [2.0], [3.0]], {"n_components": 10}, "Expected n_samples >= n_components"),
        ([[np.nan], [np.nan]], {}, "X must hold a value that is not missing"),
        ([[np.nan, 1.0]] * 3, {}, "each column of X must hold a value, got none in column 0"),
        ([[1.0], [np.inf]], {}, "infinity"),
        ([["a"], ["b"]], {}, "could not convert string"),
        ([[1.0], [2.0]], {"n_components": 0}, "n_components must be an integer >= 1"),
        ([[1.0], [2.0]], {"covariance_type": "round"}, "covariance_type must be one of"),
        ([[1.0], [2.0]], {"init_params": "best"}, "init_params must be one of"),
        ([[1.0], [2.0]], {"init_params": [0, 5]}, "init_params must be labels below 1"),
        ([[1.0], [2.0]], {"mean_prior": [0, 0]}, r"mean_prior must .* shape \(1,\)"),
        ([[1.0], [2.0]], {"covariance_prior": [[-1.0]]}, "covariance_prior must be positive"),
        ([[1.0], [2.0]], {"tol": -1}, "tol must be a number >= 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(X, arguments, message):
    """The message names the rule and the value."""
    with pytest.raises(ValueError, match=message):
        BayesianGaussianMixture(**arguments).fit(X)


TOO_LARGE = r"X must lie between -1e\+150 and 1e\+150, got 1e\+300 in size"


class Halves:
    """Rows in two batches."""

    def __init__(self, X):
        self.X = X

    def batches(self):
        """Return the batches."""
        return np.array_split(self.X, 2)


@pytest.mark.parametrize("n_features", [1, 2])
@pytest.mark.parametrize("value", [1e300, -1e300])
def test_values_whose_squares_overflow_are_refused(X, n_features, value):
    """However they are given, and where a fitted mixture is asked about them."""
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(X[:, :n_features])
    huge = X[:, :n_features].copy()
    huge[-1, -1] = value
    batch = np.vstack((huge, huge))
    weights = np.linspace(0.5, 1.5, len(huge))

    for fit in (
        lambda: clone(mixture).fit(huge),
        lambda: clone(mixture).fit(huge, sample_weight=weights),
        lambda: clone(mixture).fit(huge, sample_weight=np.ones(len(huge))),
        lambda: clone(mixture).fit(Halves(huge)),
        lambda: clone(mixture).set_params(n_components="auto").fit(huge),
        lambda: clone(mixture).partial_fit(huge).means_,
        lambda: mixture.score_samples(huge),
        lambda: mixture.score_samples(huge[-1:]),
        lambda: mixture.score(batch),
        lambda: mixture.log_density(huge),
        lambda: mixture.predict(huge),
        lambda: mixture.predict_proba(huge),
    ):
        with pytest.raises(ValueError, match=TOO_LARGE):
            fit()


def test_a_sketch_of_values_whose_squares_overflow_is_refused():
    """By the least and the greatest value, which it keeps."""
    sketch = ColumnSketch().update(np.array([0.0, 1.0, 1e300]))

    with pytest.raises(ValueError, match=TOO_LARGE):
        BayesianGaussianMixture().fit(sketch)


def test_a_batch_that_is_refused_leaves_no_trace(X):
    """What was added before is still fitted."""
    mixture = BayesianGaussianMixture(random_state=0).partial_fit(X[:, :1])
    with pytest.raises(ValueError, match=TOO_LARGE):
        mixture.partial_fit([[1e300], [0.0]])

    expected = BayesianGaussianMixture(random_state=0).fit(X[:, :1])

    np.testing.assert_array_equal(mixture.means_, expected.means_)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean_prior": [1e300, 0.0]}, "the lower bound must be finite, got nan: scale"),
        ({"reg_covar": 1e308}, "the lower bound must be finite, got"),
        ({"mean_prior": [1e300, 0.0], "max_iter": 0}, "covariances must be finite"),
    ],
)
def test_a_fit_that_comes_to_no_numbers_is_refused(X, arguments, message):
    """Instead of a mixture of NaN."""
    with pytest.raises(ValueError, match=message):
        BayesianGaussianMixture(random_state=0, **arguments).fit(X[:, :2])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_overflow_with_the_values_are_refused(X):
    """Although neither does alone."""
    with pytest.raises(ValueError, match=r"(lower bound|covariances) must be finite"):
        BayesianGaussianMixture(random_state=0).fit(
            X[:, :2] * 1e140, sample_weight=np.full(len(X), 1e140)
        )
    with pytest.raises(ValueError, match=r"sample_weight must lie between .* got 1e\+300"):
        BayesianGaussianMixture(random_state=0).fit(X, sample_weight=np.full(len(X), 1e300))


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [0.0, 0.0], [1.0]])
def test_weights_that_are_none_are_refused(weights):
    """Negative, all zero, or of another length."""
    with pytest.raises(ValueError, match="sample_weight must"):
        BayesianGaussianMixture().fit([[1.0], [2.0]], sample_weight=weights)


def test_the_lower_bound_never_falls(X):
    """There is one for each iteration of the best start."""
    mixture = BayesianGaussianMixture(n_components=3, n_init=3, random_state=0).fit(X)

    assert len(mixture.lower_bounds_) == mixture.n_iter_ > 2
    assert mixture.lower_bounds_[-1] == mixture.lower_bound_
    assert (np.diff(mixture.lower_bounds_) > -1e-9).all()


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("options", [{}, {"n_components": 1}, {"max_iter": 0}], ids=str)
def test_every_kind_of_mixture_is_saved(X, tmp_path, kind, n_features, options):
    """A reloaded one answers the same in every bit, and goes on from where it was."""
    arguments = {"n_components": 3, "max_iter": 4, "random_state": 0} | options
    mixture = BayesianGaussianMixture(
        covariance_type=kind[0], weight_concentration_prior_type=kind[1], **arguments
    ).fit(X[:, :n_features])
    mixture.save(tmp_path / "m.npz")

    reloaded = BayesianGaussianMixture.load(tmp_path / "m.npz")

    for method in ("score_samples", "predict_proba", "predict"):
        np.testing.assert_array_equal(
            getattr(reloaded, method)(X[:, :n_features]),
            getattr(mixture, method)(X[:, :n_features]),
        )
    further = [
        model.set_params(warm_start=True, max_iter=2).fit(X[:, :n_features]).lower_bound_
        for model in (mixture, reloaded)
    ]
    np.testing.assert_array_equal(*further)


def test_priors_given_as_arrays_are_saved(X, tmp_path):
    """They come back as the arguments they were."""
    mixture = BayesianGaussianMixture(
        mean_prior=np.zeros(3), covariance_prior=np.eye(3), weight_concentration_prior=np.float64(2)
    ).fit(X)
    mixture.save(tmp_path / "m.npz")

    reloaded = BayesianGaussianMixture.load(tmp_path / "m.npz")

    assert reloaded.mean_prior == [0.0, 0.0, 0.0]
    np.testing.assert_array_equal(reloaded.fit(X).means_, mixture.means_)


@pytest.mark.parametrize("part", ["arguments", "learned"])
def test_a_file_whose_parts_disagree_is_refused(X, tmp_path, part):
    """Arrays must have the shapes that arguments and learned numbers ask for."""
    path = tmp_path / "m.npz"
    BayesianGaussianMixture(n_components=2, random_state=0).fit(X).save(path)
    params, arrays = load_state(path, KIND)
    params[part] |= {"n_components": 5} if part == "arguments" else {"n_iter": 1}
    save_state(path, KIND, params, arrays)

    with pytest.raises(ReleaseError, match="instead of"):
        BayesianGaussianMixture.load(path)


def test_a_file_with_an_array_too_many_is_refused(X, tmp_path):
    """What is not known is not ignored."""
    path = tmp_path / "m.npz"
    BayesianGaussianMixture(n_components=2, random_state=0).fit(X).save(path)
    params, arrays = load_state(path, KIND)
    save_state(path, KIND, params, arrays | {"more": np.zeros(1)})

    with pytest.raises(ReleaseError, match=r"'more'.* instead of"):
        BayesianGaussianMixture.load(path)


@pytest.mark.parametrize("change", ["arguments", "feature_names", "learned", "n_features", "more"])
def test_a_file_with_other_params_is_refused(X, tmp_path, change):
    """Nothing is guessed."""
    path = tmp_path / "m.npz"
    BayesianGaussianMixture(n_components=2, random_state=0).fit(X).save(path)
    params, arrays = load_state(path, KIND)
    params[change] = {"unknown": 1}
    save_state(path, KIND, params, arrays)

    with pytest.raises(ReleaseError, match=r"m.npz: must be a bayesian_gaussian_mixture file"):
        BayesianGaussianMixture.load(path)
