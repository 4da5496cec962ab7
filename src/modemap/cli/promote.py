"""`modemap promote`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["promote"]


def promote(
    version: Annotated[int | None, typer.Argument(help="Version; by default the newest.")] = None,
    why: Annotated[str, typer.Option(help="Kept in the history.")] = "the gate passed it",
) -> None:
    """Make a version that the gate has passed the champion.

    Example: modemap promote 3 --why "the new map"
    """
    from modemap.lifecycle.card import keep_card  # noqa: PLC0415
    from modemap.lifecycle.promote import promote as promote_version  # noqa: PLC0415

    promotion = promote_version(Path.cwd(), version, why)
    state = "is now the champion" if promotion.changed else "is the champion already"
    typer.echo(f"version {promotion.version} {state}: release {promotion.digest}")
    keep_card(Path.cwd(), promotion.version)
    if promotion.notice:
        typer.echo(promotion.notice, err=True)
