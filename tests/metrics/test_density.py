"""The metrics of densities on cases whose answer is known."""

import numpy as np
import pytest
from scipy.stats import kstest

from modemap.metrics import calibration_error


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


def test_counts_stand_for_repeated_values():
    """A value with a count is as many tied values, to the last bit."""
    rng = np.random.default_rng(0)
    places, counts = np.sort(rng.uniform(size=50)), rng.integers(1, 9, 50)

    assert calibration_error(places, counts) == calibration_error(np.repeat(places, counts))
    with pytest.raises(ValueError, match=r"counts must have shape \(50,\)"):
        calibration_error(places, counts[:3])


@pytest.mark.parametrize(
    ("pit", "message"),
    [
        ([], "pit must have shape"),
        ([0.5, 1.5], "pit must be from 0 to 1, got 0.5"),
        ([np.nan], "pit must be from 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(pit, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        calibration_error(np.array(pit))
