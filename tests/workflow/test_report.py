"""The report of a real run: what it says is what the run left behind."""

import json
import subprocess

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.pages import Page, read_page

pytestmark = pytest.mark.workflow

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def page(promoted) -> Page:
    """Read the page that the run rendered."""
    return read_page(promoted.read("reports/index.html"))


def test_metrics_are_those_of_the_evaluation(promoted, page):
    """Digit by digit, in the table and among the main numbers."""
    evaluated = json.loads(promoted.read("reports/evaluate.json"))

    for name in ("quantization_error", "topographic_error", "stability", "log_likelihood"):
        assert page.number(name) == evaluated[name]
    assert evaluated["release_digest"] in page.text


def test_the_champion_is_that_of_the_history(promoted, page):
    """Version, date and lineage agree with `modemap status` and git."""
    champion = promoted.champion()

    assert f"Version {champion['version']} is the champion" in page.text
    assert champion["digest"] in page.text
    head = promoted.succeed("git", "rev-parse", "HEAD").strip()
    assert f"commit {head}" in page.text
    assert "flow run unknown" not in page.text


def test_rows_are_counted_as_the_stages_did(promoted, page):
    """Ingested, dropped and split; the contract's rules and values."""
    prepared = json.loads(promoted.read("reports/prepare.json"))
    validated = json.loads(promoted.read("reports/validate.json"))

    assert page.number("ingested") == json.loads(promoted.read("reports/ingest.json"))["rows"]
    for split, rows in prepared["rows"].items():
        assert page.number(split) == rows
    assert f"{prepared['dropped_rows']} rows had a missing value" in page.text
    assert page.number("rules") == validated["expectations"]
    assert page.number("evaluated") == validated["evaluated"]


def test_segments_and_strange_rows_are_those_of_the_scores(promoted, page):
    """Sizes of segments, the fullest unit, and the twenty least likely rows by key."""
    scores = pq.read_table(promoted.root / "reports/scores.parquet")

    sizes = scores.group_by("segment").aggregate([("unit", "count")]).sort_by("segment")
    assert [int(size) for size in page.facts["segment-rows"]] == sizes["unit_count"].to_pylist()
    hits = scores.group_by("unit").aggregate([("segment", "count")])["segment_count"]
    assert page.number("most-hits") == pc.max(hits).as_py()
    worst = scores.sort_by("log_likelihood").slice(0, 20)
    shown = [float(value) for value in page.facts["log-likelihood"]]
    assert shown == pytest.approx(worst["log_likelihood"].to_pylist(), abs=1e-9)
    for row in worst.to_pylist():
        assert f"carrier {row['carrier']} flight {row['flight']}" in page.text


def test_the_verdict_is_told_rule_by_rule(page):
    """Every rule of the gate is on the page."""
    from modemap.lifecycle.rules import RULES

    shown = [a["data-rule"] for tag, a in page.elements if tag == "tr" and "data-rule" in a]
    assert shown == [rule.name for rule in RULES]


def test_the_contract_beside_it_has_every_rule(promoted):
    """As many as the suite, all kept."""
    docs = read_page(promoted.read("reports/data_docs/index.html"))

    validated = json.loads(promoted.read("reports/validate.json"))
    assert docs.text.count("✓ kept") == validated["expectations"]
    assert docs.number("evaluated") == validated["evaluated"]


def test_pages_are_small_and_nobodys_output(promoted):
    """They can be mailed, git does not see them, and DVC neither."""
    for path in ("reports/index.html", "reports/data_docs/index.html"):
        assert (promoted.root / path).stat().st_size < MEGABYTE
        assert subprocess.run(
            ["git", "check-ignore", "-q", path], cwd=promoted.root, check=False
        ).returncode == 0  # fmt: skip
        assert path not in promoted.read("dvc.lock")


def test_the_command_renders_the_same_page(copied):
    """`modemap report` tells the same from the same project, without a server."""
    before = copied.read("reports/index.html").split("<footer")[0]
    (copied.root / "reports/index.html").unlink()

    said = copied.succeed("modemap", "report")

    assert said.strip() == "reports/index.html"
    assert copied.read("reports/index.html").split("<footer")[0] == before
