"""Asking GitHub."""

import pytest

from modemap.errors import ParamsError, StageError
from modemap.orchestration.github.client import GitHub


@pytest.mark.usefixtures("github")
def test_a_refusal_tells_githubs_own_words(monkeypatch):
    """Address, code and message are there; the token is not."""
    monkeypatch.setenv("GH_TOKEN", "wrong-token")

    with pytest.raises(StageError, match=r"401.*Bad credentials") as caught:
        GitHub().get("git/ref/heads/main")

    assert "wrong-token" not in str(caught.value)


@pytest.mark.usefixtures("github")
def test_what_is_absent_may_be_asked_for():
    """Only where absence is an answer it is no error."""
    assert GitHub().find("git/ref/heads/nowhere") is None
    with pytest.raises(StageError, match="404"):
        GitHub().get("git/ref/heads/nowhere")


def test_a_github_that_is_down_is_told(github, monkeypatch):
    """A refused connection is a message, no traceback."""
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")

    with pytest.raises(StageError, match="GitHub must answer"):
        GitHub().get("")

    assert github.writes == []


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize("address", ["http://api.github.example", "file:///etc/passwd"])
def test_the_token_is_never_sent_in_the_clear(monkeypatch, address):
    """Only https, and loopback for tests."""
    monkeypatch.setenv("GITHUB_API_URL", address)

    with pytest.raises(StageError, match="without https"):
        GitHub().get("")


@pytest.mark.usefixtures("github")
def test_a_missing_token_is_named(monkeypatch):
    """The message says which variable."""
    monkeypatch.delenv("GH_TOKEN")

    with pytest.raises(ParamsError, match="GH_TOKEN: must be set"):
        GitHub()
