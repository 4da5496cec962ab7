"""Passing over groups of units that are too far off changes no result."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modemap import SelfOrganizingMap
from modemap.kernels import Prepared, nearest_units, passes, sums_by_unit
from modemap.kernels.arrays import read_only
from modemap.kernels.maps import compiled, portable
from modemap.kernels.maps.groups import grouped, middles
from modemap.kernels.maps.panels import packed

KINDS = (
    "clumps", "one cloud", "a lattice of ties", "twenty of each", "all units equal", "far off",
    "huge", "tiny", "below float32", "subnormal", "far out", "single precision", "units themselves",
)  # fmt: skip
N_UNITS = 1280  # 40 groups of 32, 80 of 16


def samples_and_codebook(kind, n_features=3):
    """Return 1500 samples and 1280 units in no order."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(9, n_features)) * (kind != "one cloud")
    X = places[rng.integers(0, 9, size=1500)] + rng.normal(0.0, 0.2, size=(1500, n_features))
    codebook = places[rng.integers(0, 9, size=N_UNITS)]
    codebook = codebook + rng.normal(0.0, 0.2, size=(N_UNITS, n_features))
    match kind:
        case "a lattice of ties":
            codebook = rng.permutation(np.indices((20, 8, 8)).reshape(3, -1).T).astype(float)
            X = rng.integers(-2, 22, size=(1500, 3)) / 2
        case "twenty of each":
            codebook = rng.permutation(np.repeat(codebook[::20], 20, axis=0))
        case "all units equal":
            codebook[:] = codebook[0]
        case "far off":
            X, codebook = X + 1e9, codebook + 1e9
        case "huge":
            X, codebook = X * 1e150, codebook * 1e150
        case "tiny":
            X, codebook = X * 1e-150, codebook * 1e-150
        case "below float32":
            X *= 1e-42
        case "subnormal":
            X, codebook = X * 1e-310, codebook * 1e-310
        case "far out":
            X[::7] *= 1e12
            X[::11] *= 1e30
            X[3] = 1e150
        case "single precision":
            X = X.astype(np.float32)
        case "units themselves":
            X[:N_UNITS] = codebook
    return X, codebook


def found_by(X, codebook, *, is_grouped, engine=compiled):
    """Return what both passes find: sums, counts, distance, units, distances."""
    panels = packed(codebook, "euclidean", engine.PANEL, has_missing=False, is_grouped=is_grouped)
    assert (panels.groups is not None) == is_grouped
    X, sums, counts = read_only(X), np.zeros((N_UNITS, X.shape[1] + 1)), np.zeros(N_UNITS)
    distance = engine.add_nearest(X, np.ones(len(X)), panels, sums, counts)
    units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))
    engine.find_nearest(X, panels, units, distances)
    return sums, counts, distance, units, distances


def searched(X, codebook, told):
    """Return scores and units of a search in groups, and what it was told at the end.

    Told PAYS it passes over groups whatever that costs, told COSTS over none.
    """
    panels = packed(
        codebook, "euclidean", compiled.PANEL, has_missing=False, is_training=True, is_grouped=True
    )
    n = len(X)
    x, score, unit = np.empty(X.shape, np.float32), np.empty(n, np.float32), np.empty(n, np.int32)
    compiled._convert(read_only(X), panels, x, np.empty_like(x))
    room = (*compiled._room_for_limits(n, None)[:-1], np.array([told]))
    compiled._search_groups(panels.groups, panels, n, x, score, unit, (score, unit), room)
    return score, unit, room[-1][0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "single precision"])
def test_groups_change_no_result(kind):
    """Sums, counts and units are to the bit those of a search of all units in their order."""
    X, codebook = samples_and_codebook(kind)

    results = [found_by(X, codebook, is_grouped=is_grouped) for is_grouped in (True, False)]

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_features", [3, 1, 20])
def test_what_is_passed_over_never_wins(kind, n_features):
    """Lowest scores and their units are those of a search that passes over no group."""
    X, codebook = samples_and_codebook(kind, n_features)

    pruned, whole = (searched(X, codebook, told) for told in (compiled.PAYS, compiled.COSTS))

    np.testing.assert_array_equal(pruned[0], whole[0])
    np.testing.assert_array_equal(pruned[1], whole[1])


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.integers(1, 6),
    step=st.sampled_from([0.0, 0.25, 1.0]),
    place=st.tuples(st.sampled_from([0.0, 1.0, 1e6, -1e12]), st.integers(-300, 300)),
    spread=st.sampled_from([1e-8, 1e-3, 1.0]),
)
def test_groups_change_no_unit(seed, n_features, step, place, spread):
    """On lattices and off them, near and far, at every scale, in clumps as tight as rounding."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=(20, n_features))[rng.integers(0, 20, N_UNITS)]
    codebook += spread * rng.normal(size=codebook.shape)
    X = codebook[rng.integers(0, N_UNITS, 60)] + spread * rng.normal(size=(60, n_features))
    X[::3] *= 1.0 + 10.0 * rng.random()
    if step:
        X, codebook = np.round(X / step) * step, np.round(codebook / step) * step
    X, codebook = ((array + place[0]) * 2.0 ** place[1] for array in (X, codebook))

    pruned, whole = (searched(X, codebook, told) for told in (compiled.PAYS, compiled.COSTS))

    np.testing.assert_array_equal(pruned[0], whole[0])
    np.testing.assert_array_equal(pruned[1], whole[1])


def test_the_first_samples_tell_whether_groups_pay():
    """Few are searched for samples in clumps, nearly all for a cloud in many dimensions."""
    rng = np.random.default_rng(0)

    _, _, clumps = searched(*samples_and_codebook("clumps"), compiled.UNKNOWN)
    _, _, cloud = searched(
        rng.normal(size=(1500, 40)), rng.normal(size=(N_UNITS, 40)), compiled.UNKNOWN
    )

    assert clumps == compiled.PAYS
    assert cloud == compiled.COSTS


def test_the_twin_reads_groups():
    """Units that are packed in groups keep their numbers."""
    X, codebook = samples_and_codebook("a lattice of ties")

    results = [found_by(X, codebook, is_grouped=g, engine=portable) for g in (True, False)]

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    twin = found_by(X, codebook, is_grouped=True)
    np.testing.assert_array_equal(twin[1], results[0][1])
    np.testing.assert_array_equal(twin[3], results[0][3])


@pytest.mark.parametrize("n_units", [1, 15, 16, 17, 64, 300])
def test_groups_hold_each_unit_once(n_units):
    """A group is full but for the last, and its numbers ascend."""
    units = np.random.default_rng(0).normal(size=(n_units, 2))

    order = grouped(units, 16)

    np.testing.assert_array_equal(np.sort(order), np.arange(n_units))
    for first in range(0, n_units, 16):
        assert (np.diff(order[first : first + 16]) > 0).all()


def test_groups_are_close_together():
    """Units of a square, shuffled, lie in patches of it."""
    rng = np.random.default_rng(0)
    units = rng.permutation(np.indices((32, 32)).reshape(2, -1).T).astype(float)

    patches = units[grouped(units, 16)].reshape(-1, 16, 2)

    assert np.ptp(patches, axis=1).max() <= 8  # 4 x 4 at best, and 32 in their order


@pytest.mark.parametrize("kind", KINDS)
def test_radii_reach_all_units_of_a_group(kind):
    """Rounded upwards, and infinite where float32 cannot tell units apart by their squares."""
    _, codebook = samples_and_codebook(kind)
    panels = packed(codebook, "euclidean", 16, has_missing=False, is_grouped=True)
    units = panels.panels.astype(np.float64)
    n_panels = len(units)

    places, farthest = middles(panels.panels, N_UNITS)

    for k, (place, reach) in enumerate(zip(places, farthest, strict=True)):
        apart = np.linalg.norm(units[k] - units[k][:, place % 16, np.newaxis], axis=0)
        assert place // 16 == k
        np.testing.assert_allclose(reach, apart.max())
        assert not panels.groups.radii[k] < apart.max()
    assert np.isinf(panels.coarse_start[n_panels:]).all()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_passes_over_many_samples_use_groups(n_threads, monkeypatch):
    """From a number of values on, seen together by the passes of an epoch; the bytes stay."""
    X, codebook = samples_and_codebook("clumps")
    weights, units = np.ones(len(X)), Prepared(codebook)
    whole = sums_by_unit(X, weights, units)
    expected = nearest_units(X, codebook)
    assert all(panels.groups is None for panels in units._packed.values())

    monkeypatch.setattr(passes, "GROUPED", 2 * X.size)
    units = Prepared(codebook, n_threads=n_threads)
    sums_by_unit(X, weights, units)
    found = sums_by_unit(X, weights, units)
    monkeypatch.setattr(passes, "GROUPED", X.size)

    assert [panels.groups is not None for panels in units._packed.values()] == [False, True]
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(nearest_units(X, codebook, n_threads), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("is_grouped", [True, False])
def test_scores_that_are_no_numbers_hide_no_other(is_grouped):
    """Beyond float32 scores are NaN or infinite: the first unit of the lowest is taken."""
    _, codebook = samples_and_codebook("clumps")
    X = read_only(np.full((1, 3), 1e150) * [[1.0, -1.0, 1.0]])

    counts = np.zeros((2, N_UNITS))
    for engine, found in zip((compiled, portable), counts, strict=True):
        panels = packed(
            codebook, "euclidean", engine.PANEL, has_missing=False, is_grouped=is_grouped
        )
        engine.add_nearest(X, np.ones(1), panels, np.zeros((N_UNITS, 4)), found)

    np.testing.assert_array_equal(*counts)


def test_maps_are_the_same_with_groups(monkeypatch):
    """Codebook, counts and errors of a whole fit, to the bit."""
    X, codebook = samples_and_codebook("clumps")
    som = SelfOrganizingMap(40, 32, init=codebook, max_iter=4)
    plain = som.fit(X).codebook_, som.unit_counts_, som.history_["quantization_error"]

    monkeypatch.setattr(passes, "GROUPED", 1)
    som.fit(X)

    for one, other in zip(
        plain, (som.codebook_, som.unit_counts_, som.history_["quantization_error"]), strict=True
    ):
        np.testing.assert_array_equal(one, other)
