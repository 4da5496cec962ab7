"""The model card tells what the record says, and nothing in it is taken for more than text."""

from dataclasses import replace

import pytest

from modemap.reporting import story as told
from modemap.reporting.card import LIMITS, MOST, Card, card_html, card_markdown, card_note
from tests.pages import read_page

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}",
    "a | b ` c",
    "[link](http://example.org)",
    "![picture](x)",
)


def _card(text="delay"):
    results = [
        told.RuleResult("quantization_error", "passed", 0.5, 0.6, f"0.1 better than {text}"),
        told.RuleResult("row_order", "not checkable", float("nan"), 0.0, text),
    ]
    promoted = told.Promoted(
        2, True, "promotion", 1, 3, "2026-01-02T03:04:00+00:00", text, text, f"eve {text}"
    )
    return Card(
        project=text,
        version=3,
        digest="cd" * 32,
        rendered="2026-01-03T00:00:00+00:00",
        params={"train_som.n_rows": 16, text: text},
        columns=[told.Column(text, "drop", 0, -2.0, 9.6)],
        batches=[told.Batch(text, "ab" * 32, 27004)],
        judged=(85, 0),
        metrics=[told.Metric("quantization_error", 0.8125, 0.875)],
        verdict=told.Verdict(True, 2, None, results),
        promotions=[promoted],
        lineage={"commit": "0123", text: text},
    )


def _words(render, card):
    return read_page(render(card)).text if render is card_html else render(card)


@pytest.mark.parametrize("render", [card_html, card_markdown])
def test_the_card_tells_the_record(render):
    """Data, metrics beside the champion's, rules, promotions with approvals, lineage, limits."""
    words = _words(render, _card())

    for fact in (
        "version 3",
        "27,004 rows",
        "85 results, which all were kept",
        "0.8125",
        "0.875",
        "version 2",
        "0.1 better than delay",
        "not checkable",
        "Promoted 2 January 2026, 03:04 UTC by delay",
        "eve delay",
        "train_som.n_rows",
        *LIMITS,
    ):
        assert fact.lower() in words.lower(), fact


@pytest.mark.parametrize("text", HOSTILE)
def test_values_stay_text_in_html(text):
    """No element, attribute or template comes of them."""
    plain, hostile = (read_page(card_html(_card(name))) for name in ("delay", text))

    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert " ".join(text.split()) in hostile.text


@pytest.mark.parametrize("text", HOSTILE)
def test_values_stay_text_in_markdown(text):
    """Each stands in a code span, or has every sign of Markdown escaped; tables keep their form."""
    plain, hostile = (card_markdown(_card(name)).splitlines() for name in ("delay", text))

    assert len(hostile) == len(plain)
    for line, same in zip(hostile, plain, strict=True):
        assert line.replace("\\|", "").count("|") == same.count("|")
        outside = "".join(line.split("`")[::2])
        assert not any(sign in outside.replace("\\" + sign, "") for sign in "<>[]")


@pytest.mark.parametrize("render", [card_html, card_markdown])
def test_what_is_not_on_record_is_said(render):
    """A version without verdict, data or promotion says so in each place."""
    bare = replace(_card(), verdict=None, promotions=[], batches=[], judged=(0, 0))

    words = _words(render, bare)

    assert "The gate has not judged it." in words
    assert words.count("It was not judged.") == 3
    assert "It has never been the champion." in words
    assert "Nothing is on record of its data." in words


@pytest.mark.parametrize(
    ("judged", "said"),
    [((0, 0), "0 results, 0 of them failures"), ((5, 2), "5 results, 2 of them failures")],
)
def test_a_contract_that_was_not_kept_is_never_called_kept(judged, said):
    """Nor one of which no result is known."""
    card = replace(_card(), judged=judged)

    assert said in card.data
    assert "kept" not in card.data


@pytest.mark.parametrize(
    ("passed", "said"), [(True, "It passed the gate."), (False, "The gate stopped it.")]
)
def test_the_state_is_the_gates_until_it_is_promoted(passed, said):
    """What was stopped is not said to have passed."""
    verdict = replace(_card().verdict, passed=passed)

    assert replace(_card(), verdict=verdict, promotions=[]).state == said


@pytest.mark.parametrize("n_columns", [1, 10, 30, 300])
def test_a_note_is_as_long_as_stores_take(n_columns):
    """Of a long card the note holds whole parts from the beginning, and says where the rest is."""
    columns = [
        told.Column(f"column {i} " + "x" * 60, "drop", 0, 0.0, 1.0) for i in range(n_columns)
    ]
    card = replace(_card(), columns=columns, params={f"p{i}": i for i in range(40)})

    note, whole = card_note(card), card_markdown(card)

    assert len(note) <= MOST
    if len(whole) <= MOST:
        assert note == whole
    else:
        kept, rest = note.rstrip("\n").rsplit("\n\n", 1)
        assert whole.startswith(f"{kept}\n\n")
        assert "card/card.html" in rest
    assert note.startswith("# `delay`, version 3")


def test_a_name_longer_than_a_note_leaves_no_part():
    """The note says where the card is."""
    assert len(card_note(_card("x" * 9000))) <= MOST


def test_every_table_of_the_card_has_a_name():
    """For those who hear the page."""
    tags = [tag for tag, _ in read_page(card_html(_card())).elements]

    assert tags.count("caption") == tags.count("table") > 5
