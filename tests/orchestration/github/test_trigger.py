"""What an event allows."""

import pytest

from modemap.errors import ParamsError
from modemap.orchestration.github.trigger import trigger

REPOSITORY = {"default_branch": "main"}
OWN = {"head": {"repo": {"full_name": "acme/flights"}}}
FORK = {"head": {"repo": {"full_name": "mallory/flights"}}}
SERVER = {"MLFLOW_TRACKING_URI": "https://mlflow.example", "DVC_REMOTE_URL": "s3://bucket"}


@pytest.mark.parametrize(
    ("event", "promote"),
    [
        (("push", {"repository": REPOSITORY}), "true"),
        (("schedule", {}), "true"),
        (("repository_dispatch", {"action": "drift"}), "true"),
        (("workflow_dispatch", {"repository": REPOSITORY}), "true"),
        (("workflow_dispatch", {"repository": REPOSITORY}, "refs/heads/feature"), "false"),
        (("push", {"repository": REPOSITORY}, "refs/heads/feature"), "false"),
        (("push", {"repository": REPOSITORY}, "refs/tags/main"), "false"),
        (("push", {}), "false"),
        (("push", {"repository": {"default_branch": ""}}, "refs/heads/"), "false"),
        (("pull_request", {"pull_request": OWN}, "refs/pull/7/merge"), "false"),
        (("pull_request", {"repository": REPOSITORY}), "false"),
        (("pull_request_target", {"repository": REPOSITORY}), "false"),
        (("workflow_run", {"repository": REPOSITORY}), "false"),
    ],
)
def test_only_known_events_on_the_default_branch_promote(start, outputs, event, promote):
    """Whatever else starts a run trains and judges only."""
    start(*event)

    trigger()

    found, summary = outputs()
    assert found == {"promote": promote, "store": "embedded", "remote": "false"}
    assert ("trains and judges only" in summary) == (promote == "false")


@pytest.mark.parametrize(
    ("pull", "expected"),
    [
        (OWN, {"store": "server", "remote": "true"}),
        (FORK, {"store": "embedded", "remote": "false"}),
    ],
)
def test_a_fork_is_not_sent_to_a_server(start, outputs, monkeypatch, pull, expected):
    """It has no secrets; a pull request of the repository itself reads the team's server."""
    for variable, value in SERVER.items():
        monkeypatch.setenv(variable, value)
    start("pull_request", {"pull_request": pull}, "refs/pull/7/merge")

    trigger()

    assert outputs()[0] == {"promote": "false"} | expected


@pytest.mark.parametrize("payload", ["", "{", "[]"])
def test_an_event_that_cannot_be_read_allows_nothing(start, payload):
    """There is no output at all then."""
    start("push", payload)

    with pytest.raises(ParamsError, match=r"event\.json: must be"):
        trigger()


def test_github_must_name_the_event(start, monkeypatch):
    """A missing variable is named."""
    start("push", {})
    monkeypatch.delenv("GITHUB_REF")

    with pytest.raises(ParamsError, match="GITHUB_REF: must be set"):
        trigger()
