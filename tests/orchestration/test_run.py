"""A run ends as its flow does, and an interruption is told from an error."""

import signal
import subprocess
import sys

import pytest

from modemap.orchestration import worker
from modemap.orchestration.run import run

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("sys.exit(6)", 6),
        ("os.kill(os.getpid(), signal.SIGTERM)", 130),
        ("signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGINT)", 130),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
)
def test_a_flow_that_was_stopped_is_an_interruption(tmp_path, monkeypatch, ending, code):
    """Whoever stops its process alone has interrupted the run; what kills it has not."""
    start = subprocess.Popen
    child = [sys.executable, "-c", f"import os, signal, sys; {ending}"]
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(subprocess, "Popen", lambda _command, **how: start(child, **how))

    assert run(tmp_path, tmp_path / "flow.py", {}) == code


def test_a_flow_that_is_interrupted_ends_with_130(tmp_path, monkeypatch):
    """The clean process of the gate was stopped, or the flow itself."""

    def interrupted(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "load_flow", interrupted)
    monkeypatch.setattr(worker.atexit, "register", lambda _function: None)
    for name in ("prepare", "dismiss"):
        monkeypatch.setattr(worker.standby, name, lambda: None)

    assert worker.run_flow(tmp_path / "flow.py", {}) == 130
