"""What GitHub tells a step by variables, what the step tells GitHub, and how a step ends."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ModemapError, ParamsError

__all__ = ["Event", "append_summary", "read_event", "run_step", "variable", "write_outputs"]


@dataclass(frozen=True)
class Event:
    """What started a workflow."""

    name: str
    ref: str
    repository: str
    payload: Mapping[str, Any]


def variable(name: str) -> str:
    """Return an environment variable that must be set.

    Raises
    ------
    ParamsError
        If it is missing or empty.
    """
    value = os.environ.get(name, "")
    if not value:
        rule, hint = "must be set", "GitHub sets it in a workflow; elsewhere set it yourself"
        raise ParamsError(f"environment variable {name}", rule, found="nothing", hint=hint)
    return value


def read_event() -> Event:
    """Return the event that started the workflow.

    Raises
    ------
    ParamsError
        If GitHub's variables are missing or its event file is no JSON mapping.
    """
    path = Path(variable("GITHUB_EVENT_PATH"))
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        rule, hint = "must be the event's JSON", "see GITHUB_EVENT_PATH"
        raise ParamsError(path, rule, found=error, hint=hint) from None
    if not isinstance(payload, dict):
        rule, found = "must be a JSON mapping", type(payload).__name__
        raise ParamsError(path, rule, found=found, hint="see GITHUB_EVENT_PATH")
    return Event(
        variable("GITHUB_EVENT_NAME"),
        variable("GITHUB_REF"),
        variable("GITHUB_REPOSITORY"),
        payload,
    )


def write_outputs(outputs: Mapping[str, str]) -> None:
    """Print ``outputs`` and set them for the steps that follow.

    Raises
    ------
    ValueError
        If a value holds a line break, which would set another output.
    """
    if any("\n" in value or "\r" in value for value in outputs.values()):
        raise ValueError(f"an output must be one line, got {dict(outputs)}")
    lines = "".join(f"{name}={value}\n" for name, value in outputs.items())
    sys.stdout.write(lines)
    _append("GITHUB_OUTPUT", lines)


def append_summary(markdown: str) -> None:
    """Print ``markdown`` and add it to the job's summary."""
    sys.stdout.write(f"{markdown}\n")
    _append("GITHUB_STEP_SUMMARY", f"{markdown}\n\n")


def run_step(step: Callable[[], None]) -> NoReturn:
    """Run ``step`` and exit with its documented code."""
    try:
        step()
    except ModemapError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    sys.exit(0)


def _append(name: str, text: str) -> None:
    if path := os.environ.get(name):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
