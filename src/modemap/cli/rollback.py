"""`modemap rollback`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["rollback"]


def rollback(
    why: Annotated[str, typer.Option(help="Kept in the history.")],
    to: Annotated[
        int | None,
        typer.Option(help="A version that served; by default the one that the champion replaced."),
    ] = None,
) -> None:
    """Make an earlier champion the champion again, once it has loaded and answered.

    Example: modemap rollback --why "complaints from the north"
    """
    from modemap.lifecycle.card import keep_card  # noqa: PLC0415
    from modemap.lifecycle.rollback import rollback as roll_back  # noqa: PLC0415

    rolled = roll_back(Path.cwd(), to, why=why)
    state = "is the champion again" if rolled.changed else "is the champion already"
    typer.echo(f"version {rolled.version} {state}: release {rolled.digest}")
    keep_card(Path.cwd(), rolled.version)
    if rolled.notice:
        typer.echo(rolled.notice, err=True)
