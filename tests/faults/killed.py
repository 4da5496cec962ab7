"""Run one stage in this process and end it by a signal at an exact moment.

``python killed.py STAGE SIGNAL EVENT TEXT`` sends the signal to itself as soon as Python is about
to do EVENT, one of its audit events, with TEXT in the event's last path: no earlier, no later, and
the operation itself does not happen.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

PATHS = {"open": 0, "os.rename": 1, "sqlite3.connect": 0}  # which argument of the event


def main(stage: str, name: str, event: str, text: str) -> None:
    """Run ``stage`` until the moment has come."""

    def hook(found: str, arguments: tuple[object, ...]) -> None:
        if found != event:
            return
        path = arguments[PATHS[event]]
        if not isinstance(path, str | bytes | Path):
            return
            return
        if text in os.fsdecode(os.fspath(path)) and not fired:
            fired.append(event)
            os.kill(os.getpid(), signal.Signals[name])

    fired: list[str] = []
    sys.addaudithook(hook)
    runpy.run_module(f"modemap.stages.{stage}", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
