"""How a step of a workflow speaks and ends."""

import pytest

from modemap.errors import StageError
from modemap.orchestration.github.context import run_step, write_outputs


def test_no_value_sets_another_output(tmp_path, monkeypatch):
    """A line break in a value would."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    with pytest.raises(ValueError, match="must be one line"):
        write_outputs({"store": "embedded\npromote=true"})

    assert not (tmp_path / "output").exists()


def test_an_error_becomes_a_message_and_its_code(capsys):
    """The step ends as a command does."""

    def step():
        raise StageError("GitHub", "must answer", found="503", hint="again")

    with pytest.raises(SystemExit, match="9"):
        run_step(step)

    assert capsys.readouterr().err == "error: GitHub: must answer\n  found: 503\n  hint: again\n"
