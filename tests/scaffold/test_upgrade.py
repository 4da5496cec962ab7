"""`modemap upgrade`: generated files follow the package, edited ones stay their owner's."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.errors import ParamsError
from modemap.scaffold import render as rendering
from modemap.scaffold.project import plan_project
from modemap.scaffold.upgrade import plan_upgrade, write_upgrade

LOCK = """\
schema: '2.0'
stages:
  train_som:
    cmd: python -m modemap.stages.train_som
    outs:
    - path: models/som
      md5: 0123456789abcdef0123456789abcdef.dir
"""


@pytest.fixture
def project(tmp_path):
    """Write the files of a project, and a lock as after a run."""
    rows = pa.table({"x": np.random.default_rng(0).normal(size=100)})
    pq.write_table(rows, tmp_path / "rows.parquet")
    folder = tmp_path / "new"
    for name, text in plan_project(str(tmp_path / "rows.parquet"), folder).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "dvc.lock").write_text(LOCK)
    return folder


@pytest.fixture
def newer(monkeypatch):
    """Install, as it were, a version whose dvc.yaml and prefect.yaml are others."""
    monkeypatch.setattr("modemap.scaffold.upgrade.version", lambda _: "9.0.0")
    render = rendering.render

    def changed(facts):
        files = render(facts)
        for name in ("dvc.yaml", "prefect.yaml"):
            files[name] += "# new\n"
        return files

    monkeypatch.setattr("modemap.scaffold.upgrade.render", changed)


def texts(folder):
    """Return the text of every file."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_project_of_this_version_is_up_to_date(project):
    """Nothing is changed, whatever was edited."""
    (project / "dvc.yaml").write_text("mine\n")
    before = texts(project)

    upgrade = plan_upgrade(project)
    write_upgrade(project, upgrade)

    assert list(upgrade.changes) == []
    assert upgrade.models == {}
    assert texts(project) == before


@pytest.mark.usefixtures("newer")
def test_untouched_files_are_rewritten_and_edited_ones_get_a_new_one_beside(project):
    """The record then speaks of the new version; the models to be made again are named."""
    edited = (project / "prefect.yaml").read_text() + "# mine\n"
    (project / "prefect.yaml").write_text(edited)

    upgrade = plan_upgrade(project)
    write_upgrade(project, upgrade)

    how = {change.target: change.how for change in upgrade.changes}
    assert how == {
        "README.md": "rewritten",
        "dvc.yaml": "rewritten",
        "params.yaml": "rewritten",
        "prefect.yaml.new": "beside",
        "requirements.txt": "rewritten",
    }
    assert (project / "prefect.yaml").read_text() == edited
    assert (project / "prefect.yaml.new").read_text().endswith("# new\n")
    assert (project / "dvc.yaml").read_text().endswith("# new\n")
    assert "+# new\n" in next(c.diff for c in upgrade.changes if c.name == "dvc.yaml")
    assert "  version: 9.0.0 #" in (project / "params.yaml").read_text()
    assert upgrade.models == {"models/som": "train_som"}
    assert json.loads((project / "scaffold.json").read_text())["facts"]["version"] == "9.0.0"
    assert list(plan_upgrade(project).changes) == []


@pytest.mark.usefixtures("newer")
def test_edited_params_get_the_version_and_keep_the_rest(project):
    """Without the version no stage would run."""
    path = project / "params.yaml"
    edited = path.read_text().replace("n_seeds: 3", "n_seeds: 5")
    path.write_text(edited)

    write_upgrade(project, plan_upgrade(project))

    assert path.read_text() == edited.replace("version: 0.1.0", "version: 9.0.0")
    assert not (project / "params.yaml.new").exists()


@pytest.mark.usefixtures("newer")
def test_a_file_that_was_removed_stays_away(project):
    """Who has no use for GitHub's workflows does not get them back."""
    (project / "prefect.yaml").unlink()

    write_upgrade(project, plan_upgrade(project))

    assert not (project / "prefect.yaml").exists()


@pytest.mark.parametrize("text", [None, "{}", '{"format": 2}', "no json"])
def test_a_folder_without_a_record_is_refused(tmp_path, text):
    """Only what `modemap init` made can be brought up to date."""
    if text is not None:
        (tmp_path / "scaffold.json").write_text(text)

    with pytest.raises(ParamsError, match="must be what `modemap init` left"):
        plan_upgrade(tmp_path)
