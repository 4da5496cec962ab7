"""A Python that has imported DVC beforehand and waits to be told which module to run.

Importing DVC takes longer than most of what a flow asks of it. So a flow keeps one process
ready, and whenever it is taken the next one gets ready beside the work. Each runs one module, as
``python -m`` does, and ends.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import start

__all__ = ["Standby", "standby"]

BEFOREHAND = (  # what `dvc repro` imports, much of it only when it is needed
    "dvc.cli.parser",
    "dvc.lock",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.scm",
    "dvc.utils.strictyaml",
)


class Standby:
    """Starts processes, and once prepared keeps one ready; threads may take from it at once."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[str] | None = None
        self._is_kept = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Keep a process ready from now on."""
        with self._lock:
            self._is_kept = True
            self._waiting = self._waiting or _start()

    def run(
        self, command: Sequence[str], *, root: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Run a module with its arguments in ``root``; return the process, its output in one pipe.

        It leads a process group of its own and has exactly ``environment``.
        """
        with self._lock:
            child, self._waiting = self._waiting or _start(), None
            if self._is_kept:
                self._waiting = _start()
        assert child.stdin is not None  # noqa: S101  # it was started with a pipe
        with suppress(BrokenPipeError), child.stdin as told:  # how it ended is the caller's to ask
            json.dump([str(root), dict(environment), list(command)], told)
        child.stdin = None
        return child

    def dismiss(self) -> None:
        """Keep none any more; the one that waits ends."""
        with self._lock:
            self._is_kept = False
            if self._waiting is not None:
                self._waiting.communicate()
                self._waiting = None


standby = Standby()  # of this process


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "modemap.orchestration.standby"]
    return start(command, environment=tool_environment(Path.cwd()), stdin=subprocess.PIPE)


def _wait() -> None:
    for name in BEFOREHAND:
        importlib.import_module(name)
    told = sys.stdin.read()
    if not told:
        return  # nobody needs it any more
    root, environment, command = json.loads(told)
    os.chdir(root)
    sys.path[0] = root
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _wait()
