"""The pages that are made from the program, and those that speak of its parts."""

import re
import tomllib

import pytest
import typer.main
from pydantic import BaseModel

from modemap.cli import app
from modemap.params import Params
from tests.projects import CHECKOUT

STAGE_SECTIONS = ("prepare", "train_som", "train_mixture", "evaluate")


def read(site, page: str) -> str:
    """Return a page of the site without its tags."""
    html = (site / f"{page}.html").read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", "", html)


def keys(model: type[BaseModel], section: str = ""):
    """Yield section and key of every setting."""
    for name, found in model.model_fields.items():
        kinds = [found.annotation, *getattr(found.annotation, "__args__", ())]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from keys(inner[0], f"{section}.{found.alias or name}".strip("."))
        else:
            yield section, found.alias or name


def test_every_command_has_its_help(site):
    """Each is a heading with its usage."""
    page = read(site, "reference/commands")

    for name in typer.main.get_command(app).commands:
        assert f"$ modemap {name}" in page


def test_every_setting_has_its_line(site):
    """Each key of every section is in the table of that section."""
    html = (site / "reference" / "params.html").read_text(encoding="utf-8")

    found = list(keys(Params))
    assert len(found) > 80
    for section, key in found:
        place = re.sub(r"[^\w-]", "", section) or "on-the-first-level"
        table = html.split(f'id="{place}"')[1].split("<h2")[0]
        assert f"<td><code>{key}</code></td>" in table, (section, key)


@pytest.mark.parametrize("name", ["SelfOrganizingMap", "BayesianGaussianMixture", "ModeNormalizer"])
def test_public_names_have_their_docstrings(site, name):
    """Arguments of the estimators stand in tables."""
    html = (site / "reference" / "api" / "estimators.html").read_text(encoding="utf-8")

    assert f'id="modemap.estimators.{name}"' in html
    assert f'id="modemap.estimators.{name}.fit"' in html


def test_the_layers_of_the_page_are_those_of_the_contract():
    """Row for row, and in a row the same packages."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [told for told in settings["contracts"] if told["type"] == "layers"]
    page = (CHECKOUT / "docs" / "architecture.md").read_text()

    table = page.split("|---|---|\n")[1].split("\n\n")[0]
    layers = [re.findall(r"`(\w+)`", line.split(" | ")[0]) for line in table.splitlines()]

    expected = [re.findall(r"modemap\.(\w+)", layer) for layer in contract["layers"]]
    assert layers == expected


def test_the_doors_of_the_page_are_those_of_the_contracts():
    """Who alone imports which large package."""
    contracts = (CHECKOUT / "pyproject.toml").read_text()
    page = (CHECKOUT / "docs" / "architecture.md").read_text()

    picture = page.split("has one\ndoor,")[1].split("```")[1]
    doors = set(re.findall(r"  (\w+) --> \w+\[\(([\w ]+)\)\]", picture))

    assert doors == set(re.findall(r'name = "Only (\w+) imports ([\w ]+)"', contracts))


def test_the_storeys_of_the_page_are_layers():
    """Each has one picture, and its heading names layers of the table."""
    page = (CHECKOUT / "docs" / "architecture.md").read_text()
    layers = re.findall(r"`(\w+)`", page.split("|---|---|\n")[1].split("\n\n")[0])

    storeys = page.split("## Storey by storey\n")[1].split("\n### ")[1:]

    headed = [name for told in storeys for name in re.findall(r"`(\w+)`", told.splitlines()[0])]
    assert len(headed) == len(set(headed)) >= len(storeys) >= 5
    assert set(headed) <= set(layers)
    assert all(told.count("```mermaid\n") == 1 for told in storeys)


def test_sensitivity_knows_every_setting_of_the_models():
    """What trains or judges a model is told, and nothing that does not exist."""
    page = (CHECKOUT / "docs" / "sensitivity.md").read_text()
    named = set(re.findall(r"`(\w+)`|`\w+\.(\w+)`", page.split("|---|---|---|\n")[1]))
    known = {key for section, key in keys(Params) if section in STAGE_SECTIONS}
    not_told = {"key", "label", "neighborhood", "training", "init", "metric", "radius_decay"}
    not_told |= {"early_stopping"}

    told = {one or other for one, other in named}
    assert known - told == not_told
    rows = page.split("|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    for section, key in re.findall(
        r"`(\w+)\.(\w+)`", " ".join(row.split(" | ")[0] for row in rows)
    ):
        assert (section, key) in set(keys(Params))
