"""`modemap run`: a flow on a server of its own, or on the one that PREFECT_API_URL names."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import INTERRUPTED, stop_group
from modemap.orchestration.servers import prefect_server

__all__ = ["run"]

STOPPED = (-signal.SIGINT, -signal.SIGTERM)


def run(root: Path, flow: Path, parameters: dict[str, Any]) -> int:
    """Run ``flow`` in a process of its own; return its exit code.

    Unless PREFECT_API_URL names a server, one is started beside the flow's own imports and stopped
    at the end. Its runs stay in the checkout's database, where `make ui` shows them. Runs of one
    checkout take turns.
    """
    signal.signal(signal.SIGTERM, _leave)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_turn(root))
            address = os.environ.get("PREFECT_API_URL")
            if not address:
                address = f"{stack.enter_context(prefect_server(root)).url}/api"
            environment = tool_environment(root) | {"PREFECT_API_URL": address}
            command = ["-m", "modemap.orchestration.worker", str(flow), json.dumps(parameters)]
            worker = subprocess.Popen(
                [sys.executable, *command],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            stack.callback(stop_group, worker)
            code = worker.wait()
            return INTERRUPTED if code in STOPPED else code
    except KeyboardInterrupt:
        return INTERRUPTED


@contextlib.contextmanager
def _turn(root: Path) -> Iterator[None]:
    """Wait until no other run works in this checkout; the system ends the turn of one that dies."""
    path = root / ".modemap" / "run.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another run works in this checkout: waiting for its end", flush=True)  # noqa: T201  # for the terminal
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
