"""Tests of the report and of the pages of the contract."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from modemap.estimators.umatrix import neighbor_distances
from modemap.reporting import story as told
from modemap.reporting.origin import draw_origin
from modemap.reporting.page import render_data_docs, render_report
from tests.drawings import polygons
from tests.pages import Page, read_page

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
            found=told.FoundRows({text: [text]}, np.zeros(1, np.int64)),
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
        "delay 1,301 above all training rows +58.8",
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
        ({"rollout": "canary"}, "Version 4 is a canary beside the champion"),
    ],
)
def test_the_headline_says_where_the_release_stands(story, changes, headline):
    """Not registered, champion or candidate."""
    story = replace(story, standing=replace(story.standing, **changes))

    assert headline in read_page(render_report(story)).text


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (600, 300)])
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

    assert len(html) < 1_000_000
    assert ("5 × 5 units" in read_page(html).text) == (shape == (600, 300))


SEAMS = "left and right edge, and top and bottom edge, meet"
CODEBOOK = np.array([[0.0], [1.0], [3.0], [7.0], [15.0], [31.0]])  # of 3 x 2 units
U_MATRIX = {  # mean distances to the neighbours, by hand
    (False, False): [2, 3.5, 6.333333, 11.333333, 14, 20],
    (True, False): [2, 3, 9.8, 11.333333, 14, 22.666667],
    (False, True): [6.333333, 12.333333, 6.333333, 11.333333, 14.333333, 23.333333],
}


def page_of(story, picture) -> Page:
    """Read the report with this map."""
    return read_page(render_report(replace(story, models=replace(story.models, map=picture))))


def page_of_a_known_map(story, is_hexagonal, is_toroidal) -> Page:
    """Read the report of a map of 3 x 2 units in two segments."""
    grid = {
        "topology": "hexagonal" if is_hexagonal else "rectangular",
        "boundary": "toroidal" if is_toroidal else "planar",
    }
    picture = told.MapPicture(
        distances=neighbor_distances(CODEBOOK, 3, 2, **grid),
        hits=np.array([[1, 2], [0, 4], [5, 6]]),
        segments=np.array([[0, 0], [0, 1], [1, 1]]),
        planes={"delay": CODEBOOK.reshape(3, 2), "distance": -CODEBOOK.reshape(3, 2)},
        is_hexagonal=is_hexagonal,
        is_toroidal=is_toroidal,
    )
    return page_of(story, picture)


def drawn(page: Page) -> list[list[tuple[str, dict[str, str]]]]:
    """Return the elements of each map of the page."""
    maps = []
    for tag, attributes in page.elements:
        if tag == "svg":
            maps.append([])
        if maps and tag in ("svg", "g", "path", "text"):
            maps[-1].append((tag, attributes))
    return [elements for elements in maps if elements[0][1]["class"] == "map"]


@pytest.mark.parametrize(("is_hexagonal", "is_toroidal"), U_MATRIX)
def test_the_maps_are_drawn_as_their_grid_is(story, is_hexagonal, is_toroidal):
    """U-matrix, hits and planes: a polygon for each unit, squares or hexagons."""
    page = page_of_a_known_map(story, is_hexagonal, is_toroidal)

    u_matrix, hit_map, *planes = drawn(page)
    assert len(planes) == 2
    for elements in (u_matrix, *planes):
        paths = [a["d"] for tag, a in elements if tag == "path" and a["class"].startswith("q")]
        found = [corners for path in paths for corners in polygons(path)]
        widths = [np.ptp(corners[:, 0]) for corners in found]
        assert {len(corners) for corners in found} == {6 if is_hexagonal else 4}
        assert sum(widths) == (2 * 6 if is_hexagonal else 6)
    hits = [a["d"] for tag, a in hit_map if tag == "path" and re.match(r"s\d", a["class"])]
    assert sum(len(polygons(path)) for path in hits) == 5
    assert ("Every hexagon is a unit" in page.text) == is_hexagonal
    assert ("the six around it" in page.text) == is_hexagonal


@pytest.mark.parametrize(("is_hexagonal", "is_toroidal"), U_MATRIX)
def test_the_u_matrix_is_of_true_neighbours(story, is_hexagonal, is_toroidal):
    """Four beside, six around, or those beyond the edge: the page has their mean distances."""
    page = page_of_a_known_map(story, is_hexagonal, is_toroidal)

    units = json.loads(page.scripts[-2])
    expected = U_MATRIX[is_hexagonal, is_toroidal]
    np.testing.assert_allclose(units["distances"], expected, rtol=1e-5)
    assert (units["isHexagonal"], units["isToroidal"]) == (is_hexagonal, is_toroidal)


@pytest.mark.parametrize("is_hexagonal", [False, True])
def test_the_seams_of_a_torus_are_marked_and_said(story, models, is_hexagonal):
    """Every map has a dashed edge and says so to who cannot see it; a planar map has neither."""
    grids = [{"is_hexagonal": is_hexagonal, "is_toroidal": joins} for joins in (True, False)]

    joined, planar = (page_of(story, replace(models.map, **grid)) for grid in grids)

    assert SEAMS in joined.text.lower()
    assert SEAMS not in planar.text.lower()
    for elements in drawn(joined):
        assert SEAMS in elements[0][1]["aria-label"]
        assert len([a for _, a in elements if a.get("class") == "seam"]) == 1
    for elements in drawn(planar):
        assert SEAMS not in elements[0][1]["aria-label"]
        assert not [a for _, a in elements if a.get("class") == "seam"]


def test_hexagons_beyond_counting_are_drawn_together(story):
    """A cell of several units is square, and the page says what it stands for."""
    shape = (256, 200)
    picture = told.MapPicture(
        np.ones(shape), np.ones(shape, int), np.zeros(shape, int), {}, is_hexagonal=True
    )

    page = page_of(story, picture)

    assert "2 × 2 units, which are hexagons" in page.text
    assert "Every cell is" in page.text


ENTRIES = [
    told.Promoted(1, True, "promotion", None, 3, "2026-01-01T00:00:00+00:00", "ann@x", "first", ""),
    told.Promoted(2, False, "promotion", 3, 4, "2026-01-02T00:00:00+00:00", "<b>", "late", ""),
    told.Promoted(3, True, "rollback", 3, 2, "2026-01-03T00:00:00+00:00", "bob@x", "bad", "eve"),
]
ORIGIN = told.Origin(
    batches=[told.Batch(f"part-{i}", f"{i}" * 64, 10) for i in range(5)],
    contract=("flights.yaml", True),
    stages={
        "ingest": [],
        "train_a": ["ingest"],
        "train_b": ["ingest"],
        "end": ["train_a", "train_b"],
    },
    outputs={"ingest": "0a" * 16, "end": "0b" * 16},
    digest="cd" * 32,
    passed=False,
    version=4,
    is_champion=False,
    before=[(3, "ab" * 32), (1, "ef" * 32)],
)


def test_the_history_is_told_newest_first(story):
    """Who, when, why, from and to of every entry; a refusal is told as one."""
    page = read_page(render_report(replace(story, history=ENTRIES)))

    numbers = [shown["data-entry"] for _, shown in page.elements if "data-entry" in shown]
    assert numbers == ["3", "2", "1"]
    told_last = "3 rollback version 3 version 2 3 January 2026, 00:00 UTC bob@x approved by eve bad"
    assert told_last in page.text
    assert "2 ✗ refused version 3 version 4 2 January 2026, 00:00 UTC <b> late" in page.text
    assert "1 promotion none version 3" in page.text


def test_a_long_history_is_cut_and_says_so(story):
    """The newest twenty entries are shown, and how many came before."""
    many = [replace(ENTRIES[0], number=n) for n in range(1, 31)]

    page = read_page(render_report(replace(story, history=many)))

    numbers = [shown["data-entry"] for _, shown in page.elements if "data-entry" in shown]
    assert numbers == [str(n) for n in range(30, 10, -1)]
    assert "10 earlier entries by modemap history" in page.text


def test_without_a_promotion_the_history_says_so(story):
    """Nor does it stay silent where it cannot be read."""
    assert "Nothing was promoted yet." in read_page(render_report(story)).text

    unread = replace(story, absent={"history": "entry 2: it does not match"})
    page = read_page(render_report(unread))
    assert "Not to be told here: entry 2: it does not match." in page.text


def cost_of(stage, day, **usage):
    """Return what a training of January cost."""
    return told.Cost(stage, "ab" * 32, f"2026-01-0{day}T00:00:00+00:00", usage)


def test_what_training_costs_is_told_as_a_trend(story):
    """The newest of each stage beside the median before it; a measure that it lacks is left out."""
    costs = [
        cost_of("train_som", 1, fit_seconds=4.0, peak_memory_mib=300.0, read_mib=9.0),
        cost_of("train_mixture", 2, fit_seconds=1.0),
        cost_of("train_som", 3, fit_seconds=2.0, peak_memory_mib=310.0),
        cost_of("train_som", 4, fit_seconds=8.0, peak_memory_mib=305.0),
    ]

    page = read_page(render_report(replace(story, costs=costs)))

    assert page.number("train_som-fit_seconds") == 8
    trends = [shown for tag, shown in page.elements if tag == "svg" and shown["class"] == "trend"]
    assert len(trends) == 3
    assert all(shown["aria-label"] for shown in trends)
    assert "train_som: 3 trainings, the newest last" in page.text
    assert "time of the fit, in s 8 3" in page.text
    assert "most memory at once, in MiB 305 305" in page.text
    assert "train_som-read_mib" not in page.facts
    assert "time of the fit, in s 1 –" in page.text


def test_without_a_training_the_costs_say_so(story):
    """Nor do they stay silent where they cannot be read."""
    assert "No training is on record yet." in read_page(render_report(story)).text

    unread = replace(story, absent={"costs": "the database is locked"})
    assert "Not to be told here: the database is locked." in read_page(render_report(unread)).text


def test_the_way_of_a_release_is_drawn_from_data_to_version(story):
    """Every step is a box in its order; the whole is told in words for who cannot see it."""
    page = read_page(render_report(replace(story, origin=ORIGIN)))

    boxes = [shown["data-box"] for _, shown in page.elements if "data-box" in shown]
    assert boxes == [
        "batch", "batch", "batch", "contract", "ingest", "train_a", "train_b", "end",
        "release", "gate", "version", "before", "before",
    ]  # fmt: skip
    assert "3 more batches 30 rows" in page.text
    assert "contract kept flights.yaml" in page.text
    assert "release cdcdcdcdcd gate stopped version 4 candidate" in page.text
    assert "version 3 ababababab version 1 efefefefef" in page.text
    labels = [shown.get("aria-label", "") for _, shown in page.elements]
    (label,) = [text for text in labels if "Lineage from" in text]
    assert "stages ingest, train_a, train_b, end" in label
    assert "gate stopped; version 4 candidate" in label
    drawn = [shown["class"] for _, shown in page.elements if "data-box" in shown]
    assert [name for name in drawn if "bad" in name] == ["box gate bad"]


def test_boxes_stand_apart_and_inside_the_drawing():
    """No box covers another, and none leaves the picture, however many there are."""
    drawing = draw_origin(ORIGIN)

    _, _, width, height = map(float, drawing.view.split())
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= height
    for one, other in combinations(drawing.boxes, 2):
        is_below = other.y >= one.y + one.height
        assert is_below or other.x >= one.x + one.width


def test_a_stage_stands_below_all_that_it_reads():
    """Whatever the order in which the lock file names them."""
    drawing = draw_origin(replace(ORIGIN, stages=dict(reversed(ORIGIN.stages.items()))))

    at = {box.name: box.y for box in drawing.boxes if box.name}
    assert at["ingest"] < at["train_a"] == at["train_b"] < at["end"]
