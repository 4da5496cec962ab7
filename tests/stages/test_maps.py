"""The stages that train and judge a map respect its whole grid."""

import shutil
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score

from modemap.estimators import Preparation, SelfOrganizingMap, blocks, segment_units
from modemap.files import read_json, write_json
from modemap.kernels import Grid
from modemap.lifecycle.evidence.clean_load import load_cleanly
from modemap.lifecycle.report.portrait import portray
from modemap.params import Params, TrainSomParams, load_params
from modemap.release import load_release
from modemap.stages.evaluate import agreement, assemble, evaluate, score_rows
from modemap.stages.train_som import new_map, train_som
from tests.projects import CHECKOUT

GRIDS = [
    {"topology": "hexagonal", "boundary": "toroidal"},
    {"topology": "hexagonal", "boundary": "planar"},
    {"topology": "rectangular", "boundary": "toroidal"},
]
SIDES = 4, 5
N_SEGMENTS = 4
PARTS = {"train": slice(0, 300), "validation": slice(300, 400), "test": slice(400, 500)}


def params_of(**settings) -> Params:
    """Return the project's params with a small map."""
    som = {"n_rows": 4, "n_columns": 5, "max_iter": 3, "radius": [2.0, 1.0], "random_state": 1}
    shipped = load_params(CHECKOUT / "params.yaml").model_dump(by_alias=True)
    shipped["prepare"]["columns"] = {"delay": "drop", "distance": "drop"}
    return Params.model_validate(
        shipped | {"train_som": som | {"n_segments": N_SEGMENTS} | settings}
    )


@pytest.fixture(scope="module")
def prepared(rows, tiny_release, tmp_path_factory):
    """Return a folder as `prepare` leaves it."""
    folder = tmp_path_factory.mktemp("prepared")
    Preparation.load(tiny_release / "preparation.npz").save(folder / "preparation.npz")
    for name, part in PARTS.items():
        table = pa.table(dict(zip(("delay", "distance"), rows[part].T, strict=True)))
        (folder / name).mkdir()
        pq.write_table(table, folder / name / "rows.parquet")
    missing = {"delay": 20, "distance": 0}
    write_json(folder / "shares.json", {"rows": 320, "missing": missing, "levels": {}})
    return folder


@pytest.fixture
def released(prepared, tiny_release, tmp_path):
    """Return a function that trains a map by its settings and returns params and the release."""

    def train(**settings):
        params = params_of(**settings)
        som, report = tmp_path / "som", tmp_path / "train_som.json"
        train_som(prepared, som, report, tmp_path / "plots", params.train_som)
        return params, assemble(prepared, som, tiny_release, tmp_path / "release", params)

    return train


def judged(prepared, folder, params, release):
    """Return what `evaluate` says of the release."""
    return evaluate(prepared, release, folder / "judged.json", folder / "judged", params)


def scaled(prepared, rows, part):
    """Return rows of one part as the models see them."""
    return Preparation.load(prepared / "preparation.npz").transform(rows[PARTS[part]])


def apart(distances, **grid) -> float:
    """Return the share of samples whose two nearest units are no neighbours.

    ``distances`` are those of all samples to all units.
    """
    pairs = np.sort(np.argsort(distances, axis=1)[:, :2], axis=1)
    edges = {tuple(edge) for edge in Grid(*SIDES, **grid).edges(8).tolist()}
    return float(np.mean([tuple(pair) not in edges for pair in pairs.tolist()]))


def small(monkeypatch):
    """Let a block have 64 rows."""
    monkeypatch.setattr(blocks, "GRAIN", 64)
    monkeypatch.setattr(blocks, "MAX_ROWS", 64)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: "-".join(grid.values()))
def test_a_map_is_trained_and_judged_on_its_grid(prepared, released, rows, tmp_path, grid):
    """Topographic errors, segments and the maps of other seeds: all know who neighbours whom."""
    topology, boundary = grid["topology"], grid["boundary"]

    params, release = released(**grid)
    numbers = judged(prepared, tmp_path, params, release)

    codebook = release.som.codebook_
    assert (release.som.topology, release.som.boundary) == (topology, boundary)
    assert release.manifest["params"]["train_som"].get("topology", "rectangular") == topology
    expected = segment_units(codebook, *SIDES, N_SEGMENTS, **grid)
    np.testing.assert_array_equal(release.segments, expected)
    trained = read_json(tmp_path / "train_som.json")
    for part, report in (("validation", trained), ("test", numbers)):
        X = scaled(prepared, rows, part)
        distances = np.linalg.norm(X[:, np.newaxis] - codebook, axis=2)
        assert report["topographic_error"] == pytest.approx(apart(distances, **grid))
    assert numbers["stability"] == pytest.approx(refitted(prepared, rows, params, grid))


def refitted(prepared, rows, params, grid) -> float:
    """Return the least agreement between segments of maps of other seeds, step by step."""
    train, test = (scaled(prepared, rows, part) for part in ("train", "test"))
    labels = []
    for seed in range(params.evaluate.n_seeds):
        drawn = np.random.default_rng([1, seed]).integers(len(train), size=len(train))
        som = SelfOrganizingMap(*SIDES, max_iter=3, radius=(2.0, 1.0), random_state=seed, **grid)
        som.fit(train[drawn])
        labels.append(segment_units(som.codebook_, *SIDES, N_SEGMENTS, **grid)[som.predict(test)])
    return min(adjusted_rand_score(a, b) for a, b in combinations(labels, 2))


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: "-".join(grid.values()))
def test_the_portrait_is_of_the_maps_grid(prepared, released, grid):
    """The report is told what to draw, and distances between true neighbours."""
    _, release = released(**grid)

    picture = portray(prepared, release).map

    codebook, edges = release.som.codebook_, Grid(*SIDES, **grid).edges()
    steps = np.linalg.norm(codebook[:, np.newaxis] - codebook, axis=2)
    near = np.zeros_like(steps, dtype=bool)
    near[tuple(edges.T)] = True
    near |= near.T
    expected = [own[beside].mean() for own, beside in zip(steps, near, strict=True)]
    np.testing.assert_allclose(picture.distances.ravel(), expected)
    assert picture.is_hexagonal == (grid["topology"] == "hexagonal")
    assert picture.is_toroidal == (grid["boundary"] == "toroidal")


def test_a_clean_process_loads_a_hexagonal_torus(released, tmp_path):
    """The gate asks another process, which answers the golden rows as this one."""
    _, release = released(topology="hexagonal", boundary="toroidal")

    assert load_cleanly(tmp_path / "release", release.digest)["digest"] == release.digest


def test_defaults_that_are_written_out_change_no_release(released):
    """The same map, the same bytes, the same digest: a release is what it does."""
    written = TrainSomParams.model_fields.items()
    defaults = {name: field.default for name, field in written if not field.is_required()}
    del defaults["radius"]

    (_, short), (_, long) = released(), released(**defaults)

    assert short.digest == long.digest
    assert set(short.manifest["params"]["train_som"]) == {
        "n_rows", "n_columns", "max_iter", "radius", "n_segments", "random_state"
    }  # fmt: skip


def test_every_setting_reaches_the_map():
    """What params.yaml says is what the estimator is asked for."""
    settings = {
        "topology": "hexagonal",
        "boundary": "toroidal",
        "neighborhood": "bubble",
        "training": "online",
        "init": "sample",
        "metric": "manhattan",
        "radius": None,
        "radius_decay": "inverse",
        "early_stopping": True,
    }

    arguments = new_map(params_of(**settings).train_som, random_state=7).get_params()

    expected = settings | {"n_rows": 4, "n_columns": 5, "max_iter": 3, "random_state": 7}
    assert {name: arguments[name] for name in expected} == expected


def test_neighbours_are_judged_by_the_maps_own_metric(prepared, released, rows, tmp_path):
    """The two nearest units are those that the metric says."""
    params, release = released(metric="manhattan", init="random")

    numbers = judged(prepared, tmp_path, params, release)

    X, codebook = scaled(prepared, rows, "test"), release.som.codebook_
    distances = np.abs(X[:, np.newaxis] - codebook).sum(axis=2)
    assert numbers["topographic_error"] == pytest.approx(apart(distances))


def test_groups_are_compared_with_labels_that_nothing_learned_from(tiny_release, tmp_path):
    """Rows of two clumps agree with the labels of the clumps; a row without a label is left out."""
    release = load_release(tiny_release)
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.normal([0, 500], [5, 50], (50, 2)), rng.normal([60, 2000], 9, (50, 2))]
    )
    labels = ["near"] * 49 + [None] + ["far"] * 50
    table = pa.table({"delay": rows[:, 0], "distance": rows[:, 1], "side": labels})
    (tmp_path / "test").mkdir()
    pq.write_table(table, tmp_path / "test" / "rows.parquet")

    found = agreement(tmp_path, release, "side")

    assert found["n_labels"] == 2
    assert found["map_adjusted_rand"] > 0.9
    assert found["map_purity"] > 0.97
    assert 0 < found["mixture_mutual_information"] <= 1


def test_rows_come_back_in_their_own_order_by_block(prepared, tiny_release, tmp_path, monkeypatch):
    """Scores are those of the whole table, training rows first, however small the blocks are."""
    release = load_release(tiny_release)
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    for name in PARTS:
        table = pq.read_table(tmp_path / name)
        key = pa.array([f"{name} {i}" for i in range(len(table))])
        pq.write_table(table.add_column(0, "key", key), tmp_path / name / "rows.parquet")
    small(monkeypatch)

    score_rows(tmp_path, release, tmp_path / "scores.parquet")

    scores = pq.read_table(tmp_path / "scores.parquet")
    assert pq.ParquetFile(tmp_path / "scores.parquet").num_row_groups == 9
    assert scores["key"].to_pylist() == [
        f"{name} {i}" for name, part in PARTS.items() for i in range(part.stop - part.start)
    ]
    rows = [pq.read_table(prepared / name).to_pandas().to_numpy() for name in PARTS]
    expected = release.score(np.concatenate(rows))
    np.testing.assert_array_equal(scores["unit"], expected.units)
    np.testing.assert_allclose(scores["log_likelihood"], expected.log_likelihood, rtol=1e-12)


def test_blocks_change_no_metric(prepared, released, tmp_path, monkeypatch):
    """What is said of the test rows in one block is said of them in four, up to rounding."""
    params, release = released()
    (tmp_path / "whole").mkdir()

    whole = judged(prepared, tmp_path / "whole", params, release)
    small(monkeypatch)
    cut = judged(prepared, tmp_path, params, release)

    assert cut.pop("release_digest") == whole.pop("release_digest")
    assert cut.pop("calibration_by_column") == whole.pop("calibration_by_column")
    assert cut == pytest.approx(whole, rel=1e-12)


def test_a_release_keeps_the_zones_that_its_rows_had(prepared, released):
    """As `prepare` found them in the times it derived columns from."""
    shares = read_json(prepared / "shares.json")
    write_json(prepared / "shares.json", shares | {"zones": {"at": "Europe/Zurich"}})
    try:
        _, zoned = released()
    finally:
        write_json(prepared / "shares.json", shares)

    _, plain = released()

    assert zoned.manifest["zones"] == {"at": "Europe/Zurich"}
    assert "zones" not in plain.manifest
