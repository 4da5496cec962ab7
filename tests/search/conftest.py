"""A project of a few rows, prepared, without test rows: a search must do without them."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.estimators import Preparation

PARAMS = """\
project: flights
ingest: {source: rows.parquet}
validate: {suite: rows.yaml}
prepare:
  key: []
  columns: {delay: drop, distance: drop}
  validation_share: 0.2
  test_share: 0.2

train_som: # the map
  n_rows: 4 # of the grid
  n_columns: 4
  max_iter: 5
  radius: [2.0, 1.5] # too wide to be good
  n_segments: 2
  random_state: 0

train_mixture:
  n_components: 1 # too few
  max_iter: 50
  tol: 0.001
  n_modes: 3
  weight_threshold: 0.005
  random_state: 0

evaluate: {n_seeds: 2}
gate: {quantization_error_tolerance: 0.01, log_likelihood_tolerance: 0.01}
search: {n_trials: 8}
"""
PREPARED_MD5 = "0123456789abcdef0123456789abcdef.dir"
LOCK = f"stages:\n  prepare:\n    outs:\n    - path: data/prepared\n      md5: {PREPARED_MD5}\n"
PARTS = {"train": slice(0, 300), "validation": slice(300, 400)}


@pytest.fixture
def project(root, rows, tiny_release):
    """Return a folder as `prepare` leaves it, but for the test rows."""
    prepared = root / "data/prepared"
    prepared.mkdir(parents=True)
    Preparation.load(tiny_release / "preparation.npz").save(prepared / "preparation.npz")
    for name, part in PARTS.items():
        (prepared / name).mkdir()
        table = pa.table(dict(zip(("delay", "distance"), rows[part].T, strict=True)))
        pq.write_table(table, prepared / name / "rows.parquet")
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.lock").write_text(LOCK)
    return root


@pytest.fixture
def twin(project, tmp_path):
    """Return another folder with the same."""
    return shutil.copytree(project, tmp_path / "twin")
