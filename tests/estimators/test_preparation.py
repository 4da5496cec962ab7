"""Missing values and robust scaling."""

import numpy as np
import pytest

from modemap.errors import DataError
from modemap.estimators import Preparation
from modemap.estimators.saving import params_of
from modemap.estimators.state import save_state
from modemap.sketch import ColumnSketch, sketches_of

NAN = np.nan
MISSING = {"a": "drop", "b": "median", "c": "error"}


@pytest.fixture(name="X")
def rows():
    """Return 200 rows, some of them without a value in the first two columns."""
    X = np.random.default_rng(0).normal([5.0, -3.0, 100.0], [1.0, 2.0, 30.0], (200, 3))
    X[::10, 0] = NAN
    X[::7, 1] = NAN
    return X


@pytest.fixture
def preparation(X):
    """Return a fitted preparation of three columns, one of each policy."""
    return Preparation(("a", "b", "c"), MISSING).fit(X)


def test_medians_and_robust_scales_are_learned(X, preparation):
    """They are those of the values in rows that are kept."""
    kept = X[~np.isnan(X[:, 0])]
    low, middle, high = np.nanpercentile(kept, (25, 50, 75), axis=0)

    np.testing.assert_array_equal(preparation.center_, middle)
    np.testing.assert_array_equal(preparation.fill_, middle)
    np.testing.assert_allclose(preparation.scale_, (high - low) / 1.349)


def test_the_scale_of_a_normal_column_is_near_its_standard_deviation():
    """That is what the constant is for."""
    X = np.random.default_rng(0).normal(scale=7.0, size=(100_000, 1))

    assert Preparation(["a"], {"a": "error"}).fit(X).scale_[0] == pytest.approx(7.0, rel=0.02)


@pytest.mark.parametrize(
    ("column", "scale"),
    [
        ([0.0] * 9 + [10.0], 3.0),  # no range between quartiles: the standard deviation
        ([0.1] * 6, 1.0),  # constant, though its standard deviation rounds to 1e-17
        ([7.0], 1.0),
        ([5e-324, 0.0], 1.0),
    ],
)
def test_columns_without_spread_have_a_scale(column, scale):
    """No column is ever divided by zero."""
    preparation = Preparation(["a"], {"a": "error"}).fit(np.array(column)[:, None])

    assert preparation.scale_.tolist() == [pytest.approx(scale)]


def test_rows_that_drop_are_those_without_a_value_there(X, preparation):
    """Other columns do not matter."""
    np.testing.assert_array_equal(preparation.kept(X), ~np.isnan(X[:, 0]))


def test_missing_values_are_filled_with_the_median(X, preparation):
    """Nothing else is touched."""
    kept = X[preparation.kept(X)]

    filled = preparation.fill(kept)

    is_missing = np.isnan(kept)
    np.testing.assert_array_equal(filled[~is_missing], kept[~is_missing])
    assert set(filled[is_missing]) == {preparation.fill_[1]}


def test_scaling_goes_there_and_back(X, preparation):
    """Robust units are raw ones, moved and scaled."""
    filled = preparation.fill(X[preparation.kept(X)])

    scaled = preparation.transform(filled)

    np.testing.assert_allclose(np.median(scaled[:, [0, 2]], axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(preparation.inverse_transform(scaled), filled)


def test_the_jacobian_turns_densities_into_those_of_raw_rows(preparation):
    """It is the sum of the logarithms of the scales."""
    assert preparation.log_jacobian_ == pytest.approx(np.log(preparation.scale_).sum())


def test_a_copy_of_all_rows_changes_nothing(X, preparation):
    """Only values count, not what they are fitted with."""
    again = Preparation(("a", "b", "c"), MISSING).fit(X.copy())

    np.testing.assert_array_equal(again.scale_, preparation.scale_)


def test_no_rows_are_prepared_to_no_rows(preparation):
    """An empty batch is no error once the preparation is fitted."""
    assert preparation.kept(np.empty((0, 3))).shape == (0,)
    assert preparation.transform(preparation.fill(np.empty((0, 3)))).shape == (0, 3)


@pytest.mark.parametrize(
    ("method", "row", "message"),
    [
        ("fit", [1.0, 1.0, NAN], r"column c: .* \(policy error\)"),
        ("fill", [1.0, 1.0, NAN], r"column c: .* \(policy error\)"),
        ("fill", [NAN, 1.0, 1.0], r"column a: .* \(policy drop\)"),
        ("transform", [1.0, NAN, 1.0], r"column b: .* \(policy median\)"),
        ("inverse_transform", [1.0, NAN, 1.0], r"column b: .* \(policy median\)"),
    ],
)
def test_missing_values_where_none_may_be_are_named(X, preparation, method, row, message):
    """The message names the column, the policy, how many and where."""
    rows = np.vstack((preparation.fill(X[preparation.kept(X)])[:2], row))

    with pytest.raises(DataError, match=message) as caught:
        getattr(preparation, method)(rows)

    assert caught.value.found == "1 missing, the first in row 2"


def test_a_column_without_a_value_is_named():
    """There is no median of nothing."""
    with pytest.raises(DataError, match="column b: needs at least one value") as caught:
        Preparation(["a", "b"], {"a": "drop", "b": "median"}).fit([[1.0, NAN], [NAN, 2.0]])

    assert caught.value.found == "none in 1 rows"


def test_no_row_left_is_named():
    """A policy that drops everything leaves nothing to learn from."""
    with pytest.raises(DataError, match="column a: needs at least one value"):
        Preparation(["a"], {"a": "drop"}).fit([[NAN], [NAN]])


@pytest.mark.parametrize(
    ("columns", "missing", "message"),
    [
        ([], {}, r"columns must be one or more different names, got \[\]"),
        (["a", "a"], {"a": "drop"}, "columns must be one or more different names"),
        ("a", {"a": "drop"}, "columns must be one or more different names, got 'a'"),
        (["a"], {}, r"missing must name each of \['a'\], got \[\]"),
        (["a"], {"a": "drop", "b": "drop"}, "missing must name each of"),
        (["a"], {"a": "mean"}, r"missing\['a'\] must be one of 'drop', 'median', 'error', got 'me"),
        (["a", "b"], {"a": "drop", "b": "drop"}, "X must have 2 columns, got 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(columns, missing, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        Preparation(columns, missing).fit([[1.0]])


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_infinite_values_are_refused(value):
    """They are not missing, they are wrong."""
    with pytest.raises(ValueError, match=r"infinity|X must lie between"):
        Preparation(["a"], {"a": "median"}).fit([[1.0], [value]])


@pytest.mark.parametrize("scale", [0.0, -1.0, NAN])
def test_a_file_with_an_impossible_scale_is_refused(preparation, tmp_path, scale):
    """A scale nothing could be divided by was not learned."""
    arrays = {
        "center": preparation.center_,
        "fill": preparation.fill_,
        "scale": np.array([1.0, scale, 1.0]),
    }
    save_state(tmp_path / "p.npz", "preparation", params_of(preparation, {}), arrays)

    with pytest.raises(ValueError, match=r"p.npz: must be a preparation file"):
        Preparation.load(tmp_path / "p.npz")


def test_a_category_has_the_weight_of_a_column_of_numbers_and_a_density_sees_none_of_it():
    """Indicators are scaled by their shares, their variances adding up to 1; of parts nothing."""
    rng = np.random.default_rng(0)
    level = rng.choice(3, 1000, p=[0.6, 0.3, 0.1])
    numbers, angle = rng.normal(size=1000), rng.uniform(0, 2 * np.pi, 1000)
    X = np.column_stack([level == 0, numbers, level == 1, level == 2, np.sin(angle)])
    names = ["k = a", "x", "k = b", "k = c", "t sin"]
    map_only = {"k = a": "k", "k = b": "k", "k = c": "k", "t sin": None}

    preparation = Preparation(names, dict.fromkeys(names, "error"), map_only).fit(X)

    rows = preparation.transform(X)
    indicators = [0, 2, 3]
    shares = X[:, indicators].mean(axis=0)
    assert rows[:, indicators].var(axis=0).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(
        preparation.scale_[indicators] / preparation.scale_[0], np.sqrt(shares / shares[0])
    )
    np.testing.assert_array_equal(rows[:, 4], X[:, 4])
    np.testing.assert_allclose(preparation.inverse_transform(rows), X, atol=1e-12)
    assert preparation.measured_columns == ["x"]
    assert preparation.log_jacobian_ == np.log(preparation.scale_[1])


def test_what_a_map_alone_sees_is_saved_and_its_absence_is_not(tmp_path):
    """A preparation without categories is written as it was before there were any."""
    X = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 0.0]])
    policies = {"x": "error", "k = a": "error"}
    with_category = Preparation(["x", "k = a"], policies, {"k = a": "k"}).fit(X)
    without = Preparation(["x", "k = a"], policies).fit(X)

    with_category.save(tmp_path / "with.npz")
    without.save(tmp_path / "without.npz")

    loaded = Preparation.load(tmp_path / "with.npz")
    assert loaded.map_only == {"k = a": "k"}
    np.testing.assert_array_equal(loaded.scale_, with_category.scale_)
    assert b"map_only" not in (tmp_path / "without.npz").read_bytes()
    assert Preparation.load(tmp_path / "without.npz").measured_columns == ["x", "k = a"]


@pytest.mark.parametrize("map_only", [{"z": "k"}, {"a": "k", "b": None}])
def test_a_map_sees_alone_only_some_of_the_columns(map_only):
    """A density needs one, and no other column can be named."""
    preparation = Preparation(["a", "b"], {"a": "error", "b": "error"}, map_only)

    with pytest.raises(ValueError, match="map_only must name some of"):
        preparation.fit(np.zeros((3, 2)))


def test_sketches_teach_what_rows_teach():
    """Also of a column with a quartile range of nothing, a constant one, and an indicator."""
    rng = np.random.default_rng(0)
    X = np.column_stack(
        (
            rng.normal(size=999),
            np.where(rng.uniform(size=999) < 0.1, rng.normal(size=999), 0.0),
            np.full(999, 7.0),
            rng.uniform(size=999) < 0.3,
        )
    )
    arguments = list("abcd"), dict.fromkeys("abcd", "error"), {"d": "kind"}

    found = Preparation(*arguments).fit_sketches(sketches_of([X[:400], X[400:]]))

    expected = Preparation(*arguments).fit(X)
    np.testing.assert_array_equal(found.center_, expected.center_)
    np.testing.assert_array_equal(found.scale_[[0, 2, 3]], expected.scale_[[0, 2, 3]])
    np.testing.assert_allclose(found.scale_, expected.scale_, rtol=1e-12)


def test_sketches_must_be_whole():
    """One for each column, without missing values."""
    preparation, sketch = Preparation(["a"], {"a": "drop"}), ColumnSketch().update([1.0, NAN])

    with pytest.raises(ValueError, match="sketches must be 1, got 2"):
        preparation.fit_sketches([sketch, sketch])
    with pytest.raises(ValueError, match="must have no missing values"):
        preparation.fit_sketches([sketch])


def test_sketches_of_values_whose_squares_overflow_are_refused():
    """As rows of them are."""
    sketch = ColumnSketch().update([1.0, -1e300])

    with pytest.raises(ValueError, match=r"X must lie between .* got 1e\+300 in size"):
        Preparation(["a"], {"a": "drop"}).fit_sketches([sketch])
