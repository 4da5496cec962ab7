"""A version's params.yaml, dvc.yaml and dvc.lock come back as they were, and nobody's edits go."""

import subprocess

import pytest

from modemap.errors import RegistryError
from modemap.lifecycle.checkout import checkout
from modemap.lifecycle.register import register

pytestmark = pytest.mark.workflow


@pytest.fixture
def committed(project):
    """Return a project under git whose version 1 was made with its first params."""
    (project.root / "dvc.yaml").write_text("stages: {}\n")
    _git(project, "init", "-q")
    _commit(project)
    register(project.root)
    return project


def _git(project, *arguments):
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, "-C", str(project.root), *arguments], check=True)


def _commit(project):
    _git(project, "add", "params.yaml", "dvc.yaml", "dvc.lock")
    _git(project, "commit", "-q", "-m", "a commit")


def _edit(project):
    params = project.root / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("n_rows: 16", "n_rows: 12"))
    return before


def test_the_files_of_a_version_come_back(committed):
    """Only what differs is written; the commit of the code is named."""
    before = _edit(committed)
    _commit(committed)

    restored = checkout(committed.root, 1)

    assert restored.files == ["params.yaml"]
    assert len(restored.commit) == 40
    assert (committed.root / "params.yaml").read_text() == before


def test_edits_that_git_lacks_are_kept(committed):
    """They would be lost; who gives them up says so."""
    before = _edit(committed)

    with pytest.raises(RegistryError, match="edits must be committed"):
        checkout(committed.root, 1)
    assert (committed.root / "params.yaml").read_text() != before
    checkout(committed.root, 1, force=True)

    assert (committed.root / "params.yaml").read_text() == before


def test_a_file_that_was_changed_in_the_store_is_refused(committed):
    """It is compared with its digest, and nothing is written."""
    _edit(committed)
    _commit(committed)
    edited = (committed.root / "params.yaml").read_text()
    (committed.artifacts(1) / "lineage" / "dvc.lock").write_text("stages: {evil: {}}\n")

    with pytest.raises(RegistryError, match=r"its dvc\.lock must have sha256"):
        checkout(committed.root, 1)

    assert (committed.root / "params.yaml").read_text() == edited
