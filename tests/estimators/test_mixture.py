"""The joint mixture: scikit-learn's results, and files without pickles."""

from itertools import product

import numpy as np
import pytest
from sklearn.mixture import BayesianGaussianMixture as Peer

from modemap.errors import ReleaseError
from modemap.estimators import BayesianGaussianMixture
from modemap.estimators.state import load_state, save_state

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KIND = "bayesian_gaussian_mixture"
KINDS = list(
    product(("full", "tied", "diag", "spherical"), ("dirichlet_process", "dirichlet_distribution"))
)


@pytest.fixture(name="X")
def rows():
    """Return two groups in three columns."""
    rng = np.random.default_rng(0)
    return np.concatenate((rng.normal(0, 1, (80, 3)), rng.normal(6, 2, (50, 3))))


def test_it_is_scikit_learns_mixture(X):
    """Nothing but saving and loading is added."""
    ours, theirs = (
        kind(n_components=4, random_state=0).fit(X) for kind in (BayesianGaussianMixture, Peer)
    )

    np.testing.assert_array_equal(ours.score_samples(X), theirs.score_samples(X))
    assert set(ours.get_params()) == set(theirs.get_params())


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
