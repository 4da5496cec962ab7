"""However rows are cut into batches, the fit is that of the array, to the last bit."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemap.estimators import BayesianGaussianMixture, ModeNormalizer, SelfOrganizingMap, blocks
from modemap.estimators.blocks import Blocks, EvenSample, reblocked

N_ROWS = 5000


def cut(X, cuts):
    """Return the rows in batches that end at ``cuts``."""
    return Blocks(len(X), lambda start, stop: iter(np.split(X[start:stop], cuts)))


@pytest.fixture(name="X", scope="module")
def samples():
    """Return rows of three clumps."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_ROWS, 3)) + 4 * rng.integers(0, 3, (N_ROWS, 1))


@pytest.fixture
def _small_blocks(monkeypatch):
    """Cut rows at every thousandth or so: as many millions are."""
    monkeypatch.setattr(blocks, "GRAIN", 1 << 10)
    monkeypatch.setattr(blocks, "MAX_ROWS", 1 << 10)
    monkeypatch.setattr("modemap.estimators.rows.GRID", 1 << 8)


def fitted(model, X, folder, name):
    """Return the bytes of the model fitted to ``X``."""
    model.fit(X).save(folder / name)
    return (folder / name).read_bytes()


MODELS = {
    "map": SelfOrganizingMap(4, 5, max_iter=3),
    "map of missing values": SelfOrganizingMap(3, 3, max_iter=2, init="random", random_state=0),
    "mixture": BayesianGaussianMixture(n_components=3, random_state=0, max_iter=500, tol=1.0),
    "column": BayesianGaussianMixture(n_components=3, random_state=0, max_iter=500, tol=1.0),
    "modes": ModeNormalizer(4, random_state=0),
}


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "cuts", [[1024, 2048, 3072, 4096], [7, 8, 1500, 4999]], ids=["even", "odd"]
)
def test_batches_give_the_bytes_of_the_array(X, tmp_path, name, cuts):
    """Sums are added up in one order, that of rows alone."""
    rows = X[:, :1] if name == "column" else X.copy()
    if "missing" in name:
        rows[3000::7, 1] = np.nan

    whole = fitted(MODELS[name], rows, tmp_path, "whole")

    assert fitted(MODELS[name], cut(rows, cuts), tmp_path, "cut") == whole


@pytest.mark.usefixtures("_small_blocks")
def test_weights_belong_to_rows_not_to_batches(X):
    """Rows of weight 0 are left out before parts are cut."""
    weights = np.random.default_rng(1).integers(0, 3, N_ROWS)
    som = SelfOrganizingMap(3, 3, max_iter=2)

    whole = som.fit(X, sample_weight=weights).codebook_
    parts = som.fit(cut(X, [10, 3000]), sample_weight=weights).codebook_

    assert np.array_equal(whole, parts)


@given(
    cuts=st.lists(st.integers(0, 100), max_size=6).map(sorted),
    size=st.integers(1, 120),
    limit=st.integers(1, 120),
)
def test_blocks_and_samples_know_nothing_of_the_cuts(cuts, size, limit):
    """Blocks of one size hold all rows in order; an even sample is of the same rows."""
    X = np.arange(200.0).reshape(100, 2)
    parts = np.split(X, cuts)

    found = list(reblocked(parts, size))

    assert [len(block) for block in found[:-1]] == [size] * (len(found) - 1)
    assert 0 < len(found[-1]) <= size
    assert np.array_equal(np.concatenate(found), X)
    whole, cut_up = EvenSample(limit), EvenSample(limit)
    whole.add(X)
    for part in parts:
        cut_up.add(part)
    assert np.array_equal(whole.values(), cut_up.values())
    assert min(limit, 100) / 2 <= len(whole.values()) <= limit


def test_a_mixture_of_too_few_rows_in_batches_is_refused():
    """The message is that for an array."""
    X = np.random.default_rng(0).normal(size=(6, 2))

    with pytest.raises(ValueError, match="n_components = 7, n_samples = 6"):
        BayesianGaussianMixture(n_components=7).fit(cut(X, [3]))


class Reading:
    """Reads the rows of an array in parts, and says how often all were read."""

    def __init__(self, X):
        self.X, self.n_times = X, 0

    def __call__(self, start, stop):
        """Yield the rows."""
        for first in range(start, stop, 700):
            yield self.X[first : min(first + 700, stop)]
        self.n_times += (start, stop) == (0, len(self.X))


def test_few_rows_are_read_once(X):
    """Later passes, whole or of some rows, find what the first has read."""
    reading = Reading(X)
    rows = Blocks(len(X), reading).kept(3)
    next(rows.batches())  # left in the middle: nothing is kept of it

    passes = [np.concatenate(list(rows.batches())) for _ in range(3)]
    some = [np.concatenate(list(rows.read(*span))) for span in ((0, 10), (650, 2500), (4990, 5000))]

    assert reading.n_times == 1
    assert all(np.array_equal(found, X) for found in passes)
    spans = (slice(0, 10), slice(650, 2500), slice(4990, 5000))
    assert all(np.array_equal(found, X[span]) for found, span in zip(some, spans, strict=True))


def test_another_process_reads_anew(X):
    """What is sent there is how to read, not what was read."""
    rows = Blocks(len(X), Reading(X)).kept(3)
    list(rows.batches())

    sent = pickle.loads(pickle.dumps(rows))  # noqa: S301  # our own
    list(sent.batches())

    assert sent.read._read.n_times == 2
    assert len(pickle.dumps(rows)) < 1.1 * len(pickle.dumps(Reading(X)))


def test_many_rows_are_read_each_time(X, monkeypatch):
    """What would take more than the bound stays where it is."""
    monkeypatch.setattr(blocks, "MAX_KEPT_BYTES", X.nbytes - 1)
    reading = Reading(X)
    rows = Blocks(len(X), reading).kept(3)
    for _ in range(2):
        list(rows.batches())
    assert reading.n_times == 2
