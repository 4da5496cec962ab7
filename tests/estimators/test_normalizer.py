"""The laws of the mode normaliser, its round trip above all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from modemap.errors import ReleaseError
from modemap.estimators import ModeNormalizer
from modemap.estimators.encoding import learned_decimals
from modemap.estimators.state import load_state, save_state


@pytest.fixture(name="X")
def rows():
    """Return whole minutes with a tail, dollars and cents, and a column without decimals."""
    rng = np.random.default_rng(0)
    minutes = np.round(rng.lognormal(3, 1, 1500)) - 10
    cents = np.round(np.where(rng.uniform(size=1500) < 0.3, 20, 1e3) + rng.normal(size=1500), 2)
    return np.column_stack((minutes, cents, minutes / 7.0))


@pytest.fixture
def normalizer(X):
    """Return a fitted normaliser of three columns."""
    return ModeNormalizer(random_state=0).fit(X)


def test_an_encoding_gives_the_rows_back(X, normalizer):
    """Decimals come back exactly, other values to rounding."""
    restored = normalizer.inverse_transform(normalizer.encode(X))

    np.testing.assert_array_equal(restored[:, :2], X[:, :2])
    np.testing.assert_allclose(restored[:, 2], X[:, 2], rtol=0, atol=1e-13 * np.ptp(X[:, 2]))


def test_values_far_outside_come_back_from_an_encoding(X, normalizer):
    """What clipping would lose is kept beside it."""
    far = X[:3] + np.array([[1e6], [-1e6], [0.0]])

    encoding = normalizer.encode(far)

    np.testing.assert_array_equal(normalizer.inverse_transform(encoding)[:2], far[:2])
    assert np.abs(encoding.values).max() == 0.99
    assert {(0, 0), (1, 0), (0, 1), (1, 1)} <= set(
        zip(encoding.kept_rows.tolist(), encoding.kept_columns.tolist(), strict=True)
    )


def test_decimals_the_column_never_had_come_back(X, normalizer):
    """A value that rounding would change is kept as it is."""
    odd = X[:2] + np.array([[0.125], [0.0]])

    np.testing.assert_array_equal(
        normalizer.inverse_transform(normalizer.encode(odd))[:, 0], odd[:, 0]
    )


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.int64, st.integers(1, 40), elements=st.integers(-(10**12), 10**12)),
    st.integers(0, 6),
    st.integers(1, 8),
)
def test_integers_and_decimals_come_back_exactly(whole, decimals, n_components):
    """Whatever the numbers and their modes, each comes back in every bit."""
    X = (whole / 10.0**decimals).reshape(-1, 1)
    normalizer = ModeNormalizer(n_components, max_iter=5, random_state=0).fit(X[: len(X) // 2 + 1])

    np.testing.assert_array_equal(normalizer.inverse_transform(normalizer.encode(X)), X)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e9, 1e9)))
def test_any_values_come_back_to_rounding(x):
    """The error is of the size of the column's rounding, never of its modes."""
    X = x.reshape(-1, 1)
    normalizer = ModeNormalizer(4, max_iter=5, random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    np.testing.assert_allclose(restored, X, rtol=0, atol=1e-14 * max(1.0, np.abs(x).max()))


def test_the_mode_is_the_most_probable_one(X, normalizer):
    """It has the largest weighted density at the value."""
    encoding = normalizer.encode(X)

    for j, modes in enumerate(normalizer.modes()):
        weight, mean, std = (np.array([m[key] for m in modes]) for key in ("weight", "mean", "std"))
        densities = weight * norm.pdf(X[:, j, None], mean, std)
        chosen = np.take_along_axis(densities, encoding.modes[:, j, None].astype(int), axis=1)
        np.testing.assert_allclose(chosen[:, 0], densities.max(axis=1))


def test_the_value_is_the_place_within_the_mode(X, normalizer):
    """It is measured in four standard deviations from the mean, and clipped."""
    encoding = normalizer.encode(X)

    for j, modes in enumerate(normalizer.modes()):
        mean, std = (np.array([m[key] for m in modes]) for key in ("mean", "std"))
        mode = encoding.modes[:, j]
        expected = (X[:, j] - mean[mode]) / (4 * std[mode])
        np.testing.assert_allclose(encoding.values[:, j], np.clip(expected, -0.99, 0.99))


def test_the_dense_form_holds_value_and_mode_side_by_side(X, normalizer):
    """It is the encoding without what was kept."""
    encoding, dense = normalizer.encode(X), normalizer.transform(X)

    np.testing.assert_array_equal(dense[:, ::2], encoding.values)
    np.testing.assert_array_equal(dense[:, 1::2], encoding.modes)


def test_the_dense_form_gives_unclipped_values_back(X, normalizer):
    """Only clipped rows differ, by as far as they lay outside."""
    restored = normalizer.inverse_transform(normalizer.transform(X))

    encoding = normalizer.encode(X)
    is_kept = np.zeros(X.shape, dtype=bool)
    is_kept[encoding.kept_rows, encoding.kept_columns] = True
    np.testing.assert_array_equal(restored[:, :2][~is_kept[:, :2]], X[:, :2][~is_kept[:, :2]])


def test_modes_below_the_threshold_take_no_values(X):
    """A mode is listed only if it is heavy enough."""
    normalizer = ModeNormalizer(random_state=0, weight_threshold=0.1).fit(X)

    assert all(mode["weight"] > 0.1 for column in normalizer.modes() for mode in column)


def test_the_heaviest_mode_always_takes_values(X):
    """A threshold that no mode reaches leaves one."""
    normalizer = ModeNormalizer(random_state=0, weight_threshold=0.999).fit(X)

    assert [len(column) for column in normalizer.modes()] == [1, 1, 1]


def test_densities_integrate_to_the_distribution(normalizer):
    """Between two values the area under the density is the rise of the distribution."""
    for j in range(3):

        def density(x, j=j):
            return np.exp(normalizer.score_samples_columns(np.full((1, 3), x))[0, j])

        area, _ = quad(density, 5.0, 40.0, limit=200, points=[20.0])
        low, high = normalizer.cdf_columns([[5.0] * 3, [40.0] * 3])[:, j]
        assert area == pytest.approx(high - low, abs=1e-6)


def test_distributions_rise_from_zero_to_one(normalizer):
    """They never leave the range."""
    shares = normalizer.cdf_columns(np.repeat(np.linspace(-1e9, 1e9, 101)[:, None], 3, axis=1))

    assert (np.diff(shares, axis=0) >= 0).all()
    assert shares[0].tolist() == [0.0] * 3
    assert shares[-1].tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("column", "decimals"),
    [
        ([1.0, -20.0, 1e15], 0),
        ([0.1, 2.0], 1),
        ([19.99, 5.0], 2),
        ([1 / 3], None),
        ([1e150], 0),
        ([1e-15], 15),
        ([1e-16], None),
    ],
)
def test_the_fewest_decimals_are_learned(column, decimals):
    """As many as write every value exactly."""
    assert learned_decimals(np.array(column)) == decimals


@pytest.mark.parametrize(
    "column",
    [[7.0], [0.1] * 30, [0.0, 1.0] * 9, [1e150, -1e150], [5e-324, 0.0], [0.0] * 99 + [1e6]],
    ids=["one row", "constant", "two values", "huge", "tiny", "outlier"],
)
def test_degenerate_columns_come_back(column):
    """Whatever the column, encoding and densities work."""
    X = np.array(column).reshape(-1, 1)
    normalizer = ModeNormalizer(random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    np.testing.assert_allclose(restored, X, rtol=0, atol=1e-14 * max(1.0, np.abs(X).max()))
    assert np.isfinite(normalizer.score_samples_columns(X)).all()
    assert np.isfinite(normalizer.cdf_columns(X)).all()


def test_a_changed_argument_does_not_change_a_fitted_normalizer(X, normalizer, tmp_path):
    """The threshold is the one that was fitted, in memory and in the file."""
    before = normalizer.transform(X)

    normalizer.set_params(weight_threshold=0.5).save(tmp_path / "n.npz")

    np.testing.assert_array_equal(normalizer.transform(X), before)
    np.testing.assert_array_equal(ModeNormalizer.load(tmp_path / "n.npz").transform(X), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_components": 0}, "n_components must be an integer from 1 to 254, got 0"),
        ({"n_components": 255}, "n_components must be an integer from 1 to 254, got 255"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0"),
        ({"weight_threshold": 1.0}, "weight_threshold must be a number >= 0 and < 1, got 1.0"),
        ({"weight_threshold": None}, "weight_threshold must be a number .*, got None"),
    ],
)
def test_wrong_arguments_are_refused_by_fit(X, arguments, message):
    """The message names the argument, its rule and the value."""
    with pytest.raises(ValueError, match=message):
        ModeNormalizer(**arguments).fit(X)


@pytest.mark.parametrize("method", ["fit", "encode", "score_samples_columns", "cdf_columns"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e151])
def test_missing_and_infinite_values_are_refused(X, method, value):
    """No method looks past them."""
    normalizer = ModeNormalizer(random_state=0, max_iter=2).fit(X)
    X = X.copy()
    X[3, 1] = value

    with pytest.raises(ValueError, match=r"NaN|infinity|X must lie between"):
        getattr(normalizer, method)(X)


@pytest.mark.parametrize(
    ("dense", "message"),
    [
        (np.zeros((2, 3)), "X must have 6 columns, value and mode of each, got 3"),
        (np.full((1, 6), 200.0), "modes in X must be integers >= 0 and below"),
        (np.full((1, 6), -1.0), "modes in X must be integers >= 0"),
        (np.full((1, 6), 0.5), "modes in X must be integers"),
    ],
)
def test_what_transform_does_not_make_is_refused(normalizer, dense, message):
    """The message says what the dense form looks like."""
    with pytest.raises(ValueError, match=message):
        normalizer.inverse_transform(dense)


def test_the_encoding_of_other_columns_is_refused(X, normalizer):
    """It belongs to another normaliser."""
    encoding = ModeNormalizer(random_state=0, max_iter=2).fit(X[:, :2]).encode(X[:, :2])

    with pytest.raises(ValueError, match="X must encode 3 columns, got 2"):
        normalizer.inverse_transform(encoding)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stds", 0.0, "stds"),
        ("stds", -1.0, "stds"),
        ("weights", -0.1, "weights"),
        ("means", np.nan, "means holds NaN"),
    ],
)
def test_a_file_with_impossible_numbers_is_refused(normalizer, tmp_path, name, value, message):
    """A mixture that no fit could have learned is not loaded."""
    path = tmp_path / "n.npz"
    normalizer.save(path)
    params, arrays = load_state(path, "mode_normalizer")
    arrays[name][0] = value
    save_state(path, "mode_normalizer", params, arrays)

    with pytest.raises(ReleaseError, match=message):
        ModeNormalizer.load(path)
