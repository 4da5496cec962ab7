"""The metrics against brute force, on cases whose answer is known."""

import numpy as np
import pytest
from scipy.stats import kstest

from modemap.metrics import (
    calibration_error,
    dead_unit_share,
    quantization_error,
    topographic_error,
)


@pytest.fixture(name="X")
def samples():
    """Return 500 samples of three features."""
    return np.random.default_rng(0).normal(size=(500, 3))


@pytest.fixture
def codebook():
    """Return the units of a map of 3 x 4."""
    return np.random.default_rng(1).normal(size=(12, 3))


def test_quantization_error_is_the_mean_distance(X, codebook):
    """It equals the mean of the row minima of the full distance matrix."""
    expected = np.sqrt(((X[:, None] - codebook) ** 2).sum(axis=2)).min(axis=1).mean()

    assert quantization_error(X, codebook) == pytest.approx(expected)


def test_quantization_error_of_the_codebook_is_zero(codebook):
    """Every unit is its own nearest unit."""
    assert quantization_error(codebook, codebook) == 0.0


def test_topographic_error_counts_pairs_that_are_not_neighbors(X, codebook):
    """It equals the share found by sorting all distances."""
    order = ((X[:, None] - codebook) ** 2).sum(axis=2).argsort(axis=1)
    places = np.stack(np.divmod(order[:, :2], 4), axis=-1)
    apart = np.abs(places[:, 0] - places[:, 1]).max(axis=1) > 1

    assert topographic_error(X, codebook, 3, 4) == pytest.approx(apart.mean())


def test_all_eight_units_around_are_neighbors():
    """A diagonal step is one step."""
    codebook = np.array([[0.0], [9.0], [9.0], [1.0]])

    assert topographic_error(np.array([[0.4]]), codebook, 2, 2) == 0.0


def test_the_end_of_a_row_is_no_neighbor_of_the_next_row():
    """Units that follow each other in the codebook may lie far apart on the grid."""
    codebook = np.array([[9.0], [9.0], [0.0], [1.0], [9.0], [9.0]])

    assert topographic_error(np.array([[0.4]]), codebook, 2, 3) == 1.0


def test_a_single_unit_keeps_all_neighborhoods():
    """Where there is no second unit there is no error."""
    assert topographic_error(np.array([[0.4]]), np.array([[1.0]]), 1, 1) == 0.0


def test_dead_unit_share_counts_units_without_samples():
    """Two of five units have samples."""
    assert dead_unit_share(np.array([1, 4, 4]), 5) == pytest.approx(0.6)


def test_without_samples_all_units_are_dead():
    """No sample, no living unit."""
    assert dead_unit_share(np.array([], dtype=np.int64), 3) == 1.0


def test_calibration_error_is_near_the_kolmogorov_distance_without_ties():
    """They differ by half a sample at most."""
    pit = np.random.default_rng(0).beta(2, 1, size=400)

    assert calibration_error(pit) == pytest.approx(kstest(pit, "uniform").statistic, abs=1 / 800)


def test_rounded_values_of_the_true_density_are_calibrated():
    """Ties are measured at their middle, so rounding costs next to nothing."""
    pit = (np.floor(np.random.default_rng(0).uniform(size=200_000) * 10) + 0.5) / 10

    assert calibration_error(pit) < 0.005
    assert kstest(pit, "uniform").statistic > 0.045  # what the usual convention would say


def test_a_constant_column_at_its_median_is_calibrated():
    """One tie at one half is as good as it gets."""
    assert calibration_error(np.full(7, 0.5)) == 0.0


@pytest.mark.parametrize("place", [0.0, 1.0])
def test_a_density_beside_the_data_is_not_calibrated(place):
    """All transforms at one end is half the range away from the middle of the tie."""
    assert calibration_error(np.full(50, place)) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantization_error(np.empty((0, 2)), np.ones((1, 2))), "X must have two dim"),
        (lambda: quantization_error(np.ones(2), np.ones((1, 2))), "X must have two dimensions"),
        (lambda: quantization_error(np.ones((1, 3)), np.ones((1, 2))), "X must have 2 features"),
        (lambda: quantization_error(np.full((1, 2), np.nan), np.ones((1, 2))), "X must be finite"),
        (lambda: quantization_error(np.ones((1, 1)), np.array([[np.inf]])), "codebook must be fin"),
        (lambda: topographic_error(np.ones((1, 1)), np.ones((4, 1)), 2, 3), "n_columns = 6 rows"),
        (lambda: dead_unit_share(np.array([4]), 4), "units must be from 0 to 3, got 4 to 4"),
        (lambda: dead_unit_share(np.array([-1]), 4), "units must be from 0 to 3"),
        (lambda: dead_unit_share(np.array([0]), 0), "n_units must be >= 1, got 0"),
        (lambda: calibration_error(np.array([])), "pit must have shape"),
        (lambda: calibration_error(np.array([0.5, 1.5])), "pit must be from 0 to 1, got 0.5"),
        (lambda: calibration_error(np.array([np.nan])), "pit must be from 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()
