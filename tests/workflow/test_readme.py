"""The README's commands, run as a newcomer types them, in a clone with nothing around it."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main
from pyarrow import csv

from modemap.cli import app
from tests.projects import CHECKOUT, Project, in_shell, plain_environment

pytestmark = pytest.mark.workflow

README = (CHECKOUT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
NOT_RUN = {"make test\n": "it would run this very test again", "mermaid": "a diagram, no command"}


def blocks(language: str, *words: str) -> list[str]:
    """Return the blocks of ``language`` that hold all ``words``."""
    return [text for kind, text in BLOCKS if kind == language and all(w in text for w in words)]


RUN = [
    *blocks("bash", "make run"),
    *blocks("bash", "make ui"),
    *blocks("bash", "dvc metrics diff"),
    *blocks("bash", "--accept-change"),
    *blocks("python", "SelfOrganizingMap"),
    *blocks("bash", "modemap init"),
]


def test_every_block_is_run_or_says_why_not():
    """No command of the README escapes these tests."""
    for kind, text in BLOCKS:
        assert text in RUN or text in NOT_RUN or kind in NOT_RUN, text
    assert len(RUN) == len(set(RUN)) == 6


@pytest.fixture
def newcomer(make_run) -> Project:
    """Return the clone in which `make run` was typed, as the README has it."""
    assert blocks("bash", "make run") == ["make run\n"]
    assert "\nchampion  modemap version 1, digest " in (make_run / "said.txt").read_text()
    return Project(make_run / "modemap", make_run / "home")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_newcomer_goes_through_the_commands_in_their_order(newcomer):
    """Again, the pages, the everyday commands, and a promotion that needs a reason."""
    again = in_shell(newcomer, "make run")
    assert "installing" not in again
    assert "Running stage" not in again
    assert "version 1 is the champion already" in again

    open_and_close_the_pages(newcomer)

    (everyday,) = blocks("bash", "dvc metrics diff")
    said = in_shell(newcomer, everyday)
    assert "Running stage 'train_som'" in said
    assert "version 1" in said

    (accepting,) = blocks("bash", "--accept-change")
    said = in_shell(newcomer, f"source .venv/bin/activate\n{accepting}")
    assert "\nchampion  modemap version 2, digest " in said


def open_and_close_the_pages(newcomer: Project) -> None:
    """`make ui` prints two addresses and ends at Ctrl-C."""
    (command,) = blocks("bash", "make ui")
    child = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=newcomer.root,
        env=plain_environment(newcomer),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    os.killpg(child.pid, signal.SIGINT)
    rest = child.stdout.read()
    child.stdout.close()
    child.wait(60)

    assert [line.split()[0] for line in lines] == ["Prefect", "MLflow", "Ctrl-C"]
    assert "stopped" in rest


def test_the_estimators_work_alone(tmp_path):
    """The block of Python prints units, and that the modes lose nothing."""
    (script,) = blocks("python", "SelfOrganizingMap")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "True"


def test_the_table_has_every_command_where_help_has_it():
    """The README knows the commands that there are, in the groups of `modemap --help`."""
    listed: dict[str, list[str]] = {}
    for group, command in re.findall(
        r"^\| (?:\*\*(.+)\*\* \| \||`modemap (\w+)` \|)", README, re.MULTILINE
    ):
        if group:
            listed[group] = []
        else:
            listed[[*listed][-1]].append(command)

    helped: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(app).commands.items():
        helped.setdefault(command.rich_help_panel, []).append(name)
    assert listed == helped


def test_every_exit_code_is_explained():
    """The table of exit codes has each code of the errors."""
    from modemap import errors

    codes = {getattr(errors, name).exit_code for name in errors.__all__}
    listed = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}

    assert listed == {0, *codes}


@pytest.mark.slow
def test_ones_own_table_takes_two_commands(tmp_path):
    """The block makes a project of a table of three columns and a key, and trains on it."""
    (tmp_path / "home").mkdir()
    above = Project(tmp_path, tmp_path / "home")
    rng = np.random.default_rng(0)
    columns = {name: pa.array(rng.gamma(4.0, 2.0, 600)) for name in ("height", "width", "mass")}
    columns["height"] = pa.array([None, *columns["height"].to_pylist()[1:]])
    csv.write_csv(pa.table({"id": range(600)} | columns), tmp_path / "mine.csv")
    (commands,) = blocks("bash", "modemap init")

    said = above.succeed("bash", "-euo", "pipefail", "-c", commands)

    assert "\nchampion  mine version 1, digest " in said
    scores = pq.read_table(tmp_path / "mine" / "reports" / "scores.parquet")
    assert set(scores.column("id").to_pylist()) <= set(range(600))


def test_every_message_of_the_table_is_one_that_is_said():
    """Troubleshooting speaks the words of the program and of docs/bad-input.md."""
    table = README.split("| the message says |")[1].split("\n\n")[0]
    quoted = [
        text
        for row in table.splitlines()[2:]
        for text in re.findall("`([^`]+)`", row.split(" | ")[0])
    ]
    sources = [path.read_text() for path in (CHECKOUT / "src").rglob("*.py")]
    said = "\n".join([*sources, (CHECKOUT / "docs/bad-input.md").read_text()])

    assert len(quoted) >= 11
    for text in quoted:
        assert text in said, text
