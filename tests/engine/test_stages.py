"""The stages that train models give the same files whichever engine params.yaml names."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from modemap.estimators import Preparation, blocks
from modemap.params import DaskParams, Params, load_params
from modemap.stages import engines
from modemap.stages.train_mixture import train_mixture
from modemap.stages.train_som import train_som
from tests.projects import CHECKOUT
from tests.trees import contents

COLUMNS = ["delay", "distance"]


@pytest.fixture(scope="module")
def params():
    """Return the project's params with small models."""
    shipped = load_params(CHECKOUT / "params.yaml").model_dump(by_alias=True)
    som = {"n_rows": 4, "n_columns": 5, "max_iter": 3, "radius": [2.0, 1.0], "random_state": 1}
    mixture = shipped["train_mixture"] | {"n_components": 2, "tol": 1.0}
    return Params.model_validate(
        shipped | {"train_som": som | {"n_segments": 4}, "train_mixture": mixture}
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return a folder as `prepare` leaves it, its files and row groups of odd sizes."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    clumps = rng.normal([0, 500], [5, 50], (3000, 2)), rng.normal([60, 2000], [15, 200], (2000, 2))
    rows = rng.permutation(np.round(np.concatenate(clumps), 1))
    Preparation(COLUMNS, dict.fromkeys(COLUMNS, "drop")).fit(rows).save(folder / "preparation.npz")
    parts = {"train": [0, 1300, 1310, 3700], "validation": [3700, 4500], "test": [4500, 5000]}
    for split, cuts in parts.items():
        (folder / split).mkdir()
        for number, (start, stop) in enumerate(pairwise(cuts)):
            table = pa.table(dict(zip(COLUMNS, rows[start:stop].T, strict=True)))
            pq.write_table(table, folder / split / f"{number}.parquet", row_group_size=333)
    return folder


@pytest.fixture(params=[1 << 10, 1 << 18], ids=["many blocks", "one block"])
def _cut(request, monkeypatch):
    """Cut rows into blocks of one size or another."""
    monkeypatch.setattr(blocks, "GRAIN", min(request.param, blocks.GRAIN))
    monkeypatch.setattr(blocks, "MAX_ROWS", request.param)


def trained(prepared, folder, params, **engine):
    """Return all bytes that both stages write, by name."""
    for stage, section in ((train_som, params.train_som), (train_mixture, params.train_mixture)):
        name = stage.__name__
        place = folder / name
        place.mkdir(parents=True)
        stage(prepared, place / "model", place / "metrics.json", place / "plots", section, **engine)
    return contents(folder)


@pytest.mark.usefixtures("_cut")
def test_both_engines_write_the_same_files(prepared, params, engine, tmp_path, monkeypatch):
    """Models, metrics and pictures."""
    monkeypatch.chdir(prepared.parent)  # workers are in another folder
    rows = prepared.relative_to(prepared.parent)

    here = trained(rows, tmp_path / "here", params)
    spread = trained(rows, tmp_path / "spread", params, engine=engine)

    assert len(here) == 12
    assert spread == here


def test_no_stage_runs_again_for_another_engine():
    """DVC watches the sections of a stage alone."""
    stages = YAML(typ="safe").load((CHECKOUT / "dvc.yaml").read_text())["stages"]

    for stage in stages.values():
        assert not {"engine", "dask", "memory_limit"} & set(stage["params"])


def test_params_say_which_cluster(params, monkeypatch):
    """Scheduler, workers and memory reach the engine; the local one asks for nothing."""
    asked = []

    class Opened:
        def __init__(self, **settings):
            asked.append(settings)

        def __enter__(self):
            return "engine"

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(engines, "dask_engine", Opened)
    cluster = DaskParams(scheduler="tcp://10.0.0.1:8786")
    settings = {"engine": "dask", "dask": cluster, "memory_limit": 1 << 30}

    with engines.opened_engine(params, "train_som") as local:
        assert local is engines.LOCAL
    with engines.opened_engine(params.model_copy(update=settings), "train_som") as found:
        assert found == "engine"

    [settings] = asked
    assert settings.pop("tell")(1, 2, 3) is None
    assert settings == {
        "scheduler": "tcp://10.0.0.1:8786",
        "n_workers": None,
        "memory": 1 << 30,
    }
