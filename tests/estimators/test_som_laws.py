"""What holds for every map, whatever the samples: laws as properties."""

import hashlib
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from modemap.estimators import SelfOrganizingMap
from modemap.kernels import BOUNDARIES, METRICS, NEIGHBORHOODS, TOPOLOGIES

VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))
CLOSE = {"rtol": 1e-7, "atol": 1e-7}
KINDS = list(product(TOPOLOGIES, BOUNDARIES))


@st.composite
def samples(draw, values=VALUES):
    """Draw samples (n, 3) of which no two are alike."""
    X = draw(arrays(np.float64, (draw(st.integers(4, 40)), 3), elements=values))
    return X + np.arange(len(X))[:, np.newaxis] * [0.37, -0.11, 0.05]


def start(n_units=12):
    """Return units that are in general position."""
    return np.random.default_rng(0).normal(scale=50.0, size=(n_units, 3))


@settings(deadline=None, max_examples=40)
@given(X=samples(), cuts=st.lists(st.integers(1, 39), max_size=4))
def test_any_split_into_batches_of_an_epoch_equals_one_batch(X, cuts):
    """An epoch does not know where its samples were cut."""
    batches = [
        part for part in np.split(X, sorted({cut for cut in cuts if cut < len(X)})) if len(part)
    ]
    arguments = {"init": start(), "max_iter": 3, "radius": (2.0, 1.0)}
    whole, cut = SelfOrganizingMap(3, 4, **arguments), SelfOrganizingMap(3, 4, **arguments)

    for _ in range(3):
        whole.partial_fit(X, new_epoch=True)
        for i, batch in enumerate(batches):
            cut.partial_fit(batch, new_epoch=i == 0)

    np.testing.assert_allclose(cut.codebook_, whole.codebook_, **CLOSE)
    np.testing.assert_allclose(cut.unit_counts_, whole.unit_counts_)
    assert cut.n_iter_ == whole.n_iter_ == 3
    assert cut.history_["radius"] == [2.0, 1.5, 1.0]


@settings(deadline=None, max_examples=40)
@given(X=samples())
def test_epochs_of_partial_fit_are_those_of_fit(X):
    """One batch for each epoch ends where fit ends."""
    arguments = {"init": start(), "max_iter": 3, "radius": (2.0, 1.0)}
    whole = SelfOrganizingMap(3, 4, **arguments).fit(X)
    parts = SelfOrganizingMap(3, 4, **arguments)

    for _ in range(3):
        parts.partial_fit(X, new_epoch=True)

    np.testing.assert_allclose(parts.codebook_, whole.codebook_, **CLOSE)


@settings(deadline=None, max_examples=40)
@given(X=samples(), data=st.data())
def test_integer_weights_equal_repeated_rows(X, data):
    """A weight of 2 counts as the sample twice, and sides left out follow from the total."""
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(X), max_size=len(X))))
    weights[0] = 1
    som = SelfOrganizingMap(max_iter=2)

    weighted = som.fit(X, sample_weight=weights).codebook_
    repeated = som.fit(np.repeat(X, weights, axis=0)).codebook_

    np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(X=samples(), seed=st.integers(0, 99))
def test_the_order_of_rows_changes_rounding_only(X, seed):
    """Batch training sums."""
    som = SelfOrganizingMap(3, 4, init=start(), max_iter=2)
    shuffled = np.random.default_rng(seed).permutation(X)

    np.testing.assert_allclose(som.fit(X).codebook_, som.fit(shuffled).codebook_, **CLOSE)


@settings(deadline=None, max_examples=40)
@given(X=samples(), metric=st.sampled_from(METRICS))
def test_a_sample_with_a_missing_value_leaves_the_others_as_they_are(X, metric):
    """Where nothing is missing, distances of both paths agree."""
    som = SelfOrganizingMap(3, 4, init=start(), max_iter=2, metric=metric).fit(X)
    extended = np.vstack((X, [1.0, np.nan, 2.0]))

    np.testing.assert_array_equal(som.predict(extended)[:-1], som.predict(X))
    np.testing.assert_array_equal(som.score_samples(extended)[:-1], som.score_samples(X))


@settings(deadline=None, max_examples=40)
@given(X=samples(), metric=st.sampled_from(METRICS))
def test_training_agrees_with_and_without_a_sample_that_lacks_a_value(X, metric):
    """A sample without weight takes training the path for missing values and changes nothing."""
    som = SelfOrganizingMap(3, 4, init=start(), max_iter=2, metric=metric)
    extended = np.vstack((X, [1.0, np.nan, 2.0]))
    weights = np.append(np.ones(len(X)), 0.0)

    codebook = som.fit(extended, sample_weight=weights).codebook_

    np.testing.assert_allclose(codebook, som.fit(X).codebook_, **CLOSE)


@settings(deadline=None, max_examples=30)
@given(
    X=samples(),
    topology=st.sampled_from(TOPOLOGIES),
    steps=st.tuples(st.integers(0, 1), st.integers(0, 4)),
)
def test_a_torus_has_no_edges(X, topology, steps):
    """A start that is shifted around the torus gives the same epoch, shifted.

    One epoch, whose units are in general position: after it some may be equally near to a sample
    but for rounding, and ties go to the lower unit, which the shift changes.
    """
    down, across = 2 * steps[0], steps[1]  # hexagonal rows alternate
    som = SelfOrganizingMap(4, 5, topology=topology, boundary="toroidal", max_iter=1)
    grid = start(20).reshape(4, 5, 3)

    plain = som.set_params(init=grid.reshape(20, 3)).fit(X).codebook_.reshape(4, 5, 3)
    moved = np.roll(grid, (down, across), axis=(0, 1)).reshape(20, 3)
    shifted = som.set_params(init=moved).fit(X).codebook_.reshape(4, 5, 3)

    np.testing.assert_allclose(shifted, np.roll(plain, (down, across), axis=(0, 1)), **CLOSE)


@pytest.mark.parametrize("training", ["batch", "online"])
@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("neighborhood", NEIGHBORHOODS)
@pytest.mark.parametrize("metric", METRICS)
def test_every_kind_of_map_fits_and_agrees_with_itself(training, kinds, neighborhood, metric):
    """Units are finite, predictions are the nearest units, and places lead back to them."""
    X = np.random.default_rng(0).normal(2.0, 1.0, size=(200, 3))
    som = SelfOrganizingMap(
        4, 5, topology=kinds[0], boundary=kinds[1], neighborhood=neighborhood, metric=metric,
        training=training, learning_rate=(0.1, 0.01), max_iter=5, radius=(2.0, 1.0), random_state=0,
    )  # fmt: skip

    units = som.fit_predict(X)

    assert np.isfinite(som.codebook_).all()
    assert np.abs(som.codebook_).max() < 100
    np.testing.assert_array_equal(units, som.distances(X).argmin(axis=1))
    np.testing.assert_allclose(som.score_samples(X), -som.distances(X).min(axis=1))
    np.testing.assert_array_equal(som.inverse_transform(som.transform(X)), som.codebook_[units])
    assert len(som.history_["topographic_error"]) == 5


def test_hexagonal_places_are_those_on_the_plane():
    """Every second row is shifted by half a unit."""
    som = SelfOrganizingMap(2, 2, topology="hexagonal", max_iter=1).fit(np.eye(3))

    places = som.transform(som.codebook_)

    np.testing.assert_allclose(places, som._grid.positions[som.predict(som.codebook_)])
    with pytest.raises(ValueError, match=r"X must hold positions \(row, column\)"):
        som.inverse_transform([[np.sqrt(0.75), 0.0]])


FIT = """
import hashlib, sys, numpy as np
from modemap import SelfOrganizingMap
X = np.random.default_rng(0).normal(size=(5000, 6))
X[::7, 2] = np.nan
for n_jobs in map(int, sys.argv[1:]):
    digest = hashlib.sha256()
    for training, n in (("batch", 3), ("online", 2)):
        som = SelfOrganizingMap(9, 8, training=training, init="sample", max_iter=n, random_state=0,
                                topology="hexagonal", n_jobs=n_jobs).fit(X)
        for array in (som.codebook_, som.unit_counts_, som.predict(X), som.score_samples(X)):
            digest.update(array.tobytes())
    print(digest.hexdigest())
"""


def test_seeds_give_the_same_bytes_on_any_number_of_threads_and_in_any_process():
    """Two processes, one with 1 and 2 threads and one with 1 and 4, agree."""
    printed = [
        subprocess.run(
            [sys.executable, "-c", FIT, *n_jobs], capture_output=True, text=True, check=True
        ).stdout.split()
        for n_jobs in ("12", "14")
    ]

    digests = printed[0] + printed[1]
    assert len(digests) == 4
    assert len(set(digests)) == 1
    assert len(digests[0]) == hashlib.sha256().digest_size * 2


@pytest.mark.slow
def test_a_second_process_waits_for_no_compiler(tmp_path):
    """Once the cache is warm, the first fit takes at most a second of the processor."""
    script = (
        "import time, numpy as np, numba, sklearn.base\n"
        "from modemap import SelfOrganizingMap\n"
        "import modemap.kernels.maps.compiled\n"
        "X = np.random.default_rng(0).normal(size=(500, 3))\n"
        "started = time.process_time()\n"
        "SelfOrganizingMap(5, 5).fit(X).predict(X)\n"
        "print(time.process_time() - started)"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    cold, warm = (
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        for _ in range(2)
    )

    assert float(warm.stdout) < 1.0 < float(cold.stdout)
    assert "compil" in cold.stderr
    assert warm.stderr == ""


def test_sparse_samples_give_what_dense_ones_give(monkeypatch):
    """In blocks of a few rows."""
    monkeypatch.setattr("modemap.estimators.samples.BLOCK_BYTES", 1000)
    rng = np.random.default_rng(0)
    X = np.where(rng.uniform(size=(300, 4)) < 0.3, rng.normal(size=(300, 4)), 0.0)
    som = SelfOrganizingMap(3, 4, max_iter=3)

    dense, sparse = som.fit(X).codebook_, som.fit(csr_matrix(X)).codebook_

    np.testing.assert_allclose(sparse, dense, **CLOSE)
    np.testing.assert_array_equal(som.predict(csr_matrix(X)), som.predict(X))
    np.testing.assert_array_equal(som.distances(csr_matrix(X)), som.distances(X))


def test_single_precision_gives_what_double_precision_gives():
    """And float32 samples stay what they are."""
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    som = SelfOrganizingMap(3, 4, max_iter=3)

    single, double = som.fit(X).codebook_, som.fit(X.astype(np.float64)).codebook_

    np.testing.assert_allclose(single, double, **CLOSE)
    np.testing.assert_array_equal(som.predict(X), som.predict(X.astype(np.float64)))
