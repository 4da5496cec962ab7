"""The metrics by ranks against slow loops over their definitions."""

from itertools import product

import numpy as np
import pytest

from modemap.kernels import BOUNDARIES, TOPOLOGIES, Grid
from modemap.metrics import neighborhood_preservation, topographic_product, trustworthiness

KINDS = list(product(TOPOLOGIES, BOUNDARIES))


@pytest.fixture(name="X")
def samples():
    """Return 60 samples of three features."""
    return np.random.default_rng(0).normal(size=(60, 3))


@pytest.fixture
def codebook():
    """Return the units of a map of 4 x 5."""
    return np.random.default_rng(1).normal(size=(20, 3))


def ranked(distances, one):
    """Return all others by their distance from one, ties by number."""
    others = [other for other in range(len(distances)) if other != one]
    return sorted(others, key=lambda other: (distances[one, other], other))


def slow_product(in_data, on_grid):
    """Return the topographic product as Bauer and Pawelzik define it."""
    n, total = len(in_data), 0.0
    for j in range(n):
        by_data, by_grid = ranked(in_data, j), ranked(on_grid, j)
        for k in range(1, n):
            product_of_ratios = 1.0
            for m in range(k):
                product_of_ratios *= in_data[j, by_grid[m]] / in_data[j, by_data[m]]
                product_of_ratios *= on_grid[j, by_grid[m]] / on_grid[j, by_data[m]]
            total += np.log(product_of_ratios ** (1 / (2 * k)))
    return total / (n * (n - 1))


def slow_trustworthiness(near, judged, k):
    """Return the measure as Venna and Kaski define it."""
    n, penalty = len(near), 0
    for i in range(n):
        ranks = {other: rank for rank, other in enumerate(ranked(judged, i), start=1)}
        penalty += sum(max(0, ranks[other] - k) for other in ranked(near, i)[:k])
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def distances_between(rows):
    """Return all distances."""
    return np.linalg.norm(rows[:, None] - rows, axis=2)


@pytest.mark.parametrize(("topology", "boundary"), KINDS)
def test_the_topographic_product_follows_its_formula(codebook, topology, boundary):
    """On every kind of grid."""
    grid = Grid(4, 5, topology, boundary)

    found = topographic_product(codebook, 4, 5, topology=topology, boundary=boundary)

    assert found == pytest.approx(slow_product(distances_between(codebook), grid.distances()))


def test_a_folded_line_has_too_few_dimensions():
    """A line through a square gives a product below 0, its own grid one near it."""
    places = np.array([[r, c if r % 2 == 0 else 3 - c] for r in range(4) for c in range(4)])

    assert topographic_product(places.astype(float), 1, 16) < -0.05
    assert abs(topographic_product(Grid(4, 4).positions, 4, 4)) < 0.01


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("k", [1, 7])
def test_both_measures_follow_their_definition(X, codebook, kinds, k, monkeypatch):
    """Neighbours on the map judged in the data, and the other way round, block by block."""
    topology, boundary = kinds
    monkeypatch.setattr("modemap.metrics.ranks.BLOCK_CELLS", 600)
    units = ((X[:, None] - codebook) ** 2).sum(axis=2).argmin(axis=1)
    on_map = Grid(4, 5, topology, boundary).distances()[np.ix_(units, units)]
    in_data = distances_between(X)
    arguments = {"n_neighbors": k, "topology": topology, "boundary": boundary}

    trust = trustworthiness(X, codebook, 4, 5, **arguments)
    preserved = neighborhood_preservation(X, codebook, 4, 5, **arguments)

    assert trust == pytest.approx(slow_trustworthiness(on_map, in_data, k))
    assert preserved == pytest.approx(slow_trustworthiness(in_data, on_map, k))
    assert trust != preserved


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: topographic_product(np.zeros((2, 1)), 1, 2), "codebook must hold different units"),
        (lambda: topographic_product(np.zeros((1, 1)), 1, 1), "must have two units or more, got 1"),
        (lambda: topographic_product(np.eye(3), 2, 2), "n_columns = 4 rows, got 3"),
        (lambda: trustworthiness(np.eye(4), np.eye(4), 2, 2, n_neighbors=2), "= 2.0, got 2"),
        (lambda: trustworthiness(np.eye(4), np.eye(4), 2, 2, n_neighbors=0), "from 1 to below"),
        (lambda: neighborhood_preservation(np.eye(4), np.eye(4), 2, 3), "= 6 rows, got 4"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ValueError, match=message):
        call()
