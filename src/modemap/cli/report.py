"""`modemap report`."""

from pathlib import Path

import typer

__all__ = ["report"]


def report() -> None:
    """Render reports/index.html from what lies in the project and in the registry now.

    Example: modemap report
    """
    from modemap.lifecycle.report.write import write_report  # noqa: PLC0415  # help stays fast

    typer.echo(write_report(Path.cwd()).relative_to(Path.cwd()))
