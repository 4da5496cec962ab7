"""docs/bad-input.md, made from what the runs answered and from nothing else."""

import html
import re
from collections.abc import Mapping, Sequence

from tests.faults.cases import Case
from tests.projects import CHECKOUT

PAGE = CHECKOUT / "docs/bad-input.md"
HEAD = """\
# Bad input

What each stage and the flow answer to bad data, bad settings and a hard machine. Made by
`python -m tests.faults` from the table in `tests/faults/cases.py`; the tests hold every line to
what the runs say. Whatever the answer, nothing is left half written, and the next good run ends in
the same bytes as if nothing had been.

The exit codes are those of the [README](../README.md#when-it-stops).
"""
SIZES = re.compile(r"[\d,]+ bytes(?= are free|;)")  # as the machine has them
TABLE = "| input | exit | answer |\n|---|---|---|\n"


def line(name: str, answer: str) -> str:
    """Return the row of one variant."""
    code, _, said = SIZES.sub("N bytes", answer).partition(": ")
    return f"| {_cell(name)} | {code} | {_cell(said)} |"


def heading(case: Case) -> str:
    """Return the heading of a case."""
    return f"## {case.title}"


def render(cases: Sequence[Case], answers: Mapping[tuple[str, str], str]) -> str:
    """Return the page."""
    parts = [HEAD]
    for case in cases:
        rows = [line(name, answers[case.title, name]) for name in case.variants]
        parts.append(f"{heading(case)}\n\n{TABLE}{chr(10).join(rows)}\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    """Return ``text`` for a cell of a table; what stands between backticks stays as it is."""
    parts = "\n".join(part.strip() for part in text.splitlines()).split("`")
    for i in range(0, len(parts), 2):
        parts[i] = html.escape(parts[i], quote=False).replace("\\", "\\\\")
        for sign in "*_[]$#":
            parts[i] = parts[i].replace(sign, f"\\{sign}")
    return "`".join(parts).replace("|", "\\|").replace("\n", "<br>")
