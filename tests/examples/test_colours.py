"""The colour challenge: the formula's map, as a script and as a notebook."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture
def colours(monkeypatch):
    """Import the script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import colours

    return colours


@pytest.mark.parametrize("shape", [(20, 30), (7, 7), (12, 3)])
def test_the_map_is_that_of_the_naive_formula(colours, shape):
    """To a thousandth, after 200 iterations."""
    rng = np.random.default_rng(0)
    samples, start = rng.random((20, 3)), rng.random((*shape, 3))

    found = colours.fitted(samples, start, 200)

    np.testing.assert_allclose(found, colours.naive(samples, start, 200), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (2, 1)])
def test_maps_at_most_two_wide_have_an_answer(colours, shape):
    """The formula divides by the logarithm of 1 there."""
    rng = np.random.default_rng(0)

    found = colours.fitted(rng.random((20, 3)), rng.random((*shape, 3)), 200)

    assert ((found >= 0) & (found <= 1)).all()


def test_the_script_writes_the_picture(tmp_path):
    """And says how long it took."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "colours.py")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "100 x 100 units, 20 colours, 1000 iterations: " in done.stdout
    assert (tmp_path / "colours.png").read_bytes().startswith(b"\x89PNG")


def test_the_notebook_runs(monkeypatch):
    """Cell by cell, without a screen."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = json.loads((FOLDER / "colours.ipynb").read_text())
    names: dict[str, object] = {}

    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102

    assert names["difference"] < 1e-3
