"""What the cases share."""

import pytest

from tests.faults.page import PAGE, line
from tests.faults.project import small, trained

__all__ = ["answered", "small", "trained"]

RECORDER = "bad-input-recorder"


@pytest.fixture
def answered(request):
    """Return what takes an answer: docs/bad-input.md must hold it, unless it is being made."""
    recorder = request.config.pluginmanager.get_plugin(RECORDER)
    page = PAGE.read_text().splitlines() if PAGE.exists() else []

    def take(title: str, name: str, answer: str) -> None:
        if recorder is not None:
            recorder[title, name] = answer
            return
        start = page.index(f"## {title}")
        assert line(name, answer) in page[start:], f"run `python -m tests.faults`: {answer}"

    return take
