"""Long loops say how far they are."""

import logging
import os
import pty
import subprocess
import sys

from modemap.stages import progress

SCRIPT = """
from modemap.stages.progress import track
print(sum(track(range(4), "adding", 4)))
"""


def test_elsewhere_a_line_now_and_then(monkeypatch, caplog):
    """Off a terminal a line is logged when some seconds have passed."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    caplog.set_level(logging.INFO)

    done = list(progress.track("ab", "reading", 2))

    assert done == ["a", "b"]
    assert caplog.messages == ["reading: 1 of 2", "reading: 2 of 2"]


def test_short_loops_say_nothing(caplog):
    """What ends at once needs no line."""
    caplog.set_level(logging.INFO)

    assert list(progress.track([1], "reading")) == [1]

    assert caplog.messages == []


def test_a_terminal_shows_a_bar():
    """On a terminal the description moves with a bar, and the result is untouched."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=theirs, text=True, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)

    assert done.stdout == "6\n"
    assert "adding" in shown


def test_passes_elsewhere_are_shown_now_and_then(monkeypatch, caplog):
    """With their number and how many blocks are done."""
    caplog.set_level(logging.INFO)
    tell = progress.track_passes("train_som")
    tell(1, 1, 9)

    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    tell(3, 4, 9)

    assert caplog.messages == ["train_som: pass 3, 4 of 9 blocks"]
