"""Modes over histograms: densities in the column's own unit, whatever fitted them."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from modemap import BayesianGaussianMixture, ModeNormalizer
from modemap.plot import ModesDisplay
from modemap.sketch import ColumnSketch
from tests.plot.drawn import part


@pytest.fixture(scope="module")
def columns():
    """Return 600 rows of two modes, and of one mode and missing values."""
    rng = np.random.default_rng(0)
    first = np.concatenate((rng.normal(0, 1, 400), rng.normal(20, 2, 200)))
    second = rng.normal(5, 0.5, 600)
    second[:50] = np.nan
    return np.column_stack((first, second))


@pytest.fixture(scope="module")
def normalizer(columns):
    """Return the modes of the columns."""
    return ModeNormalizer(3, random_state=0).fit(columns)


def spread(mixture, k):
    """Return the covariance of a component, (n_features, n_features)."""
    covariances, n_features = mixture.covariances_, mixture.means_.shape[1]
    if mixture.covariance_type == "tied":
        return covariances
    own = covariances[k]
    return own if np.ndim(own) == 2 else np.eye(n_features) * own


def test_the_histogram_is_a_density_of_the_rows(normalizer, columns):
    """Its area is the share of the rows between its edges, missing ones aside."""
    display = ModesDisplay.from_estimator(normalizer, columns)

    for bars, x in zip(display.bars_, columns.T, strict=True):
        heights, edges, _ = bars.get_data()
        present = x[~np.isnan(x)]
        share = np.mean((present >= edges[0]) & (present < edges[-1]))
        assert np.sum(heights * np.diff(edges)) == pytest.approx(share)
        assert share > 0.98


def test_each_mode_has_its_density(normalizer, columns):
    """A curve is weight times density where the mode is wider than a bin."""
    display = ModesDisplay.from_estimator(normalizer, columns)

    for lines, modes in zip(display.lines_, normalizer.modes(), strict=True):
        assert len(lines) == len(modes)
        for line, mode in zip(lines, modes, strict=True):
            x, heights = line.get_data()
            expected = mode["weight"] * norm.pdf(x, mode["mean"], mode["std"])
            np.testing.assert_allclose(heights, expected, atol=0.03 * expected.max())


def test_a_mode_narrower_than_a_bin_stays_comparable():
    """Its curve is no higher than the bin that holds all its rows."""
    column = (np.arange(11.0), [0, 0, 0, 9, 0, 0, 0, 0, 0, 1], 10, [0.9], [3.5], [1e-9])

    display = ModesDisplay([column]).plot()

    assert display.lines_[0][0].get_ydata().max() == pytest.approx(0.9)


def test_sketches_are_as_good_as_their_rows(normalizer, columns):
    """The picture is the same."""
    sketches = [ColumnSketch().update(x) for x in columns.T]

    of_rows = ModesDisplay.from_estimator(normalizer, columns)
    of_sketches = ModesDisplay.from_estimator(normalizer, sketches)

    for one, other in zip(of_rows.bars_, of_sketches.bars_, strict=True):
        np.testing.assert_array_equal(one.get_data().values, other.get_data().values)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_the_margins_of_a_mixture_are_drawn(columns, covariance_type):
    """The dotted sum is the density of the mixture in each column."""
    X = columns[50:]
    mixture = BayesianGaussianMixture(
        n_components=2, covariance_type=covariance_type, random_state=0, tol=1.0
    ).fit(X)

    display = ModesDisplay.from_estimator(mixture, X)

    for j, ax in enumerate(display.axes_):
        x, heights = part(ax, "mixture").get_data()
        expected = np.zeros(len(x))
        for k, weight in enumerate(mixture.weights_):
            std = np.sqrt(spread(mixture, k)[j, j])
            expected += weight * norm.pdf(x, mixture.means_[k, j], std)
        np.testing.assert_allclose(heights, expected, atol=0.03 * expected.max())


def test_light_components_are_left_out(columns):
    """The heaviest always stays."""
    mixture = BayesianGaussianMixture(n_components=2, random_state=0, tol=1.0).fit(columns[50:])

    display = ModesDisplay.from_estimator(mixture, columns[50:], min_weight=0.99)

    assert [len(lines) for lines in display.lines_] == [1, 1]


def test_axes_name_the_column_and_its_unit(normalizer, columns):
    """The density is in one over the unit; weight, mean and spread stand in the legend."""
    display = ModesDisplay.from_estimator(
        normalizer, columns, names=["delay", "day"], units={"delay": "min"}, columns=["delay"]
    )

    (ax,) = display.axes_
    heaviest = normalizer.modes()[0][0]
    assert (ax.get_title(), ax.get_xlabel()) == ("delay", "min")
    assert ax.get_ylabel() == "density (1 / min)"
    first = ax.get_legend().get_texts()[0].get_text()
    assert first.startswith(f"{100 * heaviest['weight']:.3g} %: {heaviest['mean']:.4g} ±")


def test_rare_values_are_seen_on_a_logarithmic_axis(normalizer, columns):
    """A single row in a bin lies above the lower end."""
    display = ModesDisplay.from_estimator(normalizer, columns, log=True)

    for ax, bars in zip(display.axes_, display.bars_, strict=True):
        heights = bars.get_data().values
        assert ax.get_yscale() == "log"
        assert ax.get_ylim()[0] < heights[heights > 0].min()


def test_sixty_columns_do_not_overlap():
    """Each has a panel with its name and no legend."""
    column = (np.arange(4.0), [1, 2, 1], 4, [0.6, 0.4], [1.0, 2.0], [0.5, 0.5])

    display = ModesDisplay([column] * 60, names=[f"a_name_much_too_long_{j}" for j in range(60)])
    display.plot()

    display.figure_.canvas.draw()
    boxes = [ax.get_tightbbox() for ax in display.axes_]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[i + 1 :])
    assert not any(ax.get_legend() for ax in display.axes_)


def test_a_constant_column_is_drawn():
    """Its only bin with rows is at its value."""
    X = np.full((60, 1), 3.0)

    display = ModesDisplay.from_estimator(ModeNormalizer(2, random_state=0).fit(X), X)

    heights, edges, _ = display.bars_[0].get_data()
    (k,) = np.flatnonzero(heights)
    assert edges[k] <= 3.0 < edges[k + 1]


@pytest.mark.parametrize("estimator", [ModeNormalizer(), BayesianGaussianMixture()])
def test_an_estimator_that_is_not_fitted_is_refused(estimator, columns):
    """The error is scikit-learn's."""
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        ModesDisplay.from_estimator(estimator, columns)


def test_wrong_rows_are_refused(normalizer, columns):
    """The error says what came."""
    with pytest.raises(ValueError, match="X must have 2 columns, got 1"):
        ModesDisplay.from_estimator(normalizer, columns[:, :1])
    with pytest.raises(ValueError, match=r"X must have shape .* got \(600,\)"):
        ModesDisplay.from_estimator(normalizer, columns[:, 0])
    with pytest.raises(ValueError, match="must hold a value, got none in x1"):
        ModesDisplay.from_estimator(normalizer, columns[:50])
    with pytest.raises(ValueError, match=r"estimator must be .* got KMeans"):
        ModesDisplay.from_estimator(KMeans(), columns)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (([0.0, 1.0], [1, 1], 2, [1.0], [0.0], [1.0]), "got 2 edges of 2 counts"),
        (([1.0, 0.0], [1], 1, [1.0], [0.0], [1.0]), "edges must rise"),
        (([0.0, 1.0], [1], 1, [1.0], [0.0, 1.0], [1.0]), r"one length, got \[1, 2, 1\]"),
        (([0.0, 1.0], [1], 1, [1.0], [0.0], [0.0]), r"stds must be > 0, got 0\.0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(column, message):
    """The error says what came."""
    with pytest.raises(ValueError, match=message):
        ModesDisplay([column]).plot()


def test_names_must_be_one_for_each_column():
    """The error says how many came; no column at all is refused too."""
    column = ([0.0, 1.0], [1], 1, [1.0], [0.0], [1.0])

    with pytest.raises(ValueError, match="one entry for each of 1 columns, got 2"):
        ModesDisplay([column], names=["a", "b"]).plot()
    with pytest.raises(ValueError, match="at least one column, got none"):
        ModesDisplay([]).plot()
