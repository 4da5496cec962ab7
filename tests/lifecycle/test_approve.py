"""Where params ask for it, a promotion waits for the key of another person, for one verdict."""

import json
import subprocess
import time
from types import SimpleNamespace

import pytest

from modemap.errors import GateRefusedError, ParamsError
from modemap.lifecycle.approve import (
    APPROVAL,
    REQUESTED_BY,
    approve,
    awaits_approval,
    has_approval,
)
from modemap.lifecycle.gate import gate
from modemap.lifecycle.history import history
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.status import status

pytestmark = [pytest.mark.workflow, pytest.mark.usefixtures("in_process")]

ANN, BOB, EVE = "ann@example.org", "bob@example.org", "eve@example.org"


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Return a private key for each person."""
    folder = tmp_path_factory.mktemp("keys")
    for name in (ANN, BOB, EVE):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(command, check=True)
    return {name: folder / name for name in (ANN, BOB, EVE)}


@pytest.fixture
def waiting(replaced, releases, keys):
    """Return a project in which version 3, that Bob asked for, has passed and waits."""
    lines = [f"{name} {keys[name].with_suffix('.org.pub').read_text()}" for name in (ANN, BOB)]
    (replaced.root / "approvers").write_text("".join(lines))
    params = replaced.root / "params.yaml"
    params.write_text(params.read_text().replace("required: false", "required: true"))
    replaced.install(releases["larger map"])
    register(replaced.root)
    registry = replaced.registry
    registry.set_tag(registry.get(3), REQUESTED_BY, BOB.upper())
    gate(replaced.root, accept_change="larger").require()
    return SimpleNamespace(root=replaced.root, registry=registry, params=params)


def test_a_version_that_nobody_approved_waits(waiting):
    """The champion stays, and the message says what an approver does."""
    with pytest.raises(GateRefusedError, match="waits for an approval") as caught:
        promote(waiting.root)

    assert "modemap approve 3 --key" in caught.value.hint
    assert status(waiting.root).version == 2


def test_an_approved_version_is_promoted(waiting, keys):
    """The history keeps whose key it was."""
    approval = approve(waiting.root, 3, key=keys[ANN], why="looked at the report")

    promote(waiting.root)

    assert approval.identity == ANN
    assert status(waiting.root).version == 3
    assert history(waiting.root)[-1].tags["approval"] == str(approval)


@pytest.mark.parametrize(
    ("who", "found"), [(BOB, f"the key of {BOB}, who asks"), (EVE, "no signature of a key")]
)
def test_the_key_of_who_asks_or_of_nobody_is_refused(waiting, keys, who, found):
    """Nothing is kept on the version."""
    with pytest.raises(GateRefusedError, match="another person's key") as caught:
        approve(waiting.root, 3, key=keys[who], why="mine")

    assert found in caught.value.found
    assert APPROVAL not in waiting.registry.get(3).tags


def test_an_approval_that_is_over_is_refused(waiting, keys):
    """It holds for some hours."""
    text = waiting.params.read_text()
    approve(waiting.root, 3, key=keys[ANN], why="in time")
    record = waiting.registry.get(3).tags[APPROVAL]
    waiting.params.write_text(text.replace("hours: 24.0", "hours: 0.0000001"))

    with pytest.raises(GateRefusedError, match="and now") as caught:
        approve(waiting.root, 3, key=keys[ANN], why="late")

    assert "held until" in caught.value.found
    assert waiting.registry.get(3).tags[APPROVAL] == record


@pytest.mark.parametrize("name", ["expires", "why", "verdict", "digest", "head"])
def test_a_changed_approval_is_refused(waiting, keys, name):
    """The signature covers every word."""
    approve(waiting.root, 3, key=keys[ANN], why="looked at it")
    record = json.loads(waiting.registry.get(3).tags[APPROVAL])
    statement = json.loads(record["statement"]) | {name: "2999-01-01T00:00:00+00:00"}
    record["statement"] = json.dumps(statement)
    waiting.registry.set_tag(waiting.registry.get(3), APPROVAL, json.dumps(record))

    with pytest.raises(GateRefusedError, match="another person's key") as caught:
        promote(waiting.root)

    assert "no signature" in caught.value.found


def test_an_approval_is_for_one_verdict(waiting, keys):
    """Judged again with another outcome, it has to be approved again."""
    approve(waiting.root, 3, key=keys[ANN], why="looked at it")
    gate(waiting.root, 3, accept_change="another reason").require()

    with pytest.raises(GateRefusedError, match="for this verdict") as caught:
        promote(waiting.root)

    assert "for another verdict" in caught.value.found


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"statement": "{}", "signature": ""}'])
def test_what_is_no_approval_is_refused(waiting, record):
    """Whatever another hand wrote there."""
    waiting.registry.set_tag(waiting.registry.get(3), APPROVAL, record)

    with pytest.raises(GateRefusedError, match="another person's key"):
        promote(waiting.root)


def test_a_signature_for_another_purpose_does_not_count(waiting, keys):
    """What Ann signed elsewhere cannot be carried here."""
    approve(waiting.root, 3, key=keys[ANN], why="looked at it")
    record = json.loads(waiting.registry.get(3).tags[APPROVAL])
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", keys[ANN], "-n", "file"]
    done = subprocess.run(
        command, input=record["statement"], capture_output=True, text=True, check=True
    )
    waiting.registry.set_tag(
        waiting.registry.get(3), APPROVAL, json.dumps(record | {"signature": done.stdout})
    )

    with pytest.raises(GateRefusedError, match="another person's key"):
        promote(waiting.root)


def test_what_the_gate_refused_is_not_approved(waiting, keys):
    """A person adds to the gate and does not replace it."""
    gate(waiting.root, 3)

    with pytest.raises(GateRefusedError, match="the gate must have passed it"):
        approve(waiting.root, 3, key=keys[ANN], why="I like it")


def test_a_file_that_is_no_key_is_told(waiting, tmp_path):
    """The message names it."""
    with pytest.raises(ParamsError, match="no-key: must be a key"):
        approve(waiting.root, 3, key=tmp_path / "no-key", why="a test")


def told(project, number: int = 3) -> tuple[bool, bool]:
    """Return whether a version waits for an approval and whether it has one."""
    return awaits_approval(project.root, number) is not None, has_approval(project.root, number)


def test_a_flow_asks_whether_it_has_to_wait(waiting, keys):
    """Until somebody has approved this very verdict, and for a new verdict again."""
    before = told(waiting)
    approve(waiting.root, 3, key=keys[ANN], why="looked at it")
    approved = told(waiting)
    gate(waiting.root, 3, accept_change="another reason").require()

    assert (before, approved, told(waiting)) == ((True, False), (False, True), (True, False))


def test_what_nothing_but_an_approval_can_help_waits(waiting):
    """The champion does not wait, nor what the gate refused, nor where nobody need approve."""
    assert told(waiting, 2) == (False, False)
    gate(waiting.root, 3)
    assert told(waiting) == (False, False)
    gate(waiting.root, 3, accept_change="larger").require()
    text = waiting.params.read_text()
    waiting.params.write_text(text.replace("required: true", "required: false"))
    assert told(waiting) == (False, False)


def test_an_approval_that_ended_before_the_promotion_is_no_waiting(waiting, keys):
    """The flow goes on to promote, which says that it is over: nothing is promoted."""
    text = waiting.params.read_text()
    waiting.params.write_text(text.replace("hours: 24.0", "hours: 0.0003"))
    approve(waiting.root, 3, key=keys[ANN], why="in time")
    time.sleep(1.2)

    assert told(waiting) == (False, True)
    with pytest.raises(GateRefusedError, match="and now") as caught:
        promote(waiting.root)
    assert "held until" in caught.value.found
    assert status(waiting.root).version == 2
