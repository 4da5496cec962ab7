"""The model card is made from the record, kept with the version, and shown by MLflow."""

import sys
from pathlib import Path

import pytest

from modemap import cli
from modemap.errors import RegistryError
from modemap.lifecycle.card import keep_card, make_card
from modemap.lifecycle.gate import gate
from modemap.lifecycle.register import register
from modemap.tracking import open_store

pytestmark = pytest.mark.workflow


def _description(project, number=1):
    store = open_store(project.root, "flights")
    with store.asked() as client:
        return client.get_model_version("flights", str(number)).description


def test_the_card_is_what_the_record_says(replaced):
    """Of each version: its own verdict and promotion, and the metrics of what it stood beside."""
    first, second = make_card(replaced.root, 1), make_card(replaced.root)

    assert (first.version, second.version) == (1, 2)
    assert first.digest != second.digest
    assert [column.name for column in second.columns] == ["delay", "distance"]
    assert [batch.rows for batch in second.batches] == [500]
    assert second.judged == (2, 0)
    assert second.verdict.against == 1
    assert {metric.name: metric.other for metric in second.metrics}["stability"] == 0.9
    assert [entry.after for entry in second.promotions] == [2]
    assert [entry.after for entry in first.promotions] == [1]
    assert first.verdict.against is None


@pytest.mark.usefixtures("in_process")
def test_the_gate_keeps_the_card(project):
    """As the version's description, and as files of its run; a refusal is told as one."""
    project.write("reports/evaluate.json", project.read("reports/evaluate.json") | {"stability": 0})
    register(project.root)
    assert "The gate" not in _description(project)

    gate(project.root)

    assert "The gate stopped it." in _description(project)
    card = project.artifacts(1) / "card"
    assert (card / "card.md").read_text().startswith(_description(project).rsplit("\n\n", 1)[0])
    assert (card / "card.html").read_text().count("The gate stopped it.") == 1
    assert (card / "card.html").read_text().startswith("<!doctype html>")


@pytest.mark.usefixtures("in_process")
def test_a_damaged_release_gets_no_card(project):
    """The gate says what is wrong; nothing is told of files that are not the version's."""
    register(project.root)
    before = _description(project)
    som = project.artifacts(1) / "release" / "som.npz"
    som.write_bytes(som.read_bytes()[:-1] + b"?")

    keep_card(project.root)
    verdict = gate(project.root)

    assert not verdict.passed
    assert _description(project) == before


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("text", ["{", "[]", '{"judgements": 3}', '{"judgements": [{}]}'])
def test_papers_that_are_none_make_no_card(project, text):
    """The gate goes on without one; who asks for it is told in a message."""
    project.write("reports/validate.json", {})
    (project.root / "reports" / "validate.json").write_text(text)
    project.lock()
    register(project.root)
    before = _description(project)

    assert not gate(project.root).passed

    assert _description(project) == before
    with pytest.raises(RegistryError, match="papers must be as they were registered"):
        make_card(project.root)


def test_a_promotion_is_told_at_once(promoted, monkeypatch, capsys):
    """`modemap promote` renews the card, also where the version is the champion already."""
    _run(monkeypatch, promoted.root, "promote", "1")

    assert "Promoted " in _description(promoted)
    assert promoted.registry.get(1).number == 1
    assert "champion already" in capsys.readouterr().out


def test_the_command_prints_and_writes_the_card(promoted, monkeypatch, capsys):
    """Both files hold what is printed; an unknown version is refused as elsewhere."""
    _run(monkeypatch, promoted.root, "card", "1", "--into", "cards")

    assert Path("cards", "card.md").read_text() == capsys.readouterr().out
    assert "model card" in Path("cards", "card.html").read_text()
    assert _run(monkeypatch, promoted.root, "card", "7") == 8


def _run(monkeypatch, root, *arguments):
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["modemap", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code
