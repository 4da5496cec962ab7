"""`modemap open` shows a page that is there, and says what to do about one that is not."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from modemap import cli
from modemap.orchestration.pages import mlflow_page, prefect_page
from modemap.params import load_params

pytestmark = pytest.mark.workflow


@pytest.fixture
def opened(monkeypatch):
    """Return the addresses that a browser is asked for."""
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: asked.append(url) or True)
    return asked


@pytest.fixture
def open_page(monkeypatch, capsys, tmp_path):
    """Return the command in a folder of its own: exit code, output and errors by the page."""

    def opened_page(page: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["modemap", "open", page])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return opened_page


@pytest.mark.parametrize(
    ("page", "name"), [("report", "reports/index.html"), ("docs", "site/index.html")]
)
def test_a_file_is_opened_or_its_command_named(open_page, tmp_path, opened, page, name):
    """Nothing is opened that is not there."""
    code, out, errors = open_page(page)

    assert (code, out, opened) == (2, "", [])
    assert "no such file" in errors
    assert f"make {page}" in errors or f"modemap {page}" in errors

    path = tmp_path / name
    path.parent.mkdir()
    path.write_text("<p>here")

    assert open_page(page) == (0, f"{path.as_uri()}\n", "")
    assert opened == [path.as_uri()]


def test_a_teams_server_is_opened_where_it_is(open_page, monkeypatch, opened):
    """No server is started beside one that the environment names."""
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.test:4200/api")

    assert open_page("prefect")[0] == 0

    assert opened == ["http://prefect.test:4200/runs"]


def test_without_a_browser_the_address_is_told(open_page, monkeypatch):
    """A machine without a screen is no error."""
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.test:4200/api")
    monkeypatch.setattr("webbrowser.open", lambda _: False)

    code, out, errors = open_page("prefect")

    assert (code, out) == (0, "http://prefect.test:4200/runs\n")
    assert "no browser" in errors


@pytest.mark.slow
def test_a_named_database_is_what_is_served(monkeypatch, project, tmp_path):
    """MLFLOW_TRACKING_URI may name a database: MLflow's pages are of that one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/team.db")

    with mlflow_page(project.root, port=0) as page:
        page.wait()
        number = page.url.split("/#/experiments/")[1].split("/")[0]
        asked = f"{page.server.url}/ajax-api/2.0/mlflow/experiments/get?experiment_id={number}"
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310  # our own server
            told = json.load(answer)

    assert told["experiment"]["name"] == load_params(project.root / "params.yaml").project
    assert "team.db" not in " ".join(page.server.child.args)
    assert page.server.child.poll() is not None


def test_servers_that_live_elsewhere_are_left_alone(monkeypatch, tmp_path):
    """A page of a named server has none of ours."""
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.test/api/")

    with prefect_page(tmp_path) as page:
        page.wait()

    assert (page.url, page.server) == ("https://prefect.test/runs", None)


def test_the_shell_completes_commands_and_pages(tmp_path):
    """What `modemap --install-completion` installs asks the program itself."""

    def completed(*words: str) -> list[str]:
        asked = {"_MODEMAP_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words) - 1)}
        done = subprocess.run(
            [sys.executable, "-c", "from modemap.cli import main; main()"],
            env=os.environ | asked | {"COMP_WORDS": " ".join(words)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split()

    assert completed("modemap", "roll") == ["rollout", "rollback"]
    assert completed("modemap", "open", "re") == ["report"]
