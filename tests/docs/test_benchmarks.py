"""The figures that people read are those that were measured."""

import json
import re

from benchmarks.bars import RESULTS
from benchmarks.page import write_page
from tests.projects import CHECKOUT

SHOWN = (  # the README's rows: the suite, and the works whose values they give
    (
        "billion",
        "fit in memory, 2 threads",
        "argmax in memory, 2 threads",
        "inverse in memory, 2 threads",
    ),
    (
        "billion",
        "fit from disk",
        "transform from disk",
        "inverse from disk",
    ),
    ("mixture", "1-D fit of 1M rows, K = 10, 100 iterations, beside scikit-learn"),
    (
        "mixture",
        "joint fit, full, 1M x 8, K = 10, an iteration, beside scikit-learn",
    ),
    (
        "mixture",
        "transform of 1M rows, sampled, beside RDT",
        "inverse of 10M rows, beside RDT",
    ),
    ("som", "map C: epoch"),
    ("som", "map A: epoch", "map B: epoch"),
    ("som", "map, online, MiniSom"),
)


def value(suite: str, work: str) -> float:
    """Return what was measured of the one work whose name begins with ``work``."""
    bars = json.loads((RESULTS / f"{suite}.json").read_text())["bars"]
    (found,) = [bar["value"] for bar in bars if bar["work"].startswith(work)]
    return found


def test_the_page_is_made_from_the_results(tmp_path):
    """Nobody wrote a figure into docs/benchmarks.md by hand."""
    write_page(RESULTS, tmp_path / "made.md")

    assert (tmp_path / "made.md").read_text() == (CHECKOUT / "docs/benchmarks.md").read_text()


def test_the_readme_gives_the_measured_figures():
    """Each number of its table is a result, to the digits that are shown."""
    section = (CHECKOUT / "README.md").read_text().split("\n## How fast\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!work|-)[^|]+\| ([^|]+) \|$", section, re.MULTILINE)

    assert len(rows) == len(SHOWN)
    for told, (suite, *works) in zip(rows, SHOWN, strict=True):
        numbers = re.findall(r"\d[\d,]*(?:\.\d+)?", told)
        measured = [value(suite, work) for work in works]
        digits = [len(number.partition(".")[2]) for number in numbers]
        rounded = [f"{v:,.{n}f}" for v, n in zip(measured, digits, strict=True)]
        assert numbers == rounded, told
