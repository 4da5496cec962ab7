"""The page of a comparison says and draws what was found."""

import copy
import re
from dataclasses import replace

import pytest

from modemap.reporting.alignment import Turn
from modemap.reporting.comparison import render_comparison
from tests.pages import read_page


def row_of(page: str, title: str) -> str:
    """Return the row of a table that begins with ``title``, as text."""
    (row,) = (r for r in re.findall(r"<tr>.*?</tr>", page, re.S) if f">{title}<" in r)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))


def test_differences_stand_with_their_intervals(compared):
    """Better or worse is said only where the whole interval is on one side."""
    page = render_comparison(*compared)

    assert "<h1>The release here beside version 1</h1>" in page
    error, likelihood = row_of(page, "quantization error"), row_of(page, "log-likelihood")
    assert "−0.1 [−0.15, −0.05] better" in error
    assert "−0.5 [−1.2, 0.2]" in likelihood
    assert "worse" not in likelihood
    assert "– hexagonal" in row_of(page, "train_som.topology")
    assert "flights/2013-02" in page
    assert "99.5 12.0" in row_of(page.replace("</span> 51</th>", ">51</th>"), "51")


def test_what_cannot_be_compared_has_no_difference(compared):
    """Releases of other columns are not called better, or the same."""
    facts, maps = copy.deepcopy(compared)
    nothing = {"mean": None, "low": None, "high": None}
    facts |= {"error_change": nothing, "likelihood_change": nothing}
    facts |= {"quantization_error": [None, 0.8], "log_likelihood": [None, -30.0]}

    page = render_comparison(facts, replace(maps, second=replace(maps.second, planes={})))

    for title in ("quantization error", "log-likelihood"):
        said = row_of(page, title)
        assert "not of the same columns" in said
        assert not {"better", "worse"} & set(said.rpartition("is ")[2].split()[1:])
    assert 'id="planes"' not in page


def test_both_maps_are_drawn_and_the_second_is_turned(compared):
    """Every picture has a name, each second one the turn, and what was done is said."""
    page = render_comparison(*compared)

    names = re.findall(r'class="map" viewBox="[^"]+" role="img" aria-label="([^"]+)"', page)
    assert len(names) == 2 + 2 + 2 * 2  # U-matrix, hits, two planes
    assert names[0] == "U-matrix of version 1, 2 by 3 units"
    assert names[1] == "U-matrix of the release here, 3 by 2 units"
    turns = re.findall(r'<g transform="(matrix[^"]+)"', page)
    assert len(turns) == len(names)
    assert set(turns[::2]) == {"matrix(1 0 0 1 0 0)"}
    assert len(set(turns[1::2])) == 1
    assert turns[1] != turns[0]
    assert "moved by 1 row and 0 columns across its seams, mirrored top with bottom" in page
    assert "its 0 is 1 here, its 1 is 0 here" in page
    read_page(page)


def test_an_unturned_map_is_said_to_be_as_it_was_trained(compared):
    """Nothing is made up where nothing was done."""
    facts, maps = compared

    page = render_comparison(facts | {"matches": {"0": 0}}, replace(maps, turn=Turn(1.0)))

    assert "the second one is as it was trained" in page
    assert "has the number of the one" not in page


def test_colours_mean_the_same_on_both_maps(compared):
    """A value that only the second map has is beyond all of the first one's levels."""
    facts, maps = compared
    high = {name: values + 1000.0 for name, values in maps.second.planes.items()}

    page = render_comparison(facts, replace(maps, second=replace(maps.second, planes=high)))

    first, second = re.findall(r'aria-label="delay over the map of .*?</svg>', page, re.S)
    levels = [
        {int(level) for level in re.findall(r'class="q(\d+)"', svg)} for svg in (first, second)
    ]
    assert max(levels[0]) < min(levels[1])


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_no_value_leaves_its_place(compared, text):
    """Keys, settings and sources are text."""
    facts, maps = copy.deepcopy(compared)
    facts["changed"][0]["key"] = {text: text}
    facts |= {"params": {text: [text, text]}, "batches": [[text], [text]], "names": [text, text]}

    page = render_comparison(facts, maps)

    assert text not in page
    assert page.count("<script") == render_comparison(*compared).count("<script")
