"""However rows are cut into batches, the fit is that of the array, to the last bit."""

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
