"""params.yaml gets other values, and nothing else of it changes."""

import pytest
from ruamel.yaml import YAML

from modemap.params import load_params
from modemap.search.changes import changed, difference
from tests.projects import CHECKOUT

SHIPPED = (CHECKOUT / "params.yaml").read_text()


def test_only_values_change_and_comments_stay():
    """The diff holds the lines that are asked for, each with the comment it had."""
    values = {
        "train_som": {"n_rows": 32, "n_columns": 8, "radius": [5.5, 0.4], "init": "sample"},
        "train_mixture": {"n_components": 21, "mean_precision_prior": 0.01},
    }

    said = difference(SHIPPED, changed(SHIPPED, values), "params.yaml")

    lines = [
        line for line in said.splitlines() if line[0] in "+-" and line[:3] not in ("---", "+++")
    ]
    assert lines == [
        "-  n_rows: 16",
        "-  n_columns: 16",
        "+  n_rows: 32",
        "+  n_columns: 8",
        "-  radius: [8.0, 1.0] # of the neighborhood, in units, first and last pass",
        "+  radius: [5.5, 0.4] # of the neighborhood, in units, first and last pass",
        "+  init: sample",
        "-  n_components: 8 # of the joint density",
        "+  n_components: 21 # of the joint density",
        "+  mean_precision_prior: 0.01",
    ]


def test_the_changed_file_says_what_was_asked(tmp_path):
    """The params are those of before with the new values."""
    path = tmp_path / "params.yaml"
    path.write_text(
        changed(SHIPPED, {"train_som": {"topology": "hexagonal", "radius": [3.0, 0.5]}})
    )

    params = load_params(path)

    before = load_params(CHECKOUT / "params.yaml")
    som = before.train_som.model_copy(update={"topology": "hexagonal", "radius": (3.0, 0.5)})
    assert params == before.model_copy(update={"train_som": som})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {x: 1, z: 3} # c\n", "a: {x: 2, z: 3, y: [1.0, 2.0]} # c\n"),
        (
            "a:\n    x: 1\n    z:\n      - 1\n\nb: 1\n",
            "a:\n    x: 2\n    z:\n      - 1\n    y: [1.0, 2.0]\n\nb: 1\n",
        ),
        ("a:\n  x: '1' # c", "a:\n  x: 2 # c\n  y: [1.0, 2.0]"),
        (
            "a:\n  y: # c\n  - 8\n  - 7 # d\n  x: 1\n",
            "a:\n  y: # c\n  - 1.0\n  - 2.0 # d\n  x: 2\n",
        ),
        ("a:\r\n  x: 1\r\n", "a:\r\n  x: 2\r\n  y: [1.0, 2.0]\n"),
    ],
)
def test_every_way_to_write_a_section_is_kept(text, expected):
    """In braces, in blocks, indented by four, with lists of lines, without an end of line."""
    new = changed(text, {"a": {"x": 2, "y": (1.0, 2.0)}})

    assert new.replace("\r", "") == expected.replace("\r", "")
    assert YAML(typ="safe").load(new)["a"]["y"] == [1.0, 2.0]
