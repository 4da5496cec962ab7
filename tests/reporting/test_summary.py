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
COMPARISON = {
    "n_rows": 3953,
    "quantization_error": [0.8715, 0.9237],
    "log_likelihood": [-29.43, -29.43],
    "error_change": {"mean": 0.05212, "low": 0.0469, "high": 0.05741},
    "likelihood_change": {"mean": None, "low": None, "high": None},
    "moved_share": 0.153,
    "segment_agreement": 0.662,
    "map_agreement": 0.963,
    "unusual": [43, 1, 2],
    "params": {"train_som.n_rows": [16, 14]},
    "batches": [[], ["flights/2013-02"]],
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


def test_the_comparison_is_told():
    """Each difference with its interval, and what both were made from."""
    text = markdown(changed(comparison=COMPARISON))

    row = "| quantization error | `0.8715` | `0.9237` | `0.05212` | `0.0469` to `0.05741` |"
    for line in (
        row,
        "| log likelihood | `-29.43` | `-29.43` | - | - to - |",
        "| share in another segment | `0.153` |",
        "| unusual for this release alone | `2` |",
        "| `train_som.n_rows` | `16` | `14` |",
        "| `flights/2013-02` |  |",
    ):
        assert line in text.splitlines()
    assert "data of this release alone" in text
    assert "data of the champion alone" not in text


def test_what_cannot_be_compared_says_why():
    """A champion of other columns, or a damaged one, leaves the rest of the summary whole."""
    text = markdown(changed(comparison={"refused": "som.npz: its bytes differ"}))

    assert "They cannot be compared: `som.npz: its bytes differ`" in text
    assert "| `metrics` | `passed` |" in text


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        (FACTS, "The release passed the gate; it is not promoted"),
        (changed(verdict={"passed": False}), "The gate stopped the release; the champion stays"),
        (changed(verdict={"passed": "yes"}), "The gate stopped the release; the champion stays"),
        (
            changed(verdict={"passed": False}, champion=None),
            "The gate stopped the release; nothing is promoted",
        ),
        (changed(verdict=None), "The release was not judged"),
        (changed(candidate=None, verdict=None), "No release was made"),
        (changed(failures=[{"stage": "ingest"}]), "A stage stopped; the champion stays"),
        (
            changed(failures=[{"stage": "ingest"}], champion=None),
            "A stage stopped; nothing is promoted",
        ),
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
        comparison=dict.fromkeys(COMPARISON, value)
        | {"params": {value: [value, value]}, "batches": [[value], [value]]},
    )

    text = markdown(facts)

    outside = re.sub(r"`[^`]*`", "", text)
    for trace in ("<", "[", "http", "@", "evil", "heading", "xxx", "\x1b", "\u202e"):
        assert trace not in outside
    cells = [re.sub(r"\\\|", "", line).count("|") for line in text.splitlines() if line[:1] == "|"]
    assert set(cells) == {3, 4, 6}  # of the tables' columns, and one more
    assert len(text) < 10_000


@pytest.mark.parametrize("value", [None, 3, "text", [], [3], {"results": 3}])
@pytest.mark.parametrize("name", ["candidate", "champion", "comparison", "failures", "verdict"])
def test_facts_of_another_form_are_left_out(name, value):
    """Whatever a pull request sends, there is a summary."""
    assert markdown(changed(**{name: value})).startswith("## ")


@pytest.mark.parametrize("value", [None, 3, "text", [], [3], {"mean": []}])
@pytest.mark.parametrize("name", list(COMPARISON))
def test_comparisons_of_another_form_are_left_out(name, value):
    """Each of its facts may be anything."""
    text = markdown(changed(comparison=COMPARISON | {name: value}))

    assert "### Beside the champion" in text


def test_a_long_list_is_cut():
    """A comment cannot be flooded."""
    results = [RESULT] * 100_000

    assert markdown(changed(verdict={"passed": True, "results": results})).count("all there") == 40


def test_no_package_is_needed():
    """The job that comments on pull requests installs nothing."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import modemap.reporting.summary"
    source = str(Path(modemap.__file__).parents[1])

    subprocess.run([sys.executable, "-I", "-S", "-c", script, source], check=True)
