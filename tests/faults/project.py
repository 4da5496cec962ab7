"""A small project of its own data, trained and promoted once, that the cases then ill-treat."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.projects import Project, clone
from tests.sharing import made_once

STAGES = ("ingest", "validate", "prepare", "train_som", "train_mixture", "evaluate")
OUTPUTS = {  # of each stage, as in dvc.yaml
    "ingest": ("data/raw", "reports/ingest.json"),
    "validate": ("reports/validate.json",),
    "prepare": ("data/prepared", "reports/prepare.json"),
    "train_som": ("models/som", "reports/train_som.json", "reports/train_som"),
    "train_mixture": ("models/mixture", "reports/train_mixture.json", "reports/train_mixture"),
    "evaluate": (
        "models/release",
        "reports/scores.parquet",
        "reports/evaluate.json",
        "reports/evaluate",
    ),
}
N_ROWS = 600

PARAMS = """\
project: small

ingest:
  source: rows.parquet

validate:
  suite: expectations/rows.yaml

prepare:
  key: [id]
  columns:
    delay: drop
    distance: median
  validation_share: 0.2
  test_share: 0.2

train_som:
  n_rows: 4
  n_columns: 4
  max_iter: 10
  radius: [2.0, 1.0]
  n_segments: 2
  random_state: 0

train_mixture:
  n_components: 2
  max_iter: 100
  tol: 0.001
  n_modes: 3
  weight_threshold: 0.005
  random_state: 0

evaluate:
  n_seeds: 2

gate:
  quantization_error_tolerance: 0.01
  log_likelihood_tolerance: 0.01
  calibration_max: 0.2 # few rows miss a distribution by chance
  stability_min: -1.0 # and have no segments
  growth_max: 50.0 # milliseconds and a few MiB of a small release move by more than the default
"""
CONTRACT = """\
key: [id]
expectations:
  - type: expect_table_row_count_to_be_between
    kwargs: {min_value: 1}
  - type: expect_column_values_to_be_unique
    kwargs: {column: id}
    over: all
  - type: expect_column_values_to_not_be_null
    kwargs: {column: delay, mostly: 0.9}
"""


def rows() -> pa.Table:
    """Return the good rows: two clumps of delays, and distances that do not depend on them."""
    rng = np.random.default_rng(0)
    is_late = rng.random(N_ROWS) < 0.4
    delay = np.where(is_late, rng.normal(60, 15, N_ROWS), rng.normal(0, 5, N_ROWS))
    return pa.table(
        {
            "id": np.arange(N_ROWS),
            "delay": np.round(delay, 1),
            "distance": np.round(rng.gamma(5, 200, N_ROWS), 1),
        }
    )


def small_project(folder: Path) -> Project:
    """Make a checkout in ``folder`` that trains on its own few rows."""
    project = clone(folder / "project", folder / "home")
    root = project.root
    pq.write_table(rows(), root / "rows.parquet")
    (root / "params.yaml").write_text(PARAMS)
    (root / "expectations/rows.yaml").write_text(CONTRACT)
    stages = (root / "dvc.yaml").read_text().replace("flights.yaml", "rows.yaml")
    stages = stages.replace("deps:\n", "deps:\n      - rows.parquet\n", 1)
    (root / "dvc.yaml").write_text(stages)
    for stale in (root / "dvc.lock", *root.glob("reports/*.json")):
        stale.unlink(missing_ok=True)
    project.succeed("git", "add", "-A")
    project.succeed("git", "commit", "-q", "-m", "small")
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Project:
    """Train and promote the small project once for all workers; tests only read it."""
    folder = made_once(
        tmp_path_factory, "small", lambda folder: small_project(folder).succeed("modemap", "run")
    )
    return Project(folder / "project", folder / "home")


@pytest.fixture
def small(trained, tmp_path) -> Project:
    """Copy the trained project for a test that ill-treats it."""
    shutil.copytree(trained.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", trained.home)


def run_stage(project: Project, stage: str) -> subprocess.CompletedProcess[str]:
    """Run ``stage`` by the command that stands in dvc.yaml."""
    return project.run(sys.executable, "-m", f"modemap.stages.{stage}")


def digests(root: Path, stages: tuple[str, ...] = STAGES) -> dict[str, str]:
    """Return the sha256 of every file among the outputs of ``stages``; a link is told as one."""
    found = {}
    for top in (root / output for stage in stages for output in OUTPUTS[stage]):
        for path in sorted([top, *top.rglob("*")]):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[name] = f"link to {path.readlink()}"
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def leftovers(root: Path) -> list[str]:
    """Return what writers left under temporary names."""
    tops = (root, root / "data", root / "models", root / "reports", root / ".modemap")
    return [
        path.relative_to(root).as_posix()
        for top in tops
        for path in (top.glob("*.part*") if top == root else top.rglob("*.part*"))
    ]


def plain(text: str, root: Path) -> str:
    """Return ``text`` without what differs from machine to machine."""
    text = text.replace(f"{root}/", "").replace(str(root), ".")
    text = re.sub(r"\.\d+\.\w{8}\.part", ".PROCESS.part", text)
    return re.sub(r"\(PID \d+\)", "(PID …)", text)
