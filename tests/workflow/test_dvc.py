"""What a data scientist does with DVC alone, with an empty home and no git identity."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trees import contents

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory, promoted_copy):
    """Copy the promoted project once for the commands that only read it or run few stages."""
    return promoted_copy(tmp_path_factory.mktemp("reproduced"))


def test_nothing_changed_runs_nothing(reproduced):
    """Every stage is up to date after a run, and git sees no difference on the same processor."""
    said = reproduced.succeed("dvc", "repro")

    assert said.count("didn't change, skipping") == 6
    assert "Running stage" not in said
    assert "up to date" in reproduced.succeed("dvc", "status")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["dvc", "metrics", "show"], "quantization_error"),
        (["dvc", "metrics", "diff"], ""),
        (["dvc", "params", "diff"], ""),
        (["dvc", "plots", "show"], "index.html"),
        (["dvc", "plots", "diff"], "index.html"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_dvc_answers(reproduced, command, shown):
    """DVC's own commands work on the stages as they are."""
    assert shown in reproduced.succeed(*command)


def test_plots_are_readable_without_a_network(reproduced):
    """The page of plots shows pictures from its own folder."""
    reproduced.succeed("dvc", "plots", "show")

    page = (reproduced.root / "dvc_plots/index.html").read_text()
    assert page.count("<img") >= 6
    assert 'src="http' not in page.split("<body>")[1]


@pytest.mark.slow
def test_an_experiment_retrains_only_what_depends_on_it(reproduced):
    """A smaller map leaves data and mixture alone, and MLflow has both maps to compare."""
    said = reproduced.succeed("dvc", "exp", "run", "-S", "train_som.n_rows=12")

    assert "Running stage 'train_som'" in said
    assert "Running stage 'evaluate'" in said
    for stage in ("ingest", "validate", "prepare", "train_mixture"):
        assert f"Stage '{stage}' didn't change, skipping" in said
    runs = json.loads(reproduced.succeed(sys.executable, "-c", LIST_RUNS))
    assert {run["n_rows"] for run in runs} == {"12", "16"}
    for metric in ("quantization_error", "topographic_error", "dead_unit_share", "n_units"):
        assert all(f"train_som.{metric}" in run["metrics"] for run in runs)


LIST_RUNS = """
import json
from pathlib import Path
from modemap.tracking.store import open_store
store = open_store(Path.cwd(), "modemap")
found = store.client.search_runs([store.experiment_id], "tags.`modemap.stage` = 'train_som'")
print(json.dumps([{"n_rows": r.data.params["n_rows"], "metrics": r.data.metrics} for r in found]))
"""


@pytest.mark.parametrize("stage", ["ingest", "prepare", "train_som", "evaluate"])
def test_a_killed_stage_leaves_nothing_half_written(promoted, copied, stage):
    """After SIGKILL to it and DVC at any moment the next run continues to the same bytes."""
    outputs = {
        "ingest": "data/raw",
        "prepare": "data/prepared",
        "train_som": "models/som",
        "evaluate": "models/release",
    }
    lock = copied.read("dvc.lock")
    for seconds in (0.3, 1.0):
        child = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "--force", "--single-item", stage],
            cwd=copied.root,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _mend_lock(copied.root / ".dvc" / "tmp" / "rwlock")
        output = copied.root / outputs[stage]
        whole = promoted.root / outputs[stage]
        assert not output.exists() or contents(output) == contents(whole)

    copied.succeed("dvc", "repro")

    assert copied.read("dvc.lock") == lock
    copied.succeed("dvc", "repro", "--force", "--single-item", stage)  # where it had no need to run
    assert copied.read("dvc.lock") == lock
    assert not list(copied.root.glob("*/.*.part*"))


def _mend_lock(path: Path) -> None:
    """Remove DVC's own lock file if the kill came in the moment in which DVC writes it in place."""
    try:
        json.loads(path.read_text())
    except FileNotFoundError:  # DVC was killed before it needed one
        return
    except json.JSONDecodeError:
        path.unlink()
