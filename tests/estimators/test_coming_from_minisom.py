"""The page for those who come from MiniSom names what there is."""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from modemap import SelfOrganizingMap, estimators, metrics

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-minisom.md"
ROWS = [line.split(" | ", 1)[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
CALLS = sorted(set(re.findall(r"(som|metrics|estimators)\.([\w.]+)", " ".join(ROWS))))
ARGUMENTS = sorted(set(re.findall(r"\b(\w+)=", " ".join(ROWS))))


@pytest.mark.parametrize(("owner", "path"), CALLS)
def test_every_call_of_the_page_exists(owner, path):
    """Methods and what is learned are those of a fitted map, functions those of their modules."""
    som = SelfOrganizingMap(2, 2, max_iter=1).fit(np.eye(4))
    found = {"som": som, "metrics": metrics, "estimators": estimators}[owner]

    if path.startswith("umatrix."):
        found, path = importlib.import_module("modemap.estimators.umatrix"), path[8:]

    assert hasattr(found, path)


def test_every_argument_of_the_page_exists():
    """Each is one of the map's or of the metrics'."""
    known = set(inspect.signature(SelfOrganizingMap).parameters)
    known |= set(inspect.signature(metrics.topographic_error).parameters)

    assert len(ARGUMENTS) > 10
    assert set(ARGUMENTS) <= known


def test_the_first_call_of_the_page_fits():
    """It runs as it stands."""
    (call,) = re.findall(r"`(SelfOrganizingMap\(10, 12.*?\))`", ROWS[0])

    som = eval(call, {"SelfOrganizingMap": SelfOrganizingMap}).fit(np.eye(20, 4))  # noqa: S307

    assert som.codebook_.shape == (120, 4)
