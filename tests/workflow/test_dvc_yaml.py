"""dvc.yaml says what the stages do."""

import re
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

CHECKOUT = Path(__file__).parents[2]
STAGES = YAML(typ="safe").load(CHECKOUT / "dvc.yaml")["stages"]
NOT_OUTPUTS = "modemap.tracking"  # it writes the record of a run, never an output
HAS_CODE = re.compile(r"^(import|from|def|class|@)", re.MULTILINE)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Read the package's imports as the code has them."""
    return grimp.build_graph("modemap")


def source_file(module: str) -> Path:
    """Return the file of ``module``, relative to the checkout."""
    path = Path("src", *module.split("."))
    return path.with_suffix(".py") if (CHECKOUT / path).is_dir() is False else path / "__init__.py"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_source_file_it_runs(stage, imports):
    """An edit of any module that a stage imports makes the stage out of date, and of no other."""
    module = f"modemap.stages.{stage}"
    needed = {
        str(source_file(name))
        for name in imports.find_upstream_modules(module) | {module}
        if not name.startswith(NOT_OUTPUTS)
        and HAS_CODE.search((CHECKOUT / source_file(name)).read_text())
    }

    listed = {dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")}

    assert listed == needed


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
