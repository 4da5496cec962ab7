"""The comment on a pull request."""

import copy
import json

import pytest

from modemap.errors import DataError
from modemap.orchestration.github.comment import MARK, comment

PAYLOAD = {
    "workflow_run": {
        "event": "pull_request",
        "head_repository": {"full_name": "acme/flights"},
        "html_url": "https://github.com/acme/flights/actions/runs/5",
        "pull_requests": [{"number": 7}],
    }
}
FACTS = {"candidate": {"digest": "c" * 64, "metrics": {"stability": 0.5}}}


@pytest.fixture
def facts(tmp_path, monkeypatch):
    """Return the file that came from the pull request's run."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(FACTS))
    monkeypatch.setenv("FACTS", str(path))
    return path


@pytest.mark.usefixtures("facts")
def test_a_run_comments_once(github, start):
    """The next run writes the same comment again, and no other's."""
    github.make_comment("7", None, {"body": f"{MARK} but of a person"}, author="mallory")
    github.make_comment("7", None, {"body": "another workflow's"})
    start("workflow_run", PAYLOAD)

    comment()
    comment()

    bodies = [found["body"] for found in github.comments[7]]
    assert len(bodies) == 3
    assert "| `stability` | `0.5` | - |" in bodies[2]
    assert PAYLOAD["workflow_run"]["html_url"] in bodies[2]
    assert github.writes == ["POST issues/7/comments", "PATCH issues/comments/3"]


@pytest.mark.usefixtures("facts")
def test_the_comment_is_found_among_many(github, start):
    """A long discussion has several pages."""
    for number in range(230):
        github.make_comment("7", None, {"body": str(number)}, author="ann")
    github.make_comment("7", None, {"body": MARK})
    start("workflow_run", PAYLOAD)

    comment()

    assert len(github.comments[7]) == 231


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize(
    "change",
    [
        {"event": "push"},
        {"head_repository": {"full_name": "mallory/flights"}},
        {"head_repository": None},
        {"pull_requests": []},
    ],
)
def test_others_get_no_comment(github, start, change):
    """A fork has the summary of its run only."""
    payload = copy.deepcopy(PAYLOAD)
    payload["workflow_run"] |= change
    start("workflow_run", payload)

    comment()

    assert github.writes == []


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "{" + " " * (1 << 20) + "}"])
def test_facts_that_are_none_give_no_comment(github, start, facts, text):
    """What a pull request's run sends is read in bounds."""
    facts.write_text(text)
    start("workflow_run", PAYLOAD)

    with pytest.raises(DataError, match=r"summary\.json: must be"):
        comment()

    assert github.writes == []
