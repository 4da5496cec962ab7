"""Servers that are started again, at the address they had, when they die."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modemap.files import write_json
from modemap.orchestration.processes import stop_group
from modemap.orchestration.servers import Command, wait_until_healthy

__all__ = ["Upkeep", "kept_up", "pids"]

PIDS = Path(".modemap", "demo-servers.json")
LOG = Path(".modemap", "demo-servers.log")
LOOK_SECONDS = 0.5


class Upkeep:
    """Some servers and whoever looks after them."""

    def __init__(self, root: Path) -> None:
        self._root, self._commands = root, dict[str, Command]()
        self._children = dict[str, subprocess.Popen[str]]()
        self._over, self._lock = threading.Event(), threading.Lock()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def start(self, command: Command) -> Command:
        """Start a server; return its command."""
        with self._lock:
            self._commands[command.name] = command
            self._start(command)
        return command

    def wait(self, command: Command) -> None:
        """Return once a server answers."""
        if not wait_until_healthy(command.health):
            raise SystemExit(f"{command.name} does not answer: see {self._root / LOG}")

    def stop(self) -> None:
        """Stop all."""
        self._over.set()
        self._watcher.join()
        for child in reversed(self._children.values()):
            stop_group(child)

    def _start(self, command: Command) -> None:
        with (self._root / LOG).open("a") as log:
            self._children[command.name] = subprocess.Popen(
                command.words,
                cwd=self._root,
                env=command.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        write_json(self._root / PIDS, {name: c.pid for name, c in self._children.items()})

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with self._lock:
                for name, child in self._children.items():
                    if child.poll() is not None:
                        with suppress(ProcessLookupError):  # what it had started
                            os.killpg(child.pid, signal.SIGKILL)
                        self._start(self._commands[name])


@contextmanager
def kept_up(root: Path) -> Iterator[Upkeep]:
    """Yield the upkeep of servers in ``root``; they are stopped at the end of the block."""
    (root / LOG).parent.mkdir(parents=True, exist_ok=True)
    upkeep = Upkeep(root)
    try:
        yield upkeep
    finally:
        upkeep.stop()


def pids(root: Path) -> dict[str, int]:
    """Return the process ids of the servers of a demo in ``root``, by name."""
    return dict(json.loads((root / PIDS).read_bytes()))
