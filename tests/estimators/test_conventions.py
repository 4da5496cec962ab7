"""What all estimators have in common: scikit-learn's conventions and files that tell the truth."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from modemap.errors import ReleaseError
from modemap.estimators import (
    BayesianGaussianMixture,
    ModeNormalizer,
    Preparation,
    SelfOrganizingMap,
    SelfOrganizingMapClassifier,
    SelfOrganizingMapRegressor,
)

# This check skips itself unless SciPy's array API is switched on, which none of ours promises.
LEFT_OUT = {"check_array_api_input"}

# Integer weights equal repeated samples in batch training alone: online training presents them in
# an order of their own, as scikit-learn's estimators by stochastic gradient do.
BATCH_ONLY = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}

MODELS = {
    "map": partial(SelfOrganizingMap, 3, 4, init="sample", random_state=0),
    "mixture": partial(BayesianGaussianMixture, n_components=2, random_state=0),
    "normalizer": partial(ModeNormalizer, 3, random_state=0),
    "preparation": partial(Preparation, ["a", "b"], {"a": "drop", "b": "median"}),
}


ESTIMATORS = (
    SelfOrganizingMap(),
    SelfOrganizingMap(training="online", topology="hexagonal"),
    SelfOrganizingMapClassifier(),
    SelfOrganizingMapRegressor(),
    BayesianGaussianMixture(),
    ModeNormalizer(),
)


def conventions():
    """Yield every check of scikit-learn for every estimator."""
    for estimator in ESTIMATORS:
        for fitted, check in estimator_checks_generator(estimator):
            is_online = getattr(estimator, "training", "") == "online"
            left_out = LEFT_OUT | BATCH_ONLY if is_online else LEFT_OUT
            if check.func.__name__ not in left_out:
                kind = getattr(estimator, "training", "")
                name = f"{type(estimator).__name__}-{kind}-{check.func.__name__}"
                yield pytest.param(fitted, check, id=name)


def answers(model, X):
    """Return everything a model says about ``X``."""
    methods = (
        "cdf_columns", "distances", "fill", "kept", "predict", "predict_proba", "score_samples",
        "score_samples_columns", "transform",
    )  # fmt: skip
    return {name: getattr(model, name)(X) for name in methods if hasattr(model, name)}


@pytest.fixture(name="X")
def samples():
    """Return two columns, one with a decimal, in two groups."""
    rng = np.random.default_rng(0)
    groups = rng.normal([0, 0], [1, 5], (60, 2)), rng.normal([9, 50], [1, 5], (60, 2))
    return np.round(np.concatenate(groups), 1)


@pytest.fixture(params=MODELS)
def model(request, X):
    """Return each kind of fitted model in turn."""
    return MODELS[request.param]().fit(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check"), list(conventions()))
def test_estimators_keep_the_conventions(estimator, check):
    """Each check of scikit-learn passes."""
    check(estimator)


def test_a_reloaded_model_answers_the_same(model, X, tmp_path):
    """Not a bit differs in anything it says."""
    model.save(tmp_path / "model.npz")

    reloaded = type(model).load(tmp_path / "model.npz")

    for name, answer in answers(model, X).items():
        np.testing.assert_array_equal(answers(reloaded, X)[name], answer, err_msg=name)


def test_a_reloaded_model_has_all_attributes(model, tmp_path):
    """Whatever ``fit`` learned is there again."""
    model.save(tmp_path / "model.npz")

    reloaded = type(model).load(tmp_path / "model.npz")

    assert set(vars(reloaded)) == set(vars(model))


def test_equal_models_are_equal_bytes(model, X, tmp_path):
    """Fitting again and saving a reloaded model both give the same file."""
    model.save(tmp_path / "first.npz")
    type(model)(**model.get_params()).fit(X).save(tmp_path / "again.npz")
    type(model).load(tmp_path / "first.npz").save(tmp_path / "reloaded.npz")

    first = (tmp_path / "first.npz").read_bytes()

    assert (tmp_path / "again.npz").read_bytes() == first
    assert (tmp_path / "reloaded.npz").read_bytes() == first


def test_a_file_name_may_be_a_string(model, X, tmp_path):
    """A path need not be a ``Path``."""
    model.save(str(tmp_path / "model.npz"))

    assert answers(type(model).load(str(tmp_path / "model.npz")), X)


def test_the_names_of_features_are_kept(tmp_path):
    """A reloaded map still refuses columns in another order."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]})
    SelfOrganizingMap(2, 2).fit(frame).save(tmp_path / "model.npz")

    reloaded = SelfOrganizingMap.load(tmp_path / "model.npz")

    assert reloaded.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        reloaded.predict(frame[["b", "a"]])


def test_a_generator_is_no_part_of_the_file(X, tmp_path):
    """A map drawn by a generator is saved without it."""
    som = SelfOrganizingMap(2, 2, init="sample", random_state=np.random.RandomState(0)).fit(X)

    som.save(tmp_path / "model.npz")

    assert SelfOrganizingMap.load(tmp_path / "model.npz").random_state is None


def test_a_model_that_is_not_fitted_is_not_saved(tmp_path):
    """There is nothing to save yet."""
    for make in MODELS.values():
        with pytest.raises(ValueError, match="not fitted"):
            make().save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_the_file_of_another_model_is_refused(X, tmp_path):
    """A normaliser is no map."""
    MODELS["normalizer"]().fit(X).save(tmp_path / "model.npz")

    with pytest.raises(ReleaseError, match=r"model.npz: must be a self_organizing_map file"):
        SelfOrganizingMap.load(tmp_path / "model.npz")


def test_a_cut_file_is_refused(model, tmp_path):
    """Whatever part is missing, the file is named."""
    path = tmp_path / "model.npz"
    model.save(path)
    whole = path.read_bytes()

    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ReleaseError, match=r"model.npz"):
            type(model).load(path)


def test_a_changed_byte_is_refused_or_changes_nothing_but_zip_fields(model, X, tmp_path):
    """No single flipped byte gives another model that answers."""
    path = tmp_path / "model.npz"
    model.save(path)
    whole = path.read_bytes()
    expected = answers(model, X)

    for place in np.random.default_rng(0).integers(0, len(whole), size=200):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        path.write_bytes(changed)
        try:
            reloaded = type(model).load(path)
        except ReleaseError:
            continue
        for name, answer in answers(reloaded, X).items():
            np.testing.assert_array_equal(answer, expected[name], err_msg=f"byte {place}")


def test_a_pickle_is_refused(model, tmp_path):
    """A pickled model under the right name is not opened."""
    path = tmp_path / "model.npz"
    path.write_bytes(pickle.dumps(model))

    with pytest.raises(ReleaseError, match=r"model.npz"):
        type(model).load(path)


def test_a_missing_file_is_named(model, tmp_path):
    """The message says which file is not there."""
    with pytest.raises(ReleaseError, match=r"gone.npz: the model file must exist"):
        type(model).load(tmp_path / "gone.npz")
