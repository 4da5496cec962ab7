"""The facts of a run as Markdown, whoever wrote them."""

import copy
import re
import subprocess
import sys
from pathlib import Path

import pytest

import modemap
from modemap.reporting.summary import markdown

RESULT = {"rule": "metrics", "outcome": "passed", "value": "9", "bound": "9", "why": "all there"}
FACTS = {
    "format": 1,
    "candidate": {"digest": "c" * 64, "metrics": {"stability": 0.387654321, "n_units": 256}},
    "champion": {"version": 3, "digest": "d" * 64, "metrics": {"stability": 0.25}},
    "failures": [],
    "verdict": {"passed": True, "results": [RESULT]},
}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "https://evil.example",
    "@everyone",
    "`</code>` ` | --- |",
    "a\n\n# heading",
    "\\|",
    "x" * 100_000,
    "\x1b[31m\u202e",
)


def changed(**facts):
    """Return the facts with some replaced."""
    return copy.deepcopy(FACTS) | facts


def test_the_release_stands_beside_the_champion():
    """Metrics of both are in one row, and a missing one is a dash."""
    text = markdown(FACTS)

    assert "| metric | this release | champion, version `3` |" in text
    assert "| `stability` | `0.387654` | `0.25` |" in text
    assert "| `n_units` | `256` | - |" in text
    assert "| `metrics` | `passed` | `9` | `9` | `all there` |" in text


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        (FACTS, "The release passed the gate; it is not promoted"),
        (changed(verdict={"passed": False}), "The gate stopped the release; the champion stays"),
        (changed(verdict={"passed": "yes"}), "The gate stopped the release; the champion stays"),
        (changed(verdict=None), "The release was not judged"),
        (changed(candidate=None, verdict=None), "No release was made"),
        (changed(failures=[{"stage": "ingest"}]), "A stage stopped; the champion stays"),
        (changed(champion=FACTS["candidate"] | {"version": 4}), "the champion, version `4`"),
        ({}, "No release was made"),
    ],
)
def test_the_first_line_says_what_happened(facts, headline):
    """Only a verdict that says so has let a release through."""
    assert headline in markdown(facts).splitlines()[0]


def test_a_stage_that_stopped_tells_its_message():
    """Place, rule, value and next step are shown."""
    failure = {"stage": "validate", "place": "data/raw", "rule": "distance > 0", "found": "-1"}

    text = markdown(changed(failures=[failure | {"hint": "mend it", "exit_code": 3}]))

    for value in ("validate", "data/raw", "distance > 0", "-1", "mend it", "3"):
        assert f"`{value}`" in text


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_leaves_its_code_span(value):
    """Links, mentions, HTML, headings and cells of a pull request stay plain text."""
    result = dict.fromkeys(RESULT, value)
    facts = changed(
        candidate={"digest": value, "metrics": {value: value}},
        failures=[{"stage": value, "place": value}],
        verdict={"passed": value, "results": [result]},
    )

    text = markdown(facts)

    outside = re.sub(r"`[^`]*`", "", text)
    for trace in ("<", "[", "http", "@", "evil", "heading", "xxx", "\x1b", "\u202e"):
        assert trace not in outside
    cells = [re.sub(r"\\\|", "", line).count("|") for line in text.splitlines() if line[:1] == "|"]
    assert set(cells) == {3, 4, 6}
    assert len(text) < 10_000


@pytest.mark.parametrize("value", [None, 3, "text", [], [3], {"results": 3}])
@pytest.mark.parametrize("name", ["candidate", "champion", "failures", "verdict"])
def test_facts_of_another_form_are_left_out(name, value):
    """Whatever a pull request sends, there is a summary."""
    assert markdown(changed(**{name: value})).startswith("## ")


def test_a_long_list_is_cut():
    """A comment cannot be flooded."""
    results = [RESULT] * 100_000

    assert markdown(changed(verdict={"passed": True, "results": results})).count("all there") == 40


def test_no_package_is_needed():
    """The job that comments on pull requests installs nothing."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import modemap.reporting.summary"
    source = str(Path(modemap.__file__).parents[1])

    subprocess.run([sys.executable, "-I", "-S", "-c", script, source], check=True)
