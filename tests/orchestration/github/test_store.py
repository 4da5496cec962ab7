"""Which saved store a run starts from."""

import pytest

from modemap.errors import RegistryError
from modemap.orchestration.github.store import ARTIFACT, store


def test_the_newest_store_of_the_default_branch_is_taken(github, outputs):
    """Runs that saved none are passed over, and the expiry is said."""
    for number in (1, 2, 3):
        github.add_run(number)
    for number in (1, 2):
        github.add_artifact(number, ARTIFACT)
    github.add_artifact(3, "report")

    store()

    found, summary = outputs()
    assert found == {"run_id": "2", "artifact": ARTIFACT}
    assert "until 2027-02-20" in summary


@pytest.mark.parametrize("hostile", [{"event": "pull_request"}, {"head": "mallory/flights"}])
def test_a_fork_cannot_hand_on_a_store(github, outputs, hostile):
    """A fork's branch called `main` is not the default branch."""
    github.add_run(1)
    github.add_artifact(1, ARTIFACT)
    github.add_run(2, **hostile)
    github.add_artifact(2, ARTIFACT)

    store()

    assert outputs()[0]["run_id"] == "1"


def test_the_first_run_starts_a_new_store(github, outputs):
    """Without any there is nothing to restore."""
    github.add_run(1)

    store()

    found, summary = outputs()
    assert found["run_id"] == ""
    assert "a new one is started" in summary


def test_an_expired_store_is_no_new_beginning(github):
    """Without its champion the gate would let anything pass."""
    github.add_run(1)
    github.add_artifact(1, ARTIFACT, expired=True)

    with pytest.raises(RegistryError, match="must not have expired"):
        store()


def test_a_new_store_can_be_asked_for(github, outputs, monkeypatch):
    """Somebody who knows starts anew."""
    github.add_run(1)
    github.add_artifact(1, ARTIFACT, expired=True)
    monkeypatch.setenv("NEW_STORE", "true")

    store()

    assert outputs()[0]["run_id"] == ""
