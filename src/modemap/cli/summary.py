"""`modemap summary`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["summary"]


def summary(
    facts: Annotated[
        Path | None, typer.Option("--json", help="Also write the facts to this file.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write the page that compares both, if they differ.")
    ] = None,
) -> None:
    """Print what the last run came to, as Markdown: release beside champion, verdict, failures.

    Example: modemap summary --json summary.json --report reports/comparison.html
    """
    from modemap.files import write_json  # noqa: PLC0415
    from modemap.lifecycle.summary import summary as read_summary  # noqa: PLC0415
    from modemap.reporting.summary import markdown  # noqa: PLC0415

    found = read_summary(Path.cwd(), report)
    if facts is not None:
        write_json(facts, found)
    typer.echo(markdown(found), nl=False)
