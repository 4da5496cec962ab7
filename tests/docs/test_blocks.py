"""Every fenced block of docs/ is run, read or parsed, or the ledger says why not."""

import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import typer.main
from ruamel.yaml import YAML

from modemap.cli import app
from modemap.params import Params
from tests.docs.blocks import ELSEWHERE, FENCE, By, blocks, is_run_here, pages
from tests.projects import CHECKOUT

RUN_HERE = sorted({block.page for block in blocks("python") if is_run_here(block)})
COMMANDS = [
    line.strip()
    for block in blocks("bash", "text", "")
    for part in block.text.replace("\\\n", " ").splitlines()
    for line in part.split(" && ")
    if line.startswith("modemap ")
]
TARGETS = re.findall(
    r"(?:`|^)make ([a-z-]+)", "\n".join(page.read_text() for page in pages()), re.MULTILINE
)


def test_every_block_is_in_the_ledger():
    """What this file does not run by itself is run by a test that exists, or has its reason."""
    for page in {block.page for block in blocks()} | set(ELSEWHERE):
        others = [b.name for b in blocks() if b.page == page and not is_run_here(b)]
        assert len(ELSEWHERE.get(page, ())) == len(others), others
    for entry in (entry for entries in ELSEWHERE.values() for entry in entries):
        if isinstance(entry, By):
            file, _, function = entry.test.partition("::")
            assert f"def {function}(" in (CHECKOUT / "tests" / file).read_text(), entry


def test_no_fence_escapes():
    """Fences are closed and stand at the beginning of a line, where the ledger finds them."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(FENCE.findall(text)), page


@pytest.mark.parametrize("page", RUN_HERE)
def test_python_runs_as_it_stands(page, tmp_path, monkeypatch):
    """The blocks of a page, one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}

    for block in blocks("python"):
        if block.page == page:
            exec(compile(block.text, f"docs/{page}", "exec"), known)  # noqa: S102  (our own page)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.name)
def test_settings_are_taken(block):
    """Put into this project's params.yaml they break no rule."""
    yaml = YAML(typ="safe")
    told = yaml.load((CHECKOUT / "params.yaml").read_text()) | yaml.load(block.text)

    assert Params.model_validate(told)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_understood(line):
    """The program knows the command, its options and as many arguments."""
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]

    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]

    assert command.make_context("modemap", words).params is not None


def test_make_has_every_target_that_is_named():
    """In text and blocks alike."""
    known = re.findall(r"^([a-z% -]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    patterns = [word.replace("%", "*") for names in known for word in names.split()]

    assert len(TARGETS) > 5
    for target in set(TARGETS):
        assert target == "it" or any(fnmatch(target, pattern) for pattern in patterns), target


@pytest.mark.slow
def test_modes_are_fitted_and_inverted_as_the_tutorial_says(tmp_path):
    """The very bytes come back."""
    (block,) = [b for b in blocks("bash") if b.page == "tutorials/billion-rows.md"]
    np.random.default_rng(0).normal(20, 5, 50_000).round(2).tofile(tmp_path / "prices.f64")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=tmp_path,
        env=os.environ | {"PATH": tools},
        capture_output=True,
        check=True,
    )

    assert (tmp_path / "again.f64").read_bytes() == (tmp_path / "prices.f64").read_bytes()
