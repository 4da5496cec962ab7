"""What the cases share."""

import os

import pytest

from tests.faults.page import PAGE, line
from tests.faults.project import small, trained
from tests.faults.recording import MAKING

__all__ = ["answered", "small", "trained"]


@pytest.fixture
def answered(record_property):
    """Return what takes an answer: docs/bad-input.md must hold it, unless it is being made."""

    def take(title: str, name: str, answer: str) -> None:
        record_property(MAKING, (title, name, answer))
        if MAKING in os.environ:
            return
        page = PAGE.read_text()
        section = page[page.index(f"## {title}\n") :].split("\n## ")[0].splitlines()
        assert line(name, answer) in section, f"run `python -m tests.faults`: {answer}"

    return take
