"""`modemap upgrade`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["upgrade"]


def upgrade(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the differences, write nothing.")
    ] = False,
) -> None:
    """Bring the files that `modemap init` made up to the installed version.

    A file that nobody has edited is rewritten; beside an edited one the new one is written as
    NAME.new.

    Example: modemap upgrade --dry-run
    """
    from modemap.scaffold.upgrade import plan_upgrade, write_upgrade  # noqa: PLC0415

    found = plan_upgrade(Path.cwd())
    for change in found.changes:
        typer.echo(change.diff, nl=False)
    if not dry_run:
        write_upgrade(Path.cwd(), found)
    typer.echo(f"modemap {found.before} -> {found.after}")
    for change in found.changes:
        typer.echo(f"  {change.target}: {change.how}")
    if not found.changes:
        typer.echo("  every file is up to date")
    for model, stage in found.models.items():
        typer.echo(f"  {model} will be made again by {stage}, since its stage watches the version")
    if found.changes and not dry_run:
        typer.echo("next: look at *.new files if there are any, then dvc repro && modemap run")
