"""The pull request with dvc.lock and metrics."""

import pytest

from modemap.errors import DataError
from modemap.files import write_json
from modemap.orchestration.github.propose import BRANCH, propose


@pytest.fixture
def proposal(tmp_path, monkeypatch):
    """Return the folder of what a promotion left behind."""
    folder = tmp_path / "proposal"
    (folder / "reports").mkdir(parents=True)
    (folder / "dvc.lock").write_text("stages: 1\n")
    (folder / "reports" / "evaluate.json").write_text("{}\n")
    write_json(folder / "summary.json", {"candidate": {"digest": "c", "metrics": {"x": 1.5}}})
    monkeypatch.setenv("PROPOSAL", str(folder))
    return folder


@pytest.mark.usefixtures("proposal")
def test_a_pull_request_is_opened(github):
    """The branch holds the base's files, the lock and the metrics, and nothing else."""
    propose()

    (pull,) = github.pulls
    assert (pull["head"], pull["base"]) == (BRANCH, "main")
    assert "| `x` | `1.5` | - |" in pull["body"]
    assert github.files(BRANCH) == {
        "README.md": "hello",
        "dvc.lock": "stages: 1\n",
        "reports/evaluate.json": "{}\n",
    }
    assert github.files("main") == {"README.md": "hello"}


def test_an_open_pull_request_is_updated(github, proposal):
    """Another promotion writes the same branch again, on top of the base as it is then."""
    propose()
    (proposal / "dvc.lock").write_text("stages: 2\n")

    propose()

    assert len(github.pulls) == 1
    assert github.files(BRANCH)["dvc.lock"] == "stages: 2\n"
    assert github.commits[github.refs[f"heads/{BRANCH}"]]["parents"] == ["commit0"]


@pytest.mark.usefixtures("proposal")
def test_nothing_new_opens_nothing(github, capsys):
    """A champion whose lock is committed needs no pull request."""
    propose()
    github.refs["heads/main"] = github.refs.pop(f"heads/{BRANCH}")
    github.pulls.clear()

    propose()

    assert github.pulls == []
    assert f"heads/{BRANCH}" not in github.refs
    assert "`main` holds the champion's dvc.lock and metrics already" in capsys.readouterr().out


def test_without_a_lock_nothing_is_proposed(github, proposal):
    """The message says where to look."""
    (proposal / "dvc.lock").unlink()

    with pytest.raises(DataError, match=r"dvc\.lock"):
        propose()

    assert github.writes == []
