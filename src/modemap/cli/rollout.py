"""`modemap rollout` and `modemap withdraw`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["rollout", "withdraw"]


def rollout(
    version: Annotated[int | None, typer.Argument(help="Version; by default the newest.")] = None,
    kind: Annotated[
        str, typer.Option(help="canary: it answers its share; shadow: it scores copies.")
    ] = "canary",
    share: Annotated[float, typer.Option(help="Of the requests, above 0 to 1.")] = 0.1,
    why: Annotated[str, typer.Option(help="Kept in the history.")] = "a trial",
) -> None:
    """Put a version beside the champion; the service watches it, then withdraws or promotes it.

    Example: modemap rollout 3 --share 0.2
    """
    from modemap.lifecycle.rollout import roll_out  # noqa: PLC0415

    begun = roll_out(Path.cwd(), version, kind=kind, share=share, why=why)
    typer.echo(
        f"version {begun.version} is a {begun.kind} for {begun.share:.0%} of the requests:"
        f" release {begun.digest}"
    )


def withdraw(
    why: Annotated[str, typer.Option(help="Kept in the history; the gate refuses a canary by it.")],
) -> None:
    """Take the version beside the champion away.

    Example: modemap withdraw --why "its segments confuse the desk"
    """
    from modemap.lifecycle.rollout import withdraw as take_away  # noqa: PLC0415

    taken = take_away(Path.cwd(), why=why)
    if taken is None:
        typer.echo("there is no version beside the champion")
    else:
        typer.echo(f"version {taken.version} is withdrawn: release {taken.digest}")
