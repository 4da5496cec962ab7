"""A GitHub on loopback, and the variables by which a step finds it."""

import json

import pytest

from tests.fake_github import REPOSITORY, TOKEN, FakeGitHub


@pytest.fixture
def github(monkeypatch):
    """Return a GitHub that the step under test talks to."""
    with FakeGitHub() as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GH_TOKEN", TOKEN)
        yield server


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Return a function that reads the outputs and the summary that a step has written."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def read() -> tuple[dict[str, str], str]:
        lines = (tmp_path / "GITHUB_OUTPUT").read_text().splitlines()
        summary = (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
        return dict(line.split("=", 1) for line in lines), summary

    return read


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that sets the event that started the workflow."""

    def set_event(name, payload, ref="refs/heads/main"):
        path = tmp_path / "event.json"
        path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
        monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        monkeypatch.setenv("GITHUB_REF", ref)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)

    return set_event
