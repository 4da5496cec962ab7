"""Only what the gate has passed, against the champion of today, becomes the champion."""

import json
from datetime import UTC, datetime

import pytest

from modemap.cli.promote import promote as promote_command
from modemap.errors import GateRefusedError, RegistryError
from modemap.lifecycle.gate import gate
from modemap.lifecycle.history import History
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.status import status
from modemap.tracking import Registry, open_store

pytestmark = [pytest.mark.workflow, pytest.mark.usefixtures("in_process")]


def _set_verdict(project, number, **changes):
    registry = project.registry
    verdict = registry.get(number).verdict | changes
    registry.store.client.set_model_version_tag(
        "flights", str(number), "modemap.verdict", json.dumps(verdict)
    )


def test_a_passed_version_becomes_the_champion(project):
    """The history says who promoted what, when and why."""
    before = datetime.now(UTC).replace(microsecond=0)
    version = register(project.root)
    gate(project.root)

    promotion = promote(project.root, why="the first one")

    champion = status(project.root)
    assert (promotion.version, promotion.changed) == (1, True)
    assert (champion.version, champion.digest) == (1, version.digest)
    assert champion.why == "the first one"
    assert "@" in champion.who
    assert before <= datetime.fromisoformat(champion.since) <= datetime.now(UTC)
    assert champion.metrics["stability"] == 0.9
    assert champion.metrics["calibration_by_column.delay"] == 0.01
    assert champion.alias == 1


def test_promoting_the_champion_again_changes_nothing(promoted):
    """It says so, and the history stays as it is."""
    before = History(promoted.registry).head()

    promotion = promote(promoted.root)

    assert (promotion.version, promotion.changed) == (1, False)
    assert History(promoted.registry).head() == before


def test_an_alias_that_stays_behind_is_told_and_healed(project, monkeypatch, capsys):
    """The command succeeds, says what MLflow does not show yet, and mends it when repeated."""
    register(project.root)
    gate(project.root)
    monkeypatch.chdir(project.root)

    def refuse(_registry, _number):
        raise RegistryError("store", "must answer", found="Model Version not found", hint="")

    with monkeypatch.context() as broken:
        broken.setattr(Registry, "set_alias", refuse)
        promote_command()
        told = capsys.readouterr()
        champion = status(project.root)
    promote_command()
    again = capsys.readouterr()

    assert "version 1 is now the champion" in told.out
    assert "alias does not name version 1 yet" in told.err
    assert (champion.version, champion.alias) == (1, None)
    assert "version 1 is the champion already" in again.out
    assert again.err == ""
    assert status(project.root).alias == 1


def test_a_version_without_verdict_is_refused(project):
    """Nobody gets past the gate by not asking it."""
    register(project.root)

    with pytest.raises(GateRefusedError, match="no verdict") as caught:
        promote(project.root)

    assert caught.value.exit_code == 6
    assert "modemap gate 1" in caught.value.hint
    assert status(project.root) is None


@pytest.mark.parametrize("text", ["", "yes", "{", "[]", "{}", '{"passed": true}', "null"])
def test_a_verdict_of_another_form_is_none(project, text):
    """Only what the gate wrote counts."""
    register(project.root)
    client = open_store(project.root, "flights").client
    client.set_model_version_tag("flights", "1", "modemap.verdict", text)

    with pytest.raises(GateRefusedError, match="no verdict"):
        promote(project.root)


def test_a_refused_version_is_refused(project, tiny_release):
    """A verdict that says no is no ticket."""
    project.install(tiny_release, stability=None)
    register(project.root)
    gate(project.root)

    with pytest.raises(GateRefusedError, match="a refusal"):
        promote(project.root)


@pytest.mark.parametrize("passed", [1, "yes", None])
def test_only_true_is_passed(project, passed):
    """A verdict of another form has not passed."""
    register(project.root)
    gate(project.root)
    _set_verdict(project, 1, passed=passed)

    with pytest.raises(GateRefusedError, match="a refusal"):
        promote(project.root)


def test_a_verdict_on_another_release_is_refused(project):
    """A verdict copied from another version promotes nothing."""
    register(project.root)
    gate(project.root)
    _set_verdict(project, 1, digest="e" * 64)

    with pytest.raises(GateRefusedError, match="a verdict on another release"):
        promote(project.root)


def test_a_verdict_against_a_former_champion_is_refused(promoted, releases):
    """Passing against yesterday's champion says nothing about today's."""
    promoted.install(releases["longer trained"])
    register(promoted.root)
    gate(promoted.root, 2).require()
    promoted.install(releases["larger map"])
    register(promoted.root)
    gate(promoted.root, 3, accept_change="larger").require()
    promote(promoted.root, 3)

    with pytest.raises(GateRefusedError, match="replaced since"):
        promote(promoted.root, 2)

    assert status(promoted.root).version == 3


def test_a_former_champion_comes_back_through_the_gate(promoted, releases):
    """Its old verdict does not count; a new one does."""
    promoted.install(releases["longer trained"])
    register(promoted.root)
    gate(promoted.root).require()
    promote(promoted.root)

    with pytest.raises(GateRefusedError, match="replaced since"):
        promote(promoted.root, 1)
    verdict = gate(promoted.root, 1)

    assert verdict.champion == 2


def test_a_champion_whose_digest_was_changed_is_told(promoted):
    """The history's digest, not the version's tag, says what was promoted."""
    client = open_store(promoted.root, "flights").client
    client.set_model_version_tag("flights", "1", "modemap.digest", "e" * 64)

    with pytest.raises(RegistryError, match="the history promoted it as"):
        promote(promoted.root)


def test_no_champion_is_no_error(project):
    """Before the first promotion there is none."""
    assert status(project.root) is None


def test_status_of_a_new_folder_makes_nothing(project, tmp_path):
    """Asking costs no database."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "params.yaml").write_text((project.root / "params.yaml").read_text())

    assert status(tmp_path / "new") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["params.yaml"]


def test_status_reports_a_moved_alias(promoted):
    """The alias is shown as it is, and the champion is still the history's."""
    registry = promoted.registry
    registry.store.client.create_model_version("flights", "runs:/x/y")
    registry.set_alias(2)

    champion = status(promoted.root)

    assert (champion.version, champion.alias) == (1, 2)
