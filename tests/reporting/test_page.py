"""Tests of the report and of the pages of the contract."""

import base64
import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from modemap.reporting import story as told
from modemap.reporting.page import render_data_docs, render_report
from tests.pages import read_page

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</style><b>",
    "=cmd()|' /C calc'!A0",
    "{{ 7 * 7 }}",
    "naïve ☃ \u202e\u0000 列",
    "&lt;&amp;",
)
OURS = {"application/json", ""}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [render_report, render_data_docs])
def test_names_and_values_are_text(story, contract, render, text):
    """Whatever a column, value, key, source or message is called, it is read and never run."""
    clean = read_page(render(story))
    judged = replace(contract.rules[0].results[0], failure="broken", first=[text], source=text)
    judged = replace(judged, first_rows=[{text: text}])
    rule = replace(contract.rules[0], columns=[text], why=text, results=[judged])
    reason = told.Reason(text, 1.0, 2.0, 0.5, 0.5)
    row = told.StrangeRow({text: text}, text, 0, 0, -9.0, [reason])
    assert story.models is not None
    dirty = replace(
        story,
        project=text,
        models=replace(
            story.models,
            map=replace(story.models.map, planes={text: np.ones((2, 3))}),
            segments=[told.Segment(0, 1, 1.0, 1, [told.Contrast(text, 0.9, 1.0, 2.0)])],
            histograms=[replace(story.models.histograms[0], column=text)],
            strangest=[row],
        ),
        data=replace(story.data, source=text, key=[text]),
        contract=replace(contract, rules=[rule], suite=text),
        stopped=told.Stopped(text, text, text, text, 3, in_stage=False),
        lineage={text: text},
        next_steps=[(text, text)],
    )

    page = read_page(render(dirty))

    scripts = [attributes.get("type", "") for tag, attributes in page.elements if tag == "script"]
    assert set(scripts) <= OURS
    assert len(scripts) == len([tag for tag, _ in clean.elements if tag == "script"])
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in clean.elements} | ALSO
    assert " ".join(text.replace("\0", "\ufffd").split()) in page.text.replace("\0", "\ufffd")


ALSO = {"article", "ul", "li", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"}
ALSO |= {"dl", "dt", "dd", "div", "h3", "code"}


@pytest.mark.parametrize("render", [render_report, render_data_docs])
def test_a_page_asks_the_network_for_nothing(story, render):
    """It names no address, and its policy allows nothing but what it carries."""
    html = render(story)
    page = read_page(html)

    assert not re.search(r"https?://|@import|url\(", html)
    assert not [a for _, a in page.elements if {"src", "srcset", "action"} & set(a)]
    (policy,) = [a["content"] for tag, a in page.elements if tag == "meta" and "content" in a
                 and a.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert policy.startswith("default-src 'none'; ")


def test_the_policy_allows_the_one_script(story):
    """The script's own hash stands in the policy: what anyone slips in does not run."""
    html = render_report(story)

    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{sha256}&#39;" in html


def test_the_report_tells_every_fact(story):
    """Data, map, segments, columns, strange rows, metrics, verdict, lineage and next steps."""
    page = read_page(render_report(story))

    assert page.number("ingested") == 120
    assert [page.number(name) for name in ("train", "validation", "test")] == [70, 10, 20]
    assert page.number("rows") == 100
    assert page.number("segments") == 2
    assert page.facts["segment-rows"] == ["35", "65"]
    assert page.number("most-hits") == 64
    assert page.number("modes") == 2
    assert page.facts["log-likelihood"] == ["-160.4"]
    assert page.facts["quantization_error"] == ["0.75"]
    assert page.facts["other-quantization_error"] == ["0.5"]
    for said in (
        "Version 4 was stopped by the gate",
        "Version 3 stays the champion, since 1 January 2026, 00:00 UTC.",
        "1 batch kept all 2 rules",
        "delay much lower median −4, others 15",
        "delay slightly higher",
        "delay 1,301 the highest of all +58.8",
        "distance 80 not unusual by itself −0.5 total +58.3",
        "+0.25 worse",
        "+1.5 better",
        "stability ✗ not checkable – 0.3 not a finite number",
        "code commit 0123",
        "make ui look",
        "1 result",
    ):
        assert said in page.text, said


def test_the_contract_tells_every_rule(story):
    """What was expected, how many values were looked at, how many were not as expected, and why."""
    page = read_page(render_data_docs(story))

    assert "2 rules in flights.yaml" in page.text
    expected = "delay to be between −60 and 1,440, for at least 95 %"
    assert f"✓ kept {expected} 118 2 1.69 % a day has an end" in page.text
    assert "✓ kept the table row count to be between 1 and more 118 –" in page.text
    assert page.number("evaluated") == 236


def test_a_broken_contract_is_told_with_its_rows(story, contract):
    """Rule, batch, extent, the first offending values and where they stand."""
    judged = replace(
        contract.rules[0].results[0],
        failure="broken",
        first=[-500],
        first_rows=[{"row": 17, "flight": 371}],
    )
    broken = replace(
        contract, rules=[replace(contract.rules[0], results=[judged])], is_complete=False
    )
    story = replace(story, contract=broken, digest=None, data=None, models=None)
    story = replace(story, absent={"data": "it stopped", "models": "it stopped"})

    report = read_page(render_report(story)).text
    docs = read_page(render_data_docs(story)).text

    assert "The data broke its contract" in report
    assert "1 rule of 1 broken" in report
    assert "delay expected to be between −60 and 1,440" in report
    for said in ("1 rule broken", "flights/2013-01", "2 of 118 values (1.69 %)", "-500", "row 17"):
        assert said in docs, said


def test_a_stopped_run_says_why_first(story):
    """The four parts of the message and the exit code; of models nothing is told."""
    stopped = told.Stopped("prepare", "must hold rows", "none", "name more data", 3, in_stage=True)
    absent = {"data": "the run stopped", "models": "the run stopped"}
    story = replace(
        story, stopped=stopped, digest=None, data=None, models=None, contract=None,
        absent=absent | {"contract": "no manifest"},
    )  # fmt: skip

    page = read_page(render_report(story))

    assert "The run stopped No new models were made." in page.text
    for said in ("must hold rows", "prepare", "found none", "name more data", "exit code 3"):
        assert said in page.text, said
    assert "quantization_error" not in page.facts
    assert page.facts["other-quantization_error"] == ["0.5"]


def test_what_is_missing_is_a_dash(story):
    """A metric that could not be computed has no value, and no difference."""
    page = read_page(render_report(story))

    assert page.facts["stability"] == [""]
    assert " nan" not in page.text.lower()


def test_nothing_known_still_makes_a_page(story):
    """A project in which nothing ran has a report that says so."""
    absent = dict.fromkeys(("data", "models", "standing", "contract"), "no such file")
    empty = replace(
        story, digest=None, data=None, models=None, standing=None, contract=None, absent=absent
    )

    assert "No models yet" in read_page(render_report(empty)).text
    assert "no such file" in read_page(render_data_docs(empty)).text


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"version": None, "verdict": None}, "A release that is not registered"),
        ({"version": None}, "A release that the gate stopped"),
        ({"version": None, "verdict": told.Verdict(True, 3, None, [])}, "A release that passed"),
        ({"champion": 4}, "Version 4 is the champion"),
        ({"verdict": None}, "Version 4 is a candidate"),
    ],
)
def test_the_headline_says_where_the_release_stands(story, changes, headline):
    """Not registered, champion or candidate."""
    story = replace(story, standing=replace(story.standing, **changes))

    assert headline in read_page(render_report(story)).text


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (200, 100)])
def test_maps_of_any_size_are_drawn(story, models, shape):
    """A single unit, a row of units, and more units than can be told apart."""
    rng = np.random.default_rng(0)
    picture = told.MapPicture(
        distances=rng.random(shape),
        hits=rng.integers(0, 9, shape),
        segments=np.zeros(shape, dtype=int),
        planes={"delay": rng.random(shape)},
    )

    html = render_report(replace(story, models=replace(models, map=picture)))

    assert len(html) < 400_000
    assert ("4 × 4 units" in read_page(html).text) == (shape == (200, 100))
