"""Child processes that are streamed line by line and never outlive their time."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from modemap.errors import StageError

__all__ = ["INTERRUPTED", "Finished", "start", "stop_group", "stream"]

GRACE_SECONDS = 5.0
INTERRUPTED = 130  # the exit code of who was stopped by a person or the system


class Finished(NamedTuple):
    """How a child ended, and everything it printed."""

    returncode: int
    lines: list[str]


def start(
    command: Sequence[str], *, environment: Mapping[str, str], stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start ``command`` as the leader of a process group, all it prints in one pipe."""
    return subprocess.Popen(
        command,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def stream(
    child: subprocess.Popen[str],
    *,
    name: str,
    show: Callable[[str], None],
    timeout_seconds: float,
) -> Finished:
    """Call ``show`` with every line that ``child`` prints, as soon as it prints it, to its end.

    Its whole process group is stopped when the time is over or the caller is interrupted.

    Raises
    ------
    StageError
        If the child ran longer than ``timeout_seconds``.
    """
    late = threading.Event()

    def stop_late_child() -> None:
        late.set()
        stop_group(child)

    watchdog = threading.Timer(timeout_seconds, stop_late_child)
    watchdog.start()
    lines = []
    try:
        for line in child.stdout or ():
            lines.append(line.rstrip())
            show(lines[-1])
        child.wait()
    finally:
        watchdog.cancel()
        stop_group(child)
        child.communicate()
    if late.is_set():
        raise StageError(
            name,
            f"must end within {timeout_seconds:g} s",
            found="still running; it was stopped with its children",
            hint="raise stage_timeout_seconds of the flow, or look for what blocks it",
        )
    return Finished(child.returncode, lines)


def stop_group(child: subprocess.Popen[str]) -> None:
    """End ``child`` and its process group: politely, then for certain."""
    if child.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
        os.killpg(child.pid, signal.SIGKILL)  # whoever of the group did not listen
    child.wait()
