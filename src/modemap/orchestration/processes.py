"""Child processes that are streamed line by line and never outlive their time."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from modemap.errors import StageError

__all__ = ["Finished", "run_streaming", "stop_group"]

GRACE_SECONDS = 5.0


class Finished(NamedTuple):
    """How a child ended, and everything it printed."""

    returncode: int
    lines: list[str]


def run_streaming(
    command: Sequence[str],
    *,
    environment: dict[str, str],
    show: Callable[[str], None],
    timeout_seconds: float,
) -> Finished:
    """Run ``command`` and call ``show`` with every line it prints, as soon as it prints it.

    The child leads a process group of its own; the whole group is stopped when the time is over or
    the caller is interrupted.

    Raises
    ------
    StageError
        If the child ran longer than ``timeout_seconds``.
    """
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
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
            " ".join(command),
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
