"""Lineage says what is known and calls the rest unknown."""

import subprocess

import pytest

from modemap.errors import RegistryError
from modemap.tracking import read_lineage

LOCK = """schema: '2.0'
stages:
  prepare:
    cmd: python -m modemap.stages.prepare
    outs:
    - path: data/prepared
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
    - path: reports/prepare.json
      hash: md5
      md5: fedcba9876543210fedcba9876543210
"""


def _git(root, *arguments):
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    command = ["git", *identity, "-C", str(root), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a repository with one commit and a lock file."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "checkout"
    root.mkdir()
    _git(root, "init", "-q")
    (root / "params.yaml").write_text("project: flights\n")
    (root / "dvc.lock").write_text(LOCK)
    _git(root, "add", ".")
    _git(root, "commit", "-qm", "start")
    return root


def test_a_clean_checkout_names_its_commit_and_hashes(checkout, monkeypatch):
    """Commit, hashes of the data, flow run and package version become tags."""
    monkeypatch.setenv("MODEMAP_FLOW_RUN", "brave-otter")

    tags = read_lineage(checkout).tags()

    assert tags["modemap.commit"] == _git(checkout, "rev-parse", "HEAD")
    assert tags["modemap.dirty"] == "false"
    assert tags["modemap.flow_run"] == "brave-otter"
    assert tags["modemap.dvc.data/prepared"] == "0123456789abcdef0123456789abcdef.dir"
    assert tags["modemap.package_version"]


@pytest.mark.parametrize("path", ["params.yaml", "new.py"])
def test_a_change_of_code_or_params_is_dirty(checkout, path):
    """What the commit does not hold and a result may depend on is told."""
    (checkout / path).write_text("changed\n")

    assert read_lineage(checkout).dirty == "true"


@pytest.mark.parametrize("path", ["dvc.lock", "reports/evaluate.json", "data/prepared/x.parquet"])
def test_what_a_run_writes_is_not_dirty(checkout, path):
    """DVC's lock, its outputs and the reports say nothing about the code."""
    file = checkout / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(LOCK + "# changed\n")

    assert read_lineage(checkout).dirty == "false"


def test_a_folder_without_git_and_dvc_has_unknown_lineage(tmp_path, monkeypatch):
    """Nothing is made up where nothing is known."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    lineage = read_lineage(tmp_path)

    assert (lineage.commit, lineage.dirty, lineage.flow_run) == ("unknown",) * 3
    assert lineage.data == {}


def test_a_machine_without_git_has_unknown_lineage(checkout, monkeypatch):
    """A missing git program is no error."""
    monkeypatch.setenv("PATH", "")

    assert read_lineage(checkout).commit == "unknown"


@pytest.mark.parametrize(
    "text", ["<<<<<<< HEAD\n", "stages: [\n", "stages:\n  a:\n    outs: [1]\n"]
)
def test_a_damaged_lock_file_is_refused(checkout, text):
    """A merge conflict or a cut file is told with the file's name and the way out."""
    (checkout / "dvc.lock").write_text(text)

    with pytest.raises(RegistryError, match="must be DVC's lock file") as caught:
        read_lineage(checkout)

    assert caught.value.place.endswith("dvc.lock")
    assert "dvc repro" in caught.value.hint
