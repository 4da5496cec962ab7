"""The laws of the self-organising map."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from modemap.estimators import ModeNormalizer, SelfOrganizingMap
from modemap.metrics import quantization_error, topographic_error

SHAPES = [(1, 1), (1, 7), (7, 1), (2, 5), (5, 2), (3, 4)]


@pytest.fixture(name="X")
def samples():
    """Return 3000 samples of four features, enough for several chunks."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(3000, 4)) * [3.0, 2.0, 1.0, 0.5]


def brute_force_epoch(X, codebook, shape, radius):
    """Return the codebook after one batch epoch, by the formula."""
    units = ((X[:, None] - codebook) ** 2).sum(axis=2).argmin(axis=1)
    places = np.stack(np.divmod(np.arange(len(codebook)), shape[1]), axis=1)
    squares = ((places[:, None] - places) ** 2).sum(axis=2)
    strength = np.exp(-squares / (2 * radius**2))[:, units]
    return strength @ X / strength.sum(axis=1, keepdims=True)


def test_an_epoch_is_the_weighted_mean_of_the_samples(X):
    """Sums by unit and smoothing give what the formula over all samples gives."""
    start = np.random.default_rng(1).normal(size=(12, 4))

    som = SelfOrganizingMap(3, 4, max_iter=1, radius=(1.5, 1.5), init=start).fit(X)

    np.testing.assert_allclose(som.codebook_, brute_force_epoch(X, start, (3, 4), 1.5))


def test_epochs_follow_the_schedule(X):
    """Three epochs are three times the formula, each with its radius."""
    codebook = np.random.default_rng(1).normal(size=(12, 4))

    som = SelfOrganizingMap(3, 4, max_iter=3, radius=(2.0, 1.0), init=codebook).fit(X)

    for radius in (2.0, 1.5, 1.0):
        codebook = brute_force_epoch(X, codebook, (3, 4), radius)
    np.testing.assert_allclose(som.codebook_, codebook, rtol=1e-9)
    assert som.history_["radius"] == [2.0, 1.5, 1.0]
    assert som.n_iter_ == 3


def test_the_order_of_samples_does_not_matter(X):
    """Shuffled samples give the same codebook, up to rounding."""
    shuffled = np.random.default_rng(1).permutation(X)

    one, other = (SelfOrganizingMap(5, 6).fit(rows) for rows in (X, shuffled))

    np.testing.assert_allclose(one.codebook_, other.codebook_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("init", ["pca", "random"])
def test_integer_weights_equal_repeated_samples(X, init):
    """A weight of 2 counts as the sample twice, and 0 as not there."""
    weights = np.random.default_rng(1).integers(0, 4, size=len(X))
    som = SelfOrganizingMap(4, 5, init=init, random_state=0)

    weighted = som.fit(X, sample_weight=weights).codebook_
    repeated = som.fit(np.repeat(X, weights, axis=0)).codebook_

    np.testing.assert_allclose(weighted, repeated, rtol=1e-8, atol=1e-10)


def test_samples_without_weight_move_nothing(X):
    """Far outliers of weight 0 are not seen by any start."""
    outliers = np.full((50, 4), 1e6)
    weights = np.repeat([1.0, 0.0], [len(X), 50])

    for init in ("pca", "random", "sample"):
        som = SelfOrganizingMap(4, 5, init=init, random_state=0)
        som.fit(np.concatenate((X, outliers)), sample_weight=weights)
        assert np.abs(som.codebook_).max() < 100


@pytest.mark.parametrize("init", ["pca", "random", "sample"])
@pytest.mark.parametrize("n_jobs", [2, 4, -1])
def test_the_number_of_threads_changes_no_bit(X, tmp_path, init, n_jobs):
    """Everything learned is equal in every byte."""
    alone, together = (
        SelfOrganizingMap(6, 6, init=init, random_state=0, n_jobs=n).fit(X) for n in (1, n_jobs)
    )

    alone.save(tmp_path / "alone.npz")
    together.save(tmp_path / "together.npz")

    assert (tmp_path / "alone.npz").read_bytes() == (tmp_path / "together.npz").read_bytes()
    np.testing.assert_array_equal(alone.distances(X), together.distances(X))
    np.testing.assert_array_equal(alone.score_samples(X), together.score_samples(X))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("neighborhood", ["gaussian", "bubble"])
@pytest.mark.parametrize("init", ["pca", "random", "sample"])
def test_maps_of_any_shape_fit(X, shape, neighborhood, init):
    """Narrow maps are maps too, and all units stay within the data."""
    som = SelfOrganizingMap(*shape, neighborhood=neighborhood, init=init, random_state=0).fit(X)

    assert som.codebook_.shape == (shape[0] * shape[1], 4)
    assert (som.codebook_ >= X.min(axis=0)).all()
    assert (som.codebook_ <= X.max(axis=0)).all()
    assert som.unit_counts_.sum() == len(X)


def test_a_map_of_one_unit_is_the_mean(X):
    """There is nowhere else to go."""
    som = SelfOrganizingMap(1, 1).fit(X, sample_weight=np.arange(len(X)))

    np.testing.assert_allclose(som.codebook_[0], np.average(X, axis=0, weights=np.arange(len(X))))


@pytest.mark.parametrize("init", ["pca", "random", "sample"])
@pytest.mark.parametrize(
    "X",
    [
        np.array([[1.0, 2.0]]),
        np.full((40, 2), 0.1),
        np.column_stack((np.arange(9.0), np.full(9, 7.0))),
        np.arange(5.0).reshape(-1, 1),
        np.array([[1e150, -1e150], [-1e150, 1e150]]),
        np.array([[1e-149], [0.0]]),
    ],
    ids=["one sample", "duplicates", "constant column", "one feature", "huge", "tiny"],
)
def test_degenerate_samples_fit(X, init):
    """Units are finite and lie within the data."""
    som = SelfOrganizingMap(3, 4, init=init, random_state=0).fit(X)

    slack = 1e-12 * np.abs(X).max(axis=0)
    assert np.isfinite(som.codebook_).all()
    assert (som.codebook_ >= X.min(axis=0) - slack).all()
    assert (som.codebook_ <= X.max(axis=0) + slack).all()
    assert np.isfinite(som.score_samples(X)).all()


def test_units_that_no_sample_reaches_stay_where_they_are():
    """With no neighbour close enough there is nothing to learn from."""
    start = np.array([[0.0], [50.0], [99.0]])
    som = SelfOrganizingMap(1, 3, neighborhood="bubble", radius=(0.5, 0.5), init=start)

    som.fit(np.array([[1.0], [2.0], [98.0]]))

    assert som.codebook_.ravel().tolist() == [1.5, 50.0, 98.0]
    assert som.unit_counts_.tolist() == [2.0, 0.0, 1.0]


def test_strengths_too_small_to_divide_by_do_not_count():
    """A tiny radius leaves far units in place instead of at a quotient of lost digits."""
    start = np.array([[0.0], [50.0], [99.0]])

    som = SelfOrganizingMap(1, 3, radius=(0.0265, 0.0265), init=start).fit(np.array([[1.0]]))

    assert som.codebook_.ravel().tolist() == [1.0, 50.0, 99.0]


def test_the_longer_side_follows_the_first_component():
    """A map of a line rises along it, never mirrored."""
    X = np.linspace(-5, 5, 200)[:, None] * [3.0, 1.0]

    for shape in ((1, 6), (6, 1)):
        codebook = SelfOrganizingMap(*shape).fit(X).codebook_
        assert (np.diff(codebook[:, 0]) > 0).all()
        np.testing.assert_array_equal(
            SelfOrganizingMap(*shape).fit(X[::-1]).codebook_ > 0, codebook > 0
        )


def test_a_map_of_a_square_unfolds():
    """Neighbours on the grid are neighbours in the data."""
    X = np.random.default_rng(0).uniform(size=(2000, 2))

    som = SelfOrganizingMap(8, 8, max_iter=30).fit(X)

    assert topographic_error(X, som.codebook_, 8, 8) < 0.05
    assert quantization_error(X, som.codebook_) < 0.07  # 0.383 of the side of a cell at best


def test_the_history_ends_with_the_error_of_the_map(X):
    """Each entry is the quantization error after its epoch."""
    som = SelfOrganizingMap(5, 5).fit(X)

    assert len(som.history_["quantization_error"]) == som.n_iter_ == 20
    assert som.history_["quantization_error"][-1] == pytest.approx(
        quantization_error(X, som.codebook_)
    )


def test_what_it_says_of_samples_agrees_with_itself(X):
    """Units, positions, distances and scores are different views of one search."""
    som = SelfOrganizingMap(4, 6).fit(X)
    distances, units = som.distances(X), som.predict(X)

    np.testing.assert_allclose(distances, np.linalg.norm(X[:, None] - som.codebook_, axis=2))
    np.testing.assert_array_equal(units, distances.argmin(axis=1))
    np.testing.assert_array_equal(som.score_samples(X), -distances.min(axis=1))
    np.testing.assert_array_equal(som.transform(X) @ [6, 1], units)
    np.testing.assert_array_equal(som.inverse_transform(som.transform(X)), som.codebook_[units])
    np.testing.assert_array_equal(np.bincount(units, minlength=24), som.unit_counts_)


def test_a_given_start_is_not_written_to(X):
    """The array belongs to the caller."""
    start = np.zeros((4, 4))

    SelfOrganizingMap(2, 2, init=start).fit(X)

    assert not start.any()


def test_a_changed_argument_does_not_change_a_fitted_map(X):
    """Positions are those of the grid that was fitted."""
    som = SelfOrganizingMap(3, 4).fit(X)
    before = som.transform(X)

    som.set_params(n_columns=7)

    np.testing.assert_array_equal(som.transform(X), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "n_rows must be an integer >= 1, got 0"),
        ({"n_columns": 2.0}, "n_columns must be an integer >= 1, got 2.0"),
        ({"n_rows": True}, "n_rows must be an integer >= 1, got True"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0"),
        ({"radius": (1.0, 2.0)}, r"radius must be None or \(start, end\) .*, got \(1.0, 2.0\)"),
        ({"radius": (1.0, 0.0)}, r"start >= end > 0, got \(1.0, 0.0\)"),
        ({"radius": (np.inf, 1.0)}, r"got \(inf, 1.0\)"),
        ({"radius": 3.0}, "radius must be None or .*, got 3.0"),
        ({"radius": "84"}, "radius must be None or .*, got '84'"),
        ({"radius": (3.0, 2.0, 1.0)}, "radius must be None or"),
        (
            {"radius_decay": "root"},
            "radius_decay must be one of 'linear', 'exponential', 'inverse'",
        ),
        ({"neighborhood": "hat"}, "neighborhood must be one of 'gaussian', .*, got 'hat'"),
        ({"init": "zeros"}, "init must be one of 'pca', 'random', 'sample', got 'zeros'"),
        ({"init": np.zeros((3, 4))}, r"init must have shape \(289, 4\), got \(3, 4\)"),
        ({"init": np.full((100, 4), np.nan)}, "init contains NaN"),
        ({"n_jobs": 0}, "n_jobs must be None or an integer other than 0, got 0"),
        ({"n_jobs": "all"}, "n_jobs must be None or .*, got 'all'"),
    ],
)
def test_wrong_arguments_are_refused_by_fit(X, arguments, message):
    """The message names the argument, its rule and the value."""
    som = SelfOrganizingMap(**arguments)

    with pytest.raises(ValueError, match=message):
        som.fit(X)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight must have shape \(3000,\), got \(3,\)"),
        (-np.ones(3000), "sample_weight must be >= 0, and not zero everywhere"),
        (np.zeros(3000), "not zero everywhere, got values from 0.0 to 0.0"),
        (np.full(3000, np.nan), "sample_weight contains NaN"),
    ],
)
def test_wrong_weights_are_refused(X, weights, message):
    """The message says what weights may be."""
    with pytest.raises(ValueError, match=message):
        SelfOrganizingMap().fit(X, sample_weight=weights)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("method", ["fit", "predict", "transform", "score_samples", "distances"])
def test_infinite_values_are_refused(X, method, value):
    """No method looks past them."""
    som = SelfOrganizingMap(2, 2).fit(X)
    X = X.copy()
    X[7, 2] = value

    with pytest.raises(ValueError, match="infinity"):
        getattr(som, method)(X)


def test_values_whose_squares_overflow_are_refused():
    """A distance of infinity has no nearest unit."""
    with pytest.raises(ValueError, match=r"X must lie between -1e\+150 and 1e\+150, got 1e\+160"):
        SelfOrganizingMap().fit([[1e160], [0.0]])


@pytest.mark.parametrize("init", ["pca", "random", "sample"])
@pytest.mark.parametrize("training", ["batch", "online"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_samples_whose_squares_underflow_are_refused(X, init, training, method):
    """All distances would be 0, and all samples nearest to one unit."""
    som = SelfOrganizingMap(2, 2, init=init, training=training, random_state=0)

    with pytest.raises(ValueError, match=r"X must hold a value of 1e-150 or more .*: scale it"):
        getattr(som, method)(X * 1e-200)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("power", [-460, -150, 150, 460])
@pytest.mark.parametrize("training", ["batch", "online"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_unit_of_samples_does_not_matter(X, power, training, method):
    """Also far beyond what single precision holds: a power of two changes no digit."""
    arguments = {"max_iter": 2, "init": "sample", "training": training, "random_state": 0}

    maps = [
        getattr(SelfOrganizingMap(3, 3, **arguments), method)(X * unit)
        for unit in (1.0, 2.0**power)
    ]

    np.testing.assert_array_equal(maps[1].codebook_, maps[0].codebook_ * 2.0**power)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_the_score_is_minus_the_mean_quantization_error(X, metric):
    """Of rows with gaps too, and whatever y is."""
    som = SelfOrganizingMap(3, 4, metric=metric, max_iter=3).fit(X)
    gaps = X.copy()
    gaps[::7, 1] = np.nan

    assert som.score(X) == -som.distances(X).min(axis=1).mean()
    assert som.score(gaps, np.ones(len(X))) == som.score_samples(gaps).mean()
    assert som.score(som.codebook_) == 0.0


def test_a_search_needs_no_scoring(X):
    """It takes the parameters whose error on the held-out samples is least."""
    search = GridSearchCV(SelfOrganizingMap(n_columns=3, max_iter=2), {"n_rows": [1, 6]}, cv=2)

    search.fit(X)

    assert search.best_params_ == {"n_rows": 6}
    assert search.best_score_ < 0


@pytest.mark.parametrize(
    "X", [[["1.5", "2"], ["3", "4"]], np.array([["1"], ["2"]]), np.array([[b"1"], [b"2"]])]
)
def test_numbers_as_text_are_refused(X):
    """As the mode normaliser refuses them, before a fit and after it."""
    som = SelfOrganizingMap(2, 2).fit(np.arange(8.0).reshape(-1, np.shape(X)[1]))
    for model in (som, SelfOrganizingMap(2, 2)):
        with pytest.raises(ValueError, match="X must hold numbers, got text of dtype"):
            model.fit(X)
    with pytest.raises(ValueError, match="X must hold numbers, got text of dtype"):
        som.predict(X)
    with pytest.raises(ValueError, match="not compatible with arrays of bytes/strings"):
        ModeNormalizer().fit(X)


@pytest.mark.parametrize("method", ["predict", "transform", "score_samples", "distances"])
def test_another_number_of_features_is_refused(X, method):
    """The map knows what it was fitted on."""
    som = SelfOrganizingMap(2, 2).fit(X)

    with pytest.raises(ValueError, match="X has 3 features, but SelfOrganizingMap is expecting 4"):
        getattr(som, method)(X[:, :3])


@pytest.mark.parametrize("positions", [[[3, 0]], [[0, -1]], [[0.5, 0]], [[0, 0, 0]]])
def test_positions_beside_the_grid_are_refused(X, positions):
    """There is no unit there."""
    som = SelfOrganizingMap(3, 4).fit(X)

    with pytest.raises(ValueError, match=r"X must hold positions \(row, column\) on a grid of 3 x"):
        som.inverse_transform(positions)
