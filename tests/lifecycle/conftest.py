"""A project as it is after `dvc repro`, made of tiny models in no time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from modemap.errors import ReleaseError
from modemap.files import read_json, write_json
from modemap.lifecycle.gate import gate
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lockfile import dvc_md5
from modemap.release import golden_mismatch, load_release, release_digest
from modemap.tracking import Registry, open_store
from tests.sharing import made_once

COSTS = {"latency_ms": 1.0, "answer_memory_mib": 1.0, "size_mib": 0.1}
BEHAVIOUR = dict.fromkeys(("row_order", "duplicated_rows", "rescaled_units"))

CHECKOUT = Path(__file__).parents[2]
BATCH = "ab" * 32
STAGES = {  # stage: (inputs, outputs)
    "ingest": ((), ("data/raw",)),
    "validate": (("data/raw",), ("reports/validate.json",)),
    "prepare": (("data/raw", "reports/validate.json"), ("data/prepared",)),
    "evaluate": (("data/prepared",), ("models/release", "reports/evaluate.json")),
}
CACHED = ("data/raw", "data/prepared", "models/release")
GRAPH = """stages:
  evaluate:
    outs: [models/release, {data/prepared: {persist: true}}, {data/raw: }]
    metrics:
      - reports/evaluate.json: {cache: false}
      - reports/validate.json: {cache: false, persist: true}
"""
METRICS = {
    "quantization_error": 0.5,
    "topographic_error": 0.1,
    "dead_unit_share": 0.0,
    "stability": 0.9,
    "log_likelihood": -9.0,
    "calibration": 0.02,
    "round_trip_error": 0.0,
    "n_units": 9,
    "n_rows": 500,
    "calibration_by_column": {"delay": 0.01, "distance": 0.02},
}


class Project:
    """A folder in which `dvc repro` seems to have just ended."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def install(self, release: Path, **metrics: object) -> str:
        """Put ``release`` where evaluate leaves it, with its evaluation; return its digest."""
        target = self.root / "models" / "release"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(release, target)
        digest = release_digest(target)
        evaluation = METRICS | {"release_digest": digest} | metrics
        write_json(self.root / "reports" / "evaluate.json", evaluation)
        for stage in ("train_som", "train_mixture"):
            report = {"quantization_error": 0.4, "log_likelihood": -9.1, "n_units": 9}
            write_json(self.root / "reports" / f"{stage}.json", report)
        self.lock()
        return digest

    def cache(self, path: str) -> Path:
        """Put the directory ``path`` into DVC's cache; return the object of its first file."""
        listing, objects = [], []
        for file in sorted(each for each in (self.root / path).rglob("*") if each.is_file()):
            md5 = dvc_md5(file)
            name = file.relative_to(self.root / path).as_posix()
            listing.append({"md5": md5, "relpath": name})
            objects.append(self._cached(md5))
            objects[-1].write_bytes(file.read_bytes())
        whole = dvc_md5(self.root / path)
        self._cached(whole).write_text(json.dumps(listing))
        return objects[0]

    def cache_all(self) -> None:
        """Put all outputs into DVC's cache but for the metrics, which the graph leaves to git."""
        self.leave_metrics_to_git()
        for path in CACHED:
            self.cache(path)

    def leave_metrics_to_git(self) -> None:
        """Say in dvc.yaml that no cache keeps them."""
        (self.root / "dvc.yaml").write_text(GRAPH)

    def _cached(self, md5: str) -> Path:
        path = self.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def artifacts(self, number: int) -> Path:
        """Return where MLflow keeps the files of a version."""
        run_id = self.registry.get(number).run_id
        return self.root / "mlruns" / "artifacts" / run_id / "artifacts"

    @property
    def registry(self) -> Registry:
        """The registry of the folder, opened anew."""
        return Registry(open_store(self.root, "flights"))

    def lock(self) -> None:
        """Write dvc.lock as if the graph had just been run."""
        text = "schema: '2.0'\nstages:\n"
        for stage, sides in STAGES.items():
            text += f"  {stage}:\n    cmd: python -m modemap.stages.{stage}\n"
            for side, paths in zip(("deps", "outs"), sides, strict=True):
                text += f"    {side}:\n" if paths else ""
                for path in paths:
                    text += f"    - path: {path}\n      md5: {dvc_md5(self.root / path)}\n"
        (self.root / "dvc.lock").write_text(text)

    def read(self, path: str) -> dict:
        """Return a JSON file of the folder."""
        return dict(read_json(self.root / path))

    def write(self, path: str, value: object) -> None:
        """Replace a JSON file of the folder and have it locked."""
        write_json(self.root / path, value)
        self.lock()


def load_in_process(directory, digest, champion=None):
    """Do what the clean process does, in this one, with costs that no rule minds."""
    release = load_release(directory, digest)
    if mismatch := golden_mismatch(directory, release):
        raise ReleaseError(directory, "must answer", found=mismatch, hint="")
    known = {"digest": digest, "columns": release.columns, "behaviour": BEHAVIOUR}
    costs = COSTS | {"load_seconds": 0.1, "peak_memory_mib": 100.0}
    return known | costs | ({"champion": COSTS} if champion else {})


@pytest.fixture
def in_process(monkeypatch):
    """Load releases in this process: for tests of anything but the clean process."""
    for module in ("evidence.collect", "rollback"):
        monkeypatch.setattr(f"modemap.lifecycle.{module}.load_cleanly", load_in_process)


def copy_of(project: Project, base: Path) -> Project:
    """Copy ``project`` below ``base``; MLflow forgets in which folder it met the project's runs."""
    _artifact_repos_cache.clear()
    return Project(shutil.copytree(project.root, base / "checkout"))


@pytest.fixture(scope="session")
def evaluated(empty_store, rows, tiny_release, tmp_path_factory):
    """Return a project with a release that deserves to be promoted, for others to copy."""
    root = tmp_path_factory.mktemp("evaluated") / "checkout"
    shutil.copytree(empty_store / "mlruns", root / "mlruns")
    params = (CHECKOUT / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace("project: modemap", "project: flights"))
    write_json(
        root / "data" / "raw" / "manifest.json",
        {"format": 1, "batches": [{"digest": BATCH, "rows": 500}], "excluded": []},
    )
    results = [{"type": "expect_column_to_exist", "success": True, "failure": None}]
    judgements = [
        {"digest": BATCH, "source": "flights", "rows": 500, "results": results},
        {"digest": None, "source": None, "rows": 500, "results": results},
    ]
    write_json(root / "reports" / "validate.json", {"batches": 1, "judgements": judgements})
    columns = {"key": np.arange(len(rows)), "delay": rows[:, 0], "distance": rows[:, 1]}
    (root / "data" / "prepared" / "test").mkdir(parents=True)
    pq.write_table(pa.table(columns), root / "data" / "prepared" / "test" / "rows.parquet")
    project = Project(root)
    project.install(tiny_release)
    return project


@pytest.fixture
def project(evaluated, tmp_path):
    """Return a project in which nothing is registered yet."""
    return copy_of(evaluated, tmp_path)


@pytest.fixture(scope="session")
def after_promotion(evaluated, tmp_path_factory):
    """Return a project whose champion is version 1, for others to copy."""

    def make(folder: Path) -> None:
        project = copy_of(evaluated, folder)
        register(project.root)
        gate(project.root).require()
        promote(project.root)

    return Project(made_once(tmp_path_factory, "after_promotion", make) / "checkout")


@pytest.fixture
def promoted(after_promotion, tmp_path):
    """Return a project whose tiny release is the champion, in a folder of its own."""
    return copy_of(after_promotion, tmp_path)


@pytest.fixture(scope="session")
def after_two(after_promotion, releases, tmp_path_factory):
    """Return a project whose champion, version 2, replaced version 1, for others to copy."""

    def make(folder: Path) -> None:
        project = copy_of(after_promotion, folder)
        project.install(releases["longer trained"])
        register(project.root)
        gate(project.root).require()
        promote(project.root)

    return Project(made_once(tmp_path_factory, "after_two", make) / "checkout")


@pytest.fixture
def replaced(after_two, tmp_path):
    """Return a project in which version 2 has replaced version 1, in a folder of its own."""
    return copy_of(after_two, tmp_path)


@pytest.fixture(scope="session")
def releases(make_release, tmp_path_factory):
    """Return releases beside the tiny one: better, worse and other ones."""
    folder = tmp_path_factory.mktemp("releases")
    return {
        "longer trained": make_release(folder / "longer", max_iter=30),
        "bad map": make_release(folder / "map", max_iter=1, radius=(3.0, 3.0)),
        "bad mixture": make_release(folder / "mixture", n_components=1),
        "larger map": make_release(folder / "larger", n_rows=4),
    }
