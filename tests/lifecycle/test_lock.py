"""dvc.lock, the files it names and the steps in it must speak of one run."""

import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from modemap.errors import ReleaseError
from modemap.lifecycle.lock import check_lock
from modemap.lockfile import dvc_md5


def _edit(project, change):
    yaml = YAML(typ="safe")
    path = project.root / "dvc.lock"
    lock = yaml.load(path.read_text())
    change(lock["stages"])
    with path.open("w") as file:
        yaml.dump(lock, file)


def test_a_complete_run_is_accepted(project):
    """What `dvc repro` left behind fits together."""
    check_lock(project.root)


@pytest.mark.parametrize("stage", ["evaluate", "validate"])
def test_a_lock_without_the_stage_is_refused(project, stage):
    """What never ran cannot be the run's."""
    _edit(project, lambda stages: stages.pop(stage))

    with pytest.raises(ReleaseError, match=f"must hold stage {stage}"):
        check_lock(project.root)


def test_no_lock_at_all_is_refused(project):
    """Files of unknown origin are not registered."""
    (project.root / "dvc.lock").unlink()

    with pytest.raises(ReleaseError, match="must hold stage evaluate"):
        check_lock(project.root)


@pytest.mark.parametrize(
    ("stage", "index"), [("validate", 0), ("prepare", 0), ("prepare", 1), ("evaluate", 0)]
)
def test_a_stage_that_ran_on_other_inputs_is_refused(project, stage, index):
    """An evaluation on yesterday's data is not today's."""
    _edit(project, lambda stages: stages[stage]["deps"][index].update(md5="0" * 32))

    with pytest.raises(ReleaseError, match=f"must be what stage {stage} ran on"):
        check_lock(project.root)


def test_a_missing_output_is_refused(project):
    """A file that the lock names must be there."""
    (project.root / "reports" / "validate.json").unlink()

    with pytest.raises(ReleaseError, match=r"validate\.json.*\n.*no such file"):
        check_lock(project.root)


@pytest.mark.workflow
def test_the_md5_is_the_one_of_dvc(tmp_path):
    """Files and folders, nested and with odd names, have the hash that DVC writes."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.txt", "a.txt", "inner/c.txt", "späte.txt", "Z.txt", "inner.txt"):
        (folder / name).write_text(f"content of {name}")
    (tmp_path / "file.txt").write_text("one\r\ntwo\n")
    for arguments in (["init", "--no-scm", "-q"], ["add", "-q", "folder", "file.txt"]):
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=tmp_path, check=True)

    found = {
        path: YAML(typ="safe").load((tmp_path / f"{path}.dvc").read_text())["outs"][0]["md5"]
        for path in ("folder", "file.txt")
    }

    assert found == {path: dvc_md5(tmp_path / path) for path in found}
