"""dvc.yaml says what the stages do."""

import pytest
from ruamel.yaml import YAML

from modemap.scaffold.render import render
from tests.own_files import CHECKOUT, own_facts

STAGES = YAML(typ="safe").load(CHECKOUT / "dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    """Render this repository's files, dvc.yaml with the imports as the code has them."""
    return render(own_facts())


def test_a_stage_depends_on_every_source_file_it_runs(rendered):
    """An edit of any module that a stage imports makes the stage out of date, and of no other."""
    assert (CHECKOUT / "dvc.yaml").read_text() == rendered["dvc.yaml"]


def test_the_scaffold_makes_this_repositorys_own_files(rendered):
    """What people get is what is used here: `python -m tests.own_files` writes both alike."""
    assert len(rendered) >= 10
    for name, text in rendered.items():
        assert (CHECKOUT / name).read_text() == text, name


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_the_module_of_its_name(stage):
    """One word names a stage everywhere."""
    assert STAGES[stage]["cmd"] == f"python -m modemap.stages.{stage}"


def test_no_output_belongs_to_two_stages():
    """No stage can change what another stage made."""
    outputs = [
        next(iter(output)) if isinstance(output, dict) else output
        for stage in STAGES.values()
        for kind in ("outs", "metrics", "plots")
        for output in stage.get(kind, [])
    ]

    assert len(outputs) == len(set(outputs))
