"""A stage that DVC starts looks at what the stages before it made."""

import pytest

from modemap.errors import DataError
from modemap.lockfile import dvc_md5
from modemap.stages.inputs import check_inputs

STAGES = """
stages:
  prepare: {cmd: python, outs: [{data/prepared: {persist: true}}]}
  train_som: {cmd: python, deps: [code.py, data/prepared]}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project whose stage `prepare` has just run, as DVC starts `train_som`."""
    folder = tmp_path / "data/prepared"
    folder.mkdir(parents=True)
    (folder / "train.parquet").write_bytes(b"rows")
    (tmp_path / "dvc.yaml").write_text(STAGES)
    out = f"    - path: data/prepared\n      md5: {dvc_md5(folder)}\n"
    (tmp_path / "dvc.lock").write_text(f"stages:\n  prepare:\n    outs:\n{out}")
    monkeypatch.setenv("DVC_STAGE", "train_som")
    return tmp_path


def test_what_prepare_made_is_accepted(project):
    """Equal content passes."""
    check_inputs("train_som", project)


def test_other_content_is_refused(project):
    """Whether a cache or a person changed it."""
    (project / "data/prepared/train.parquet").write_bytes(b"r0ws")

    with pytest.raises(DataError, match=r"must be what prepare made(.|\n)*--single-item prepare"):
        check_inputs("train_som", project)


def test_a_damaged_object_of_the_cache_is_named(project):
    """DVC would restore it again and again."""
    good = dvc_md5(project / "data/prepared/train.parquet")
    tree = dvc_md5(project / "data/prepared")
    cache = project / ".dvc/cache/files/md5"
    for name, content in (
        (tree, f'[{{"md5": "{good}", "relpath": "train.parquet"}}]'),
        (good, "r0ws"),
    ):
        (cache / name[:2]).mkdir(parents=True, exist_ok=True)
        (cache / name[:2] / name[2:]).write_text(content)
    (project / "data/prepared/train.parquet").write_bytes(b"r0ws")

    with pytest.raises(DataError, match=f"remove .dvc/cache/files/md5/{good[:2]}/{good[2:]}"):
        check_inputs("train_som", project)


def test_a_stage_started_by_hand_takes_what_it_finds(project, monkeypatch):
    """The lock speaks of the last run of DVC, not of what a person does by hand."""
    monkeypatch.delenv("DVC_STAGE")
    (project / "data/prepared/train.parquet").write_bytes(b"mine")

    check_inputs("train_som", project)
