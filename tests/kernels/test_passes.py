"""Passes over all rows against plain NumPy, on any number of threads."""

import numpy as np
import pytest

from modemap.kernels import (
    Grid,
    Prepared,
    deviations,
    nearest_units,
    present,
    scatter,
    sums_by_unit,
    two_nearest_soon,
    two_nearest_units,
    unit_distances,
)
from modemap.kernels.arrays import read_only


@pytest.fixture(name="X")
def samples():
    """Return rows enough for five chunks."""
    return np.random.default_rng(0).normal(size=(3000, 3))


@pytest.fixture
def codebook():
    """Return twelve units."""
    return np.random.default_rng(1).normal(size=(12, 3))


@pytest.fixture
def weights():
    """Return a weight for each row."""
    return np.random.default_rng(2).uniform(0.5, 2.0, size=3000)


def full_distances(X, codebook):
    """Return all distances at once."""
    return np.sqrt(((X[:, None] - codebook) ** 2).sum(axis=2))


def test_nearest_units_agree_with_brute_force(X, codebook):
    """Units and distances are those of the full distance matrix."""
    units, distances = nearest_units(X, codebook)

    expected = full_distances(X, codebook)
    np.testing.assert_array_equal(units, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, expected.min(axis=1))


def test_two_nearest_units_agree_with_brute_force(X, codebook):
    """Both units are those of the sorted full distance matrix."""
    found = two_nearest_units(X, codebook)

    order = full_distances(X, codebook).argsort(axis=1)
    np.testing.assert_array_equal(np.transpose(found), order[:, :2])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_search_in_single_precision_finds_the_two_nearest_units(n_threads):
    """So it does where a value is missing, and for a sample too far out for it."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(1100, 3)), rng.normal(size=(20, 3))
    units, two = (Prepared(part, n_threads=n_threads) for part in (codebook, codebook[:2]))

    found = two_nearest_soon(X, units)
    holes = two_nearest_soon(np.where(np.eye(1100, 3) > 0, np.nan, X), units, is_missing=True)
    far = two_nearest_soon(np.vstack((X, np.full(3, 1e60))), two)

    np.testing.assert_array_equal(found, two_nearest_units(X, codebook))
    np.testing.assert_array_equal(np.transpose(holes)[3:], np.transpose(found)[3:])
    assert (far[0][-1], far[1][-1]) == (0, 1)


def test_unit_distances_agree_with_brute_force(X, codebook):
    """All distances are there."""
    np.testing.assert_allclose(unit_distances(X, codebook), full_distances(X, codebook))


def test_sums_by_unit_agree_with_plain_numpy(X, codebook, weights):
    """Sums, totals and the distance are those of the nearest units."""
    found = sums_by_unit(X, weights, Prepared(codebook))

    units, distances = nearest_units(X, codebook)
    share = weights[:, None] * (units[:, None] == np.arange(12))
    np.testing.assert_allclose(found.sums[:, :3], share.T @ X, atol=1e-9)
    np.testing.assert_allclose(found.weights[:, 0], share.sum(axis=0))
    np.testing.assert_allclose(found.counts, share.sum(axis=0))
    assert found.distance == pytest.approx((weights * distances).sum())


def test_counts_alone_are_those_of_the_whole_pass(X, codebook, weights):
    """Without sums and distances."""
    found = sums_by_unit(X, weights, Prepared(codebook), counts_alone=True)

    np.testing.assert_array_equal(found.counts, sums_by_unit(X, weights, Prepared(codebook)).counts)
    assert found.sums.size == 0


def test_the_second_nearest_unit_is_looked_for_as_often_as_asked(X, codebook):
    """Every so many updates, and nothing else changes."""
    order = np.random.default_rng(3).permutation(len(X))
    schedule = np.full(len(X), 0.1), np.linspace(2.0, 1.0, len(X))

    every, some = (present(X, order, *schedule, codebook, Grid(3, 4), step=step) for step in (1, 7))

    np.testing.assert_array_equal(some[0], every[0])
    np.testing.assert_array_equal(some[1], every[1])
    np.testing.assert_array_equal(some[2], every[2][::7])
    assert 0 < every[2].mean() < 1


@pytest.mark.parametrize("n_threads", [2, 4])
def test_the_number_of_threads_changes_no_bit(X, codebook, weights, n_threads):
    """Chunks are the same and added in the same order."""
    alone, together = (
        (
            *sums_by_unit(X, weights, Prepared(codebook, n_threads=n)),
            *deviations(X, weights, X[0], n),
            scatter(X, weights, X[0], n),
        )
        for n in (1, n_threads)
    )

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_written_is_not_compiled_for_again(X, codebook, weights):
    """Neither are units in another order: a pass is compiled once, whatever arrays come."""
    from modemap.kernels.maps import compiled

    kernels = compiled.find_nearest, compiled.nearest_two, compiled.add_nearest
    counts = []
    for samples, units in ((X, codebook), (read_only(X), read_only(codebook))):
        for layout in "CF":
            nearest_units(samples, np.asarray(units, order=layout))
            two_nearest_units(samples, np.asarray(units, order=layout))
            sums_by_unit(samples, weights, Prepared(np.asarray(units, order=layout)))
            counts.append([len(kernel.signatures) for kernel in kernels])

    assert counts[0] == counts[1] == counts[2] == counts[3]


def test_many_features_change_no_bit_either():
    """Where samples are searched beside others of their kind, whoever these are."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(1200, 70)), rng.normal(size=(300, 70))
    weights = np.ones(1200)

    alone, together = (sums_by_unit(X, weights, Prepared(codebook, n_threads=n)) for n in (1, 2))
    whole = nearest_units(X, codebook)
    parts = [nearest_units(part, codebook) for part in np.split(X, [1, 7, 500])]

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(other))
