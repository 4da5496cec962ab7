"""The laws of the mode normaliser, its round trip above all."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from modemap.errors import ReleaseError
from modemap.estimators import ModeNormalizer
from modemap.estimators.checks import SMALLEST
from modemap.estimators.encoding import TOLERANCE, learned_decimals
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
    """Decimals come back exactly, other values to 2**-40 of their size."""
    restored = normalizer.inverse_transform(normalizer.encode(X))

    np.testing.assert_array_equal(restored[:, :2], X[:, :2])
    np.testing.assert_allclose(restored[:, 2], X[:, 2], rtol=TOLERANCE, atol=0)


def test_values_far_outside_come_back_from_an_encoding(X, normalizer):
    """What clipping would lose is kept beside it."""
    far = X[:3] + np.array([[1e6], [-1e6], [0.0]])

    encoding = normalizer.encode(far)

    np.testing.assert_array_equal(normalizer.inverse_transform(encoding)[:2], far[:2])
    assert np.abs(encoding.values).max() == pytest.approx(0.99)
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
    st.sets(st.integers(1, 39)),
)
def test_integers_and_decimals_come_back_exactly(whole, decimals, n_components, missing):
    """Whatever the numbers and their modes, each comes back in every bit, and NaN as NaN."""
    X = (whole / 10.0**decimals).reshape(-1, 1)
    X[[row for row in missing if row < len(X)]] = np.nan
    normalizer = ModeNormalizer(n_components, max_iter=5, random_state=0).fit(X[: len(X) // 2 + 1])

    np.testing.assert_array_equal(normalizer.inverse_transform(normalizer.encode(X)), X)


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float64,
        st.integers(1, 40),
        elements=st.floats(-1e9, 1e9) | st.floats(-1, 1) | st.floats(-1e150, 1e150),
    ),
    st.sampled_from(["argmax", "sampled"]),
    st.sampled_from(["learn", None]),
)
def test_any_values_come_back_to_a_share_of_their_size(x, encoding, rounding):
    """However large others of the column are, the error is of the value's own last digits."""
    X = x.reshape(-1, 1)
    assume(not 0 < np.abs(X[: len(X) // 2 + 1]).max() < SMALLEST)
    normalizer = ModeNormalizer(
        4, max_iter=5, encoding=encoding, rounding=rounding, random_state=0
    ).fit(X[: len(X) // 2 + 1])

    restored = normalizer.inverse_transform(normalizer.encode(X))

    error = np.abs(restored - X)
    assert (error <= TOLERANCE * np.abs(X)).all()
    if normalizer.decimals_ != [None]:
        np.testing.assert_array_equal(restored, X)


@settings(deadline=None, max_examples=30)
@given(
    arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e9, 1e9, width=32)),
    st.sampled_from(["learn", None]),
)
def test_single_precision_comes_back_exactly(x, rounding):
    """What is kept of doubles is more than a single has."""
    X = x.reshape(-1, 1)
    normalizer = ModeNormalizer(4, max_iter=5, rounding=rounding, random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, X)


@pytest.mark.parametrize("outlier", [1e18, 1e30, 1e149])
@pytest.mark.parametrize("n_components", [1, 10])
def test_one_outlier_costs_the_other_values_nothing(outlier, n_components):
    """They are kept where its mode would swallow their digits."""
    X = np.random.default_rng(0).normal(size=(1000, 1))
    X[0] = outlier
    normalizer = ModeNormalizer(n_components, random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    np.testing.assert_allclose(restored, X, rtol=TOLERANCE, atol=0)
    assert np.mean(restored == X) > 0.99


def test_few_values_without_decimals_are_kept():
    """Those near zero alone: less than one in a thousand of a normal column."""
    X = np.random.default_rng(0).normal(size=(100_000, 1))
    X[7] = 1e-9
    normalizer = ModeNormalizer(random_state=0).fit(X)

    encoding = normalizer.encode(X)

    restored = normalizer.inverse_transform(encoding)
    assert normalizer.decimals_ == [None]
    assert 7 in encoding.kept_rows
    assert len(encoding.kept_rows) < len(X) / 1000
    assert 0.5 < np.mean(restored == X) < 1


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

    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense[:, ::2], encoding.values.astype(np.float32))
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
    [[7.0], [0.1] * 30, [0.0, 1.0] * 9, [1e150, -1e150], [5e-324, 1e-140], [0.0] * 99 + [1e6]],
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
@pytest.mark.parametrize("value", [np.inf, -1e151])
def test_missing_and_infinite_values_are_refused(X, method, value):
    """No method looks past them."""
    normalizer = ModeNormalizer(random_state=0, max_iter=2).fit(X)
    X = X.copy()
    X[3, 1] = value

    with pytest.raises(ValueError, match=r"NaN|infinity|X must lie between"):
        getattr(normalizer, method)(X)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e151])
def test_what_cannot_be_encoded_is_told_with_its_column(X, normalizer, value):
    """Infinity is no exception to the bounds."""
    X = X.copy()
    X[3, 1] = value

    with pytest.raises(ValueError, match=rf"-1e\+150 and 1e\+150, got {re.escape(str(value))} in"):
        normalizer.encode(X)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([np.nan, np.nan], "each column of X must hold a value, got none in column 0"),
        ([None, None], "each column of X must hold a value, got none in column 0"),
        ([1.0, np.inf], "values must be finite or NaN, got inf in row 1"),
        ([1.0, 1e151], r"X must lie between .* got 1e\+151 in size"),
        ([0.0, -1e-151], "column 0 of X must hold a value of 1e-150 or more .* got 1e-151"),
        (["1.5", "a"], "column c must hold numbers"),
        ([], "X must have at least one row and one column, got none"),
    ],
)
def test_columns_without_modes_are_refused(column, message):
    """All missing, infinite, text, or no rows at all."""
    with pytest.raises(ValueError, match=message):
        ModeNormalizer().fit(pd.DataFrame({"c": column}))


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


def test_modes_come_by_mass_with_their_intervals(X, normalizer):
    """Intervals cover the line once; examples lie where their mode wins."""
    encoding = normalizer.encode(X)

    for j, modes in enumerate(normalizer.modes()):
        weights = [mode["weight"] for mode in modes]
        assert weights == sorted(weights, reverse=True)
        intervals = sorted(interval for mode in modes for interval in mode["intervals"])
        ends = [edge for interval in intervals for edge in interval]
        assert (ends[0], ends[-1]) == (-np.inf, np.inf)
        assert ends[1:-1:2] == ends[2:-1:2]
        for number, mode in enumerate(modes):
            inside = np.zeros(len(X), bool)
            for low, high in mode["intervals"]:
                inside |= (X[:, j] >= low) & (X[:, j] < high)
            np.testing.assert_array_equal(inside, encoding.modes[:, j] == number)
            assert len(mode["examples"]) == 3


def test_missing_values_are_flagged_and_come_back(X):
    """They are mode 255, zero everywhere in the one-hot layout, and NaN again."""
    X = X.copy()
    X[::7, 1] = np.nan
    normalizer = ModeNormalizer(random_state=0).fit(X)

    encoding = normalizer.encode(X)

    np.testing.assert_array_equal(encoding.missing, np.isnan(X))
    restored = normalizer.inverse_transform(encoding)
    np.testing.assert_array_equal(restored[:, :2], X[:, :2])
    np.testing.assert_array_equal(
        np.isnan(normalizer.inverse_transform(normalizer.transform(X))), np.isnan(X)
    )
    first = 1 + len(normalizer.modes()[0])
    assert (
        normalizer.one_hot(encoding)[::7, first : first + 1 + len(normalizer.modes()[1])] == 0
    ).all()
    with pytest.raises(ValueError, match="NaN"):
        ModeNormalizer(missing="error").fit(X)


def test_the_one_hot_layout_has_a_place_for_each_mode(X, normalizer):
    """The value, then one place of the modes that is 1."""
    encoding = normalizer.encode(X)
    dense, start = normalizer.one_hot(encoding), 0

    for j, modes in enumerate(normalizer.modes()):
        part = dense[:, start : start + 1 + len(modes)]
        np.testing.assert_array_equal(part[:, 0], encoding.values[:, j].astype(np.float32))
        np.testing.assert_array_equal(part[:, 1:].argmax(axis=1), encoding.modes[:, j])
        assert (part[:, 1:].sum(axis=1) == 1).all()
        start += 1 + len(modes)
    assert dense.shape[1] == start


def test_frames_and_tables_come_back_as_they_were(X):
    """Names, dtypes, integers beyond 2^53 and missing values."""
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    n = 300
    frame = pandas.DataFrame(
        {
            "cents": X[:n, 1],
            "big": np.arange(n) + 2**60 + 1,
            "small": np.arange(n, dtype=np.int8) % 7,
            "single": X[:n, 1].astype(np.float32),
            "holes": np.where(np.arange(n) % 3, X[:n, 0], np.nan),
        }
    )
    normalizer = ModeNormalizer(3, random_state=0).fit(frame)

    pandas.testing.assert_frame_equal(normalizer.inverse_transform(normalizer.encode(frame)), frame)
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    again = ModeNormalizer(3, random_state=0).fit(table)
    pandas.testing.assert_frame_equal(
        again.inverse_transform(again.encode(table)).to_pandas(), frame
    )
    with pytest.raises(ValueError, match="must hold numbers"):
        ModeNormalizer().fit(pandas.DataFrame({"a": ["x", "y"]}))


def test_batches_give_the_fit_of_all_rows(X):
    """The sketch of the parts is the sketch of the whole."""

    class Parts:
        def batches(self):
            yield from np.array_split(X, 5)

    whole = ModeNormalizer(random_state=0).fit(X)
    parts = ModeNormalizer(random_state=0).fit(Parts())

    assert parts.digest_ == whole.digest_


def test_threads_change_no_bit(X):
    """Columns side by side are columns one after another."""
    one, two = (ModeNormalizer(random_state=0, n_jobs=n).fit(X) for n in (1, 2))

    assert one.digest_ == two.digest_
    np.testing.assert_array_equal(one.encode(X).values, two.encode(X).values)


def test_sampled_modes_come_back_too(X):
    """Each row keeps the place within the mode that was drawn for it."""
    normalizer = ModeNormalizer(encoding="sampled", random_state=0).fit(X)
    encoding = normalizer.encode(X)

    np.testing.assert_array_equal(normalizer.inverse_transform(encoding)[:, :2], X[:, :2])
    later = normalizer.encode(X[500:], first_row=500)
    np.testing.assert_array_equal(later.modes, encoding.modes[500:])
    again = ModeNormalizer(encoding="sampled", random_state=0).fit(X)
    np.testing.assert_array_equal(again.encode(X).modes, encoding.modes)


def test_without_rounding_the_error_is_of_the_last_digits(X):
    """Of each value, however many decimals it has."""
    normalizer = ModeNormalizer(rounding=None, random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    assert normalizer.decimals_ == [None] * 3
    np.testing.assert_allclose(restored, X, rtol=TOLERANCE, atol=0)


def test_an_encoding_takes_five_bytes_a_value(X, normalizer):
    """Nine where single precision would lose decimals."""
    sizes = [
        (column.values.nbytes + column.modes.nbytes) / len(X)
        for column in normalizer.encode(X).columns
    ]

    assert sizes == [5.0, 5.0, 9.0]


def test_an_encoding_of_another_model_is_refused(X, normalizer):
    """The digest differs; so does a mode that is none."""
    other = ModeNormalizer(3, random_state=1).fit(X).encode(X)
    with pytest.raises(ValueError, match="X must be encoded by this normaliser, digest"):
        normalizer.inverse_transform(other)
    encoding = normalizer.encode(X)
    encoding.columns[1].modes[4] = 77

    for method in (normalizer.inverse_transform, normalizer.one_hot):
        with pytest.raises(ValueError, match=r"column 1 of X: modes must be .* or 255, got 77"):
            method(encoding)


@settings(deadline=None, max_examples=25)
@given(
    arrays(np.int64, st.integers(2, 60), elements=st.integers(-(2**63), 2**63 - 1)),
    st.sampled_from(["argmax", "sampled"]),
)
def test_integers_to_the_last_bit_come_back(whole, encoding):
    """Also beyond 2^53, where float64 has gaps."""
    X = whole.reshape(-1, 1)
    normalizer = ModeNormalizer(3, max_iter=5, encoding=encoding, random_state=0).fit(X)

    restored = normalizer.inverse_transform(normalizer.encode(X))

    assert restored.dtype == np.int64
    np.testing.assert_array_equal(restored, X)


@pytest.mark.parametrize("encoding", ["argmax", "sampled"])
def test_threads_change_no_digit_of_a_long_column(encoding):
    """Neither of values and modes, nor of the rows that are kept, nor of what comes back."""
    rng = np.random.default_rng(0)
    x = np.where(rng.uniform(size=300_001) < 0.5, rng.normal(5, 1, 300_001).round(2), 1e3)
    x[rng.integers(0, len(x), 900)] = np.nan
    x[rng.integers(0, len(x), 900)] = 1e7
    one, two = (
        ModeNormalizer(4, encoding=encoding, random_state=0, n_jobs=n).fit(x[:, None])
        for n in (1, 2)
    )

    single, double = one.encode(x[:, None]), two.encode(x[:, None])

    assert len(single.kept_rows) > 800
    np.testing.assert_array_equal(double.values, single.values)
    np.testing.assert_array_equal(double.modes, single.modes)
    np.testing.assert_array_equal(double.kept_rows, single.kept_rows)
    again = two.inverse_transform(double)
    np.testing.assert_array_equal(again, one.inverse_transform(single))
    np.testing.assert_array_equal(again[:, 0], x)
