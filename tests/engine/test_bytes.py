"""Models that a Dask cluster trains are those of a single process, to the byte."""

import os
import signal
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from modemap.estimators import BayesianGaussianMixture, ModeNormalizer, SelfOrganizingMap
from modemap.estimators.blocks import Blocks

N_ROWS = 7000  # seven blocks: no power of two, and an odd one at the end


def part_of(X, start, stop):
    """Read rows, some hundreds at a time."""
    return iter([X[low:high] for low, high in pairwise([*range(start, stop, 700), stop])])


def blocks_of(X):
    """Return rows that any process can read."""
    return Blocks(len(X), partial(part_of, X))


@pytest.fixture(name="X", scope="module")
def samples():
    """Return rows of three clumps."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_ROWS, 3)) + 4 * rng.integers(0, 3, (N_ROWS, 1))


def saved(model, folder, name):
    """Return the bytes of a fitted model."""
    model.save(folder / name)
    return (folder / name).read_bytes()


def with_holes(X):
    """Return the rows with values missing, in some blocks alone."""
    holed = X.copy()
    holed[3000:5500:7, 1] = np.nan
    holed[4000:6000:11, 2] = np.nan
    return holed


def mixture(**settings):
    """Return a mixture that iterates some times."""
    settings = {"n_components": 3, "random_state": 0, "max_iter": 300, "tol": 1.0} | settings
    return BayesianGaussianMixture(**settings)


WHOLE = np.random.default_rng(1).integers(0, 4, N_ROWS).astype(float)
SHARES = np.where(WHOLE > 0, np.random.default_rng(2).uniform(0.1, 2.0, N_ROWS), 0.0)
CASES = {
    "map": (SelfOrganizingMap(4, 5, max_iter=3), None),
    "map of drawn samples": (SelfOrganizingMap(None, 4, max_iter=2, init="sample"), SHARES),
    "map with missing values": (SelfOrganizingMap(3, 3, max_iter=2, init="random"), WHOLE),
    "map of one unit": (SelfOrganizingMap(1, 1, max_iter=1), None),
    "mixture": (mixture(), None),
    "mixture with missing values": (mixture(), SHARES),
    "mixture with whole weights": (mixture(covariance_type="diag"), WHOLE),
    "mixture from drawn rows": (mixture(init_params="random_from_data"), None),
    "mixture from shares in turn": (mixture(init_params="random", max_iter=20, tol=1e9), None),
    "column": (mixture(), None),
    "column with missing values": (mixture(), WHOLE),
    "column with shares": (mixture(), SHARES),
    "column from drawn rows": (mixture(init_params="k-means++"), None),
    "modes": (ModeNormalizer(4, random_state=0), None),
    "modes with missing values": (ModeNormalizer(4, random_state=0), None),
}


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("case", CASES)
def test_a_cluster_gives_the_bytes_of_the_array(X, engine, tmp_path, case):
    """Blocks are cut and added up in one order, wherever they lie."""
    model, weights = CASES[case]
    rows = with_holes(X) if "missing" in case else X
    rows = np.tile(rows, (3, 1)) if case.startswith("column") else rows
    rows = np.ascontiguousarray(rows[:, 1:2]) if case.startswith("column") else rows
    settings = {} if isinstance(model, ModeNormalizer) else {"sample_weight": weights}
    if weights is not None and case.startswith("column"):
        settings = {"sample_weight": np.tile(weights, 3)}
    if isinstance(model, SelfOrganizingMap):
        model.set_params(random_state=0)

    whole = saved(model.fit(rows, **settings), tmp_path, "whole")

    spread = engine.spread(blocks_of(rows))
    assert saved(model.fit(spread, **settings), tmp_path, "spread") == whole
    here = blocks_of(rows)
    assert saved(model.fit(here, **settings), tmp_path, "here") == whole


@pytest.mark.usefixtures("_small_blocks")
def test_online_training_reads_the_rows_here(X, engine, tmp_path):
    """One sample after the other, as from any stream."""
    som = SelfOrganizingMap(3, 3, max_iter=2, training="online", random_state=0)

    here = saved(som.fit(blocks_of(X)), tmp_path, "here")

    assert saved(som.fit(engine.spread(blocks_of(X))), tmp_path, "spread") == here


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("kind", ["array", "single precision", "frame"])
@pytest.mark.parametrize("name", ["map", "mixture", "modes"])
def test_collections_are_fitted_as_what_they_hold(X, engine, tmp_path, kind, name):
    """Partitions of any size, names and precision included."""
    import dask.array
    import dask.dataframe
    import pandas as pd

    model, rows = CASES[name][0], X.astype(np.float32) if kind == "single precision" else X
    if kind == "frame":
        rows = pd.DataFrame(X, columns=["a", "b", "c"]).assign(b=np.arange(N_ROWS) % 5)
        collection = dask.dataframe.from_pandas(rows, npartitions=5)
    else:
        collection = dask.array.from_array(rows, chunks=((13, 4987, 0, 2000), (2, 1)))

    whole = saved(model.fit(rows), tmp_path, "whole")

    assert saved(model.fit(engine.spread(collection)), tmp_path, "spread") == whole
    if kind == "frame":
        assert model.feature_names_in_.tolist() == ["a", "b", "c"]


def dying_part_of(X, marks, spared, start, stop):
    """Read rows; at the fourth time or so the process that reads is killed, once."""
    if os.getpid() != spared and not (marks / "died").exists():
        count = len([*marks.iterdir()])
        if count < 3:
            (marks / f"{count} {os.getpid()}").touch()
        elif _is_first(marks / "died"):
            os.kill(os.getpid(), signal.SIGKILL)
    return part_of(X, start, stop)


def _is_first(mark):
    """Make the file; tell whether no other process has made it."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("name", ["map", pytest.param("mixture", marks=pytest.mark.slow)])
def test_a_worker_killed_in_the_middle_changes_nothing(X, engine, tmp_path, monkeypatch, name):
    """Its blocks are read and worked on elsewhere."""
    model = CASES[name][0]
    whole = saved(model.fit(X), tmp_path, "whole")
    monkeypatch.setattr(engine, "_room", 0)  # every pass reads again
    marks = tmp_path / "marks"
    marks.mkdir()

    rows = Blocks(N_ROWS, partial(dying_part_of, X, marks, os.getpid()))
    spread = saved(model.fit(engine.spread(rows)), tmp_path, "spread")

    assert (marks / "died").exists()
    assert spread == whole


@pytest.mark.slow
@pytest.mark.usefixtures("_small_blocks")
def test_partitions_that_die_with_a_worker_are_computed_again(X, engine, tmp_path):
    """Nothing is held in one place alone."""
    import dask.array

    model = CASES["map"][0]
    whole = saved(model.fit(X), tmp_path, "whole")
    spread = engine.spread(dask.array.from_array(X, chunks=(900, 3)))
    model.fit(spread)

    victim = next(iter(engine._client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)

    assert saved(model.fit(spread), tmp_path, "spread") == whole


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("model", [SelfOrganizingMap(2, 2), mixture()])
def test_what_an_array_may_not_hold_a_cluster_refuses_too(X, engine, model):
    """The message is that of the rows' own process."""
    spoiled = X.copy()
    spoiled[5000, 2] = np.inf

    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.fit(engine.spread(blocks_of(spoiled)))


def test_weights_must_be_as_many_as_rows(X, engine):
    """Said before anything is sent."""
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(7000,\)"):
        SelfOrganizingMap(2, 2).fit(engine.spread(blocks_of(X)), sample_weight=np.ones(6999))


def test_other_things_cannot_be_spread(engine):
    """A list is no collection."""
    with pytest.raises(TypeError, match="Blocks or a Dask collection, got list"):
        engine.spread([1.0])
