"""A challenger is put beside the champion, withdrawn or promoted, by the history alone."""

import pytest

from modemap.cli.history import history as history_command
from modemap.cli.rollout import rollout as rollout_command
from modemap.cli.rollout import withdraw as withdraw_command
from modemap.cli.status import status as status_command
from modemap.errors import GateRefusedError, ModemapError, ParamsError, RegistryError
from modemap.lifecycle.gate import gate
from modemap.lifecycle.history import History, history
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.rollout import advance, complete, roll_out, withdraw
from modemap.lifecycle.status import status
from modemap.lifecycle.verify import verify

pytestmark = [pytest.mark.workflow, pytest.mark.usefixtures("in_process")]


@pytest.fixture
def challenged(promoted, releases):
    """Return a project with a champion and a version 2 that the gate has passed."""
    promoted.install(releases["longer trained"])
    register(promoted.root)
    gate(promoted.root).require()
    return promoted


def _head(project):
    return History(project.registry).head()


def test_a_canary_leaves_the_champion_as_it_is(challenged):
    """Who is champion, since when and why stays the same; the challenger stands beside it."""
    challenged.leave_metrics_to_git()
    before = status(challenged.root)

    begun = roll_out(challenged.root, share=0.2, why="a trial")

    after = status(challenged.root)
    assert (after.version, after.digest, after.since, after.why) == (
        before.version,
        before.digest,
        before.since,
        before.why,
    )
    assert after.rollout == begun == _head(challenged).rollout
    assert (begun.kind, begun.version, begun.share) == ("canary", 2, 0.2)
    assert verify(challenged.root).findings == []


def test_a_canary_that_has_held_is_promoted_by_the_verdict_it_began_with(challenged):
    """The rollout's own entry does not make the verdict one on another champion."""
    begun = roll_out(challenged.root, why="a trial")

    promotion = complete(challenged.root, begun, why="it held")

    assert (promotion.version, promotion.changed) == (2, True)
    assert status(challenged.root).rollout is None
    assert status(challenged.root).why == "it held"
    assert complete(challenged.root, begun, why="it held") is None
    assert rollback(challenged.root, why="after all").version == 1


def test_what_was_withdrawn_is_not_promoted_or_rolled_out_again(challenged):
    """Its verdict is over, and the gate refuses the release and says why."""
    begun = roll_out(challenged.root, why="a trial")

    assert withdraw(challenged.root, why="it failed") == begun

    assert status(challenged.root).version == 1
    assert _head(challenged).rollout is None
    with pytest.raises(GateRefusedError, match="replaced since"):
        promote(challenged.root, 2)
    with pytest.raises(GateRefusedError):
        roll_out(challenged.root, 2, why="once more")
    verdict = gate(challenged.root, 2)
    refused = {result.rule: result.why for result in verdict.results if not result.passed}
    assert not verdict.passed
    assert any("it failed" in why for why in refused.values())


def test_params_say_whether_a_version_is_promoted_or_rolled_out(challenged):
    """By default it is promoted; with a share it begins as a canary, once."""
    params = challenged.root / "params.yaml"
    text = params.read_text()
    params.write_text(f"{text}\nserve:\n  rollout:\n    share: 0.25\n")

    begun = advance(challenged.root, 2)

    assert (begun.kind, begun.version, begun.share) == ("canary", 2, 0.25)
    assert advance(challenged.root, 2) == begun
    assert advance(challenged.root, 1).changed is False
    params.write_text(text)
    assert advance(challenged.root, 2).changed is True


def test_the_first_version_is_promoted_whatever_the_share(project):
    """There is nobody beside whom it could stand."""
    params = project.root / "params.yaml"
    params.write_text(f"{params.read_text()}\nserve:\n  rollout:\n    share: 0.25\n")
    register(project.root)
    gate(project.root).require()

    assert advance(project.root, 1).version == 1
    assert status(project.root).version == 1


def test_only_the_rollout_that_was_watched_is_withdrawn(challenged):
    """A decision that comes late does not hit the next challenger."""
    first = roll_out(challenged.root, kind="shadow", why="a look")
    withdraw(challenged.root, why="seen enough")
    second = roll_out(challenged.root, kind="shadow", why="another look")

    assert withdraw(challenged.root, why="late", number=first.number) is None
    assert complete(challenged.root, first, why="late") is None
    assert _head(challenged).rollout == second


def test_of_two_decisions_at_once_one_wins(challenged, monkeypatch):
    """A withdrawal that comes while another is written is refused, and changes nothing."""
    begun = roll_out(challenged.root, why="a trial")
    old = _head(challenged)
    withdraw(challenged.root, why="first")
    monkeypatch.setattr(History, "head", lambda _: old)

    with pytest.raises(RegistryError, match="head must still be"):
        withdraw(challenged.root, why="second", number=begun.number)

    monkeypatch.undo()
    assert [entry.is_valid for entry in history(challenged.root)] == [True, True, True, False]


def test_another_promotion_ends_the_rollout(challenged):
    """The challenger was judged against a champion that is gone."""
    begun = roll_out(challenged.root, kind="shadow", why="a look")
    promote(challenged.root, 2)

    assert _head(challenged).rollout is None
    assert complete(challenged.root, begun, why="late") is None


def test_a_shadow_needs_no_verdict_and_a_canary_does(promoted, releases):
    """A shadow answers nobody; what it is withdrawn for does not bind the gate."""
    promoted.install(releases["longer trained"])
    register(promoted.root)

    with pytest.raises(GateRefusedError, match="no verdict"):
        roll_out(promoted.root, why="a trial")
    roll_out(promoted.root, kind="shadow", why="a look")
    withdraw(promoted.root, why="seen enough")
    gate(promoted.root).require()
    assert roll_out(promoted.root, why="a trial").kind == "canary"


def test_a_canary_needs_the_approval_that_params_ask_for(challenged):
    """It answers requests, as a champion does."""
    params = challenged.root / "params.yaml"
    params.write_text(params.read_text().replace("required: false", "required: true"))

    with pytest.raises(GateRefusedError, match="approval"):
        roll_out(challenged.root, why="a trial")
    assert _head(challenged).rollout is None


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(challenged, share):
    """Nothing is written."""
    with pytest.raises(ParamsError, match="above 0 and at most 1"):
        roll_out(challenged.root, share=share, why="a trial")
    assert _head(challenged).number == 1


@pytest.mark.parametrize(
    ("number", "kind", "rule"),
    [
        (2, "blue", "must be one there is"),
        (1, "canary", "another than the champion"),
        (9, "canary", "version 9"),
    ],
)
def test_what_cannot_be_rolled_out_is_told(challenged, number, kind, rule):
    """The message names it."""
    with pytest.raises(ModemapError, match=rule):
        roll_out(challenged.root, number, kind=kind, why="a trial")


def test_one_challenger_at_a_time(challenged):
    """The second is refused, and the first stays."""
    begun = roll_out(challenged.root, why="a trial")

    with pytest.raises(RegistryError, match="one challenger at a time"):
        roll_out(challenged.root, kind="shadow", why="a look")
    assert _head(challenged).rollout == begun


def test_there_must_be_a_champion(project):
    """The first version is promoted, not rolled out."""
    register(project.root)

    with pytest.raises(RegistryError, match="must be a champion"):
        roll_out(project.root, kind="shadow", why="a look")


def test_the_commands_say_what_they_did(challenged, monkeypatch, capsys):
    """History and status tell of the rollout too."""
    monkeypatch.chdir(challenged.root)

    rollout_command(2, "canary", 0.25, "a trial")
    status_command(as_json=False)
    withdraw_command("it failed")
    withdraw_command("it failed")
    history_command(at=None, as_json=False)

    said = capsys.readouterr().out
    assert "version 2 is a canary for 25% of the requests" in said
    assert "beside    canary of version 2, share 0.25" in said
    assert "version 2 is withdrawn" in said
    assert "there is no version beside the champion" in said
    assert "canary of version 2, share 0.25" in said.splitlines()[-2]
    assert "withdrawal of version 2" in said.splitlines()[-1]
