"""The compiled passes against their NumPy twins and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modemap.kernels import METRICS, Grid, nearest_units
from modemap.kernels.arrays import read_only
from modemap.kernels.maps import compiled, portable
from modemap.kernels.maps.panels import packed

TINY = 1e-100  # smaller values have no square, and where all are, no angle
VALUES = st.floats(-1e3, 1e3).map(lambda value: value if abs(value) > TINY else 0.0)
VALUES |= st.integers(-2, 2).map(float)  # which make ties
ENGINES = [compiled, portable]
ROUNDING = 1e-12
FREE = np.tile([[-np.inf], [np.inf]], 3)


@st.composite
def samples_and_codebook(draw, values=VALUES):
    """Draw samples (n, d) and units (m, d)."""
    n_samples, n_features = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    X = draw(arrays(np.float64, (n_samples, n_features), elements=values))
    return X, draw(arrays(np.float64, (draw(st.integers(2, 70)), n_features), elements=VALUES))


def brute_force(X, codebook, metric):
    """Return all distances by their formulas, Euclidean ones squared, NaN left out."""
    is_seen = ~np.isnan(X)[:, None]
    x, w = (np.where(is_seen, array, 0.0) for array in (X[:, None], codebook))
    match metric:
        case "euclidean":
            return ((x - w) ** 2).sum(axis=2)
        case "manhattan":
            return np.abs(x - w).sum(axis=2)
        case "chebyshev":
            return np.abs(x - w).max(axis=2)
        case _:
            lengths = np.linalg.norm(x, axis=2) * np.linalg.norm(w, axis=2)
            return 1 - np.divide(
                (x * w).sum(axis=2), lengths, np.zeros_like(lengths), where=lengths > 0
            )


def found_by(engine, X, codebook, metric):
    """Return nearest units and distances."""
    has_missing = bool(np.isnan(X).any())
    panels = packed(codebook, metric, engine.PANEL, has_missing=has_missing)
    units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))
    engine.find_nearest(read_only(X), panels, units, distances)
    return units, distances


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("metric", METRICS)
@settings(deadline=None, max_examples=50)
@given(drawn=samples_and_codebook())
def test_nearest_units_are_those_of_float64(engine, metric, drawn):
    """No unit is nearer, whatever float32 said first."""
    X, codebook = drawn

    units, distances = found_by(engine, X, codebook, metric)

    expected = brute_force(X, codebook, metric)
    scale = ROUNDING * max(1.0, expected.max())
    np.testing.assert_allclose(distances, expected.min(axis=1), atol=scale)
    np.testing.assert_allclose(expected[range(len(X)), units], distances, atol=scale)


@pytest.mark.parametrize("metric", METRICS)
@settings(deadline=None, max_examples=50)
@given(drawn=samples_and_codebook(values=VALUES | st.just(np.nan)))
def test_missing_values_add_nothing_to_a_distance(metric, drawn):
    """The compiled passes and their twins agree on the observed features."""
    X, codebook = drawn
    X[np.isnan(X).all(axis=1), 0] = 0.5

    results = [found_by(engine, X, codebook, metric) for engine in ENGINES]

    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    expected = brute_force(X, codebook, metric).min(axis=1)
    np.testing.assert_allclose(results[0][1], expected, atol=ROUNDING * max(1, expected.max()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("n_units", [1, 2, 53])
def test_sums_agree_with_the_twin(dtype, metric, share, n_units):
    """Sums, weights, counts and distances, of several blocks."""
    rng = np.random.default_rng(0)
    X = rng.normal(5.0, 2.0, size=(300, 6)).astype(dtype)
    X[rng.uniform(size=X.shape) < share] = np.nan
    X[:, 0] = 1.0
    codebook, weights = rng.normal(5.0, 1.0, size=(n_units, 6)), rng.uniform(0.5, 2.0, size=300)

    results = []
    for engine in ENGINES:
        panels = packed(codebook, metric, engine.PANEL, has_missing=share > 0, is_training=True)
        sums, counts = np.zeros((n_units, 12 if share else 7)), np.zeros(n_units)
        distance = engine.add_nearest(read_only(X), weights, panels, sums, counts)
        results.append((sums, counts, distance))

    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


@pytest.mark.parametrize("metric", METRICS)
def test_two_nearest_units_agree_with_brute_force(metric):
    """In float32 as in float64, where no two units are equally far."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(500, 4)), rng.normal(size=(60, 4))
    order = brute_force(X, codebook, metric).argsort(axis=1)[:, :2]

    for engine in ENGINES:
        panels = packed(codebook, metric, engine.PANEL, has_missing=False)
        fast, exact = np.empty((2, 500, 2), dtype=np.int64)
        engine.find_two(read_only(X), panels, fast)
        engine.nearest_two(read_only(X), panels.features, panels.metric, exact)
        np.testing.assert_array_equal(fast, order)
        np.testing.assert_array_equal(exact, order)


@pytest.mark.parametrize("engine", ENGINES)
def test_ties_go_to_the_lower_unit(engine):
    """Of equal units the first is the nearest, and the next one the second nearest."""
    codebook = np.repeat([[1.0], [0.0], [0.0]], 20, axis=0)

    panels = packed(codebook, "euclidean", engine.PANEL, has_missing=False)
    pair = np.empty((3, 2), dtype=np.int64)
    engine.find_two(read_only(np.array([[0.0], [0.2], [2.0]])), panels, pair)

    assert pair.tolist() == [[20, 21], [20, 21], [0, 1]]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [1, 2, 8, 17])
def test_few_samples_are_answered_as_many(metric, dtype, n_features):
    """To the bit, ties and missing values too, though no panels are packed for a few."""
    rng = np.random.default_rng(0)
    codebook = np.round(rng.normal(size=(300, n_features)), 2)
    codebook[150] = codebook[0]
    X = np.round(rng.normal(size=(64, n_features)), 2).astype(dtype)
    X[:8], X[8] = codebook[:8], 0.0
    if n_features > 1:
        X[1::3, 0] = np.nan
    units, distances = nearest_units(X, codebook, metric=metric)

    for rows in (slice(0, 1), slice(1, 4), slice(5, 21)):
        few = nearest_units(X[rows], codebook, metric=metric)
        np.testing.assert_array_equal(few[0], units[rows])
        np.testing.assert_array_equal(few[1], distances[rows])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("far", [1e30, 1e100, -1e150])
def test_samples_beyond_float32_are_found_in_float64(engine, far):
    """A sample too far out for the search is still the nearest unit's."""
    codebook = np.array([[-1.0], [1.0], [0.5]])
    panels = packed(codebook, "euclidean", engine.PANEL, has_missing=False, is_training=True)
    sums, counts = np.zeros((3, 2)), np.zeros(3)

    engine.add_nearest(read_only(np.array([[far]])), np.ones(1), panels, sums, counts)

    assert counts.tolist() == ([0, 1, 0] if far > 0 else [1, 0, 0])


def test_a_common_offset_costs_no_digits():
    """Units are centred before they are rounded to float32."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(500, 3)), rng.normal(size=(40, 3))
    panels = packed(
        codebook + 1e9, "euclidean", compiled.PANEL, has_missing=False, is_training=True
    )
    sums, counts = np.zeros((40, 4)), np.zeros(40)

    compiled.add_nearest(read_only(X + 1e9), np.ones(500), panels, sums, counts)

    units = brute_force(X, codebook, "euclidean").argmin(axis=1)
    np.testing.assert_array_equal(counts, np.bincount(units, minlength=40))


def test_large_codebooks_are_swept_in_groups(monkeypatch):
    """Panels that do not fit the cache together give what they would give at once."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(50, 4)), rng.normal(size=(200, 4))
    whole = found_by(compiled, X, codebook, "euclidean")

    monkeypatch.setattr("modemap.kernels.maps.panels.GROUP_BYTES", 1)

    for one, other in zip(whole, found_by(compiled, X, codebook, "euclidean"), strict=True):
        np.testing.assert_array_equal(one, other)


def clumps_and_codebook(kind):
    """Return samples of 100 features, and 300 units that are found by parts of the features."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(9, 100)) * (kind != "one cloud")
    X = places[rng.integers(0, 9, size=500)] + rng.normal(0.0, 0.4, size=(500, 100))
    codebook = places[np.arange(300) // 34] + rng.normal(0.0, 0.2, size=(300, 100))
    if kind == "ties":
        codebook = np.repeat(codebook[::2], 2, axis=0)
        X[:150] = codebook[::2]
    if kind == "far out":
        X[::7] *= 1e30
        X[3] = 1e150
    return X.astype(np.float32) if kind == "single precision" else X, codebook


@pytest.mark.parametrize("kind", ["clumps", "one cloud", "ties", "far out", "single precision"])
def test_tiles_that_are_left_early_change_no_result(kind):
    """Sums, counts and units are to the bit those of a search to the end, and those of float64."""
    X, codebook = clumps_and_codebook(kind)
    arguments = ("euclidean", compiled.PANEL)

    early, full = [], []
    left_early = packed(codebook, *arguments, has_missing=False)
    assert left_early.is_early
    for found, panels in ((early, left_early), (full, left_early.whole)):
        sums, counts = np.zeros((300, 101)), np.zeros(300)
        distance = compiled.add_nearest(X, np.ones(len(X)), panels, sums, counts)
        units, distances = np.empty(len(X), dtype=np.int64), np.empty(len(X))
        compiled.find_nearest(X, panels, units, distances)
        found += [sums, counts, distance, units, distances]

    for one, other in zip(early, full, strict=True):
        np.testing.assert_array_equal(one, other)
    with np.errstate(over="ignore"):
        expected = brute_force(X.astype(np.float64), codebook, "euclidean")
    np.testing.assert_array_equal(early[3], expected.argmin(axis=1))


def test_what_is_left_of_a_unit_is_never_rounded_down():
    """Lengths behind each part of the features are bounds."""
    _, codebook = clumps_and_codebook("clumps")
    panels = packed(codebook, "euclidean", compiled.PANEL, has_missing=False)

    rests = np.linalg.norm(panels.panels.transpose(1, 0, 2).reshape(100, -1)[13:], axis=0)

    assert panels.coarse.shape[1:] == panels.panels.shape[1:]
    assert (panels.rests[0] >= rests).all()
    np.testing.assert_allclose(panels.rests[0], rests, rtol=1e-3)
    assert not panels.rests[-1].any()


@pytest.mark.parametrize(
    "grid", [Grid(5, 6), Grid(6, 5, "hexagonal"), Grid(4, 5, "hexagonal", "toroidal"), Grid(1, 1)]
)
@pytest.mark.parametrize("kind", range(4))
def test_online_training_agrees_with_the_twin(grid, kind):
    """Sweeps in float32 and loops in float64 end where NumPy ends."""
    rng = np.random.default_rng(0)
    X, codebook = rng.normal(size=(40, 3)), rng.normal(size=(grid.n_units, 3))
    order = rng.integers(0, 40, size=100)
    rates, radii = np.linspace(0.2, 0.01, 100), np.linspace(2.0, 0.8, 100)

    results = []
    for engine in ENGINES:
        width = engine.ONLINE_PANEL
        padded = np.full((-(-grid.n_units // width) * width, 3), 1e15, dtype=np.float32)
        padded[: grid.n_units] = codebook
        panels = np.ascontiguousarray(padded.reshape(-1, width, 3).transpose(0, 2, 1))
        told = np.empty(100), np.empty(100, dtype=bool)
        engine.train_complete(
            read_only(X),
            order,
            rates,
            radii,
            grid.lattice,
            kind,
            np.zeros(3),
            1.0,
            panels,
            1,
            *told,
        )
        units = panels.transpose(0, 2, 1).reshape(-1, 3)[: grid.n_units]
        features = codebook.T.copy(order="C")
        other = np.empty(100), np.empty(100, dtype=bool)
        engine.train_any(
            read_only(X), order, rates, radii, grid.lattice, kind, 0, FREE, features, *other
        )
        results += [(units, *told), (features.T, *other)]

    for units, errors, are_apart in results[1:]:
        np.testing.assert_allclose(units, results[0][0], atol=2e-5)
        np.testing.assert_allclose(errors, results[0][1], atol=2e-5)
        np.testing.assert_array_equal(are_apart, results[0][2])


@pytest.mark.parametrize("metric", range(4))
def test_online_training_with_any_metric_agrees_with_the_twin(metric):
    """Missing values move nothing in their feature."""
    rng = np.random.default_rng(0)
    X, grid = rng.normal(3.0, 1.0, size=(40, 3)), Grid(3, 4)
    X[rng.uniform(size=X.shape) < 0.2] = np.nan
    X[:, 0] = 1.0
    order, rates, radii = np.arange(40), np.full(40, 0.3), np.full(40, 1.2)
    start = rng.normal(3.0, 1.0, size=(3, 12))
    bounds = np.array([[2.0] * 3, [3.5] * 3])

    results = []
    for engine in ENGINES:
        features = start.copy()
        told = np.empty(40), np.empty(40, dtype=bool)
        engine.train_any(
            read_only(X), order, rates, radii, grid.lattice, 0, metric, bounds, features, *told
        )
        results.append((features, *told))

    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_mixing_is_the_matrix_product(engine):
    """With sums in the order of their terms."""
    rng = np.random.default_rng(0)
    strengths, values = rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    strengths[0, 2] = 0.0
    mixed = np.empty((4, 3))

    engine.mix(strengths, values, mixed)

    np.testing.assert_allclose(mixed, strengths @ values)
