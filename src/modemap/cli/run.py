"""`modemap run`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    flow: Annotated[Path, typer.Option(help="The flow's file.")] = Path("flows/retrain.py"),
    accept_change: Annotated[
        str | None,
        typer.Option(
            envvar="MODEMAP_ACCEPT_CHANGE",
            help="Why a release that cannot be compared with the champion may replace it.",
        ),
    ] = None,
    promote: Annotated[
        bool,
        typer.Option(
            envvar="MODEMAP_PROMOTE",
            help="Register the release and promote it if it passes; else only judge it.",
        ),
    ] = True,
) -> None:
    """Reproduce every stage, then register, gate and promote the release.

    Example: modemap run --accept-change "a smaller map"
    """
    from modemap.orchestration.run import run as run_flow  # noqa: PLC0415  # help stays fast

    parameters: dict[str, object] = {}
    if accept_change is not None:
        parameters["accept_change"] = accept_change
    if not promote:
        parameters["promoting"] = False
    raise typer.Exit(run_flow(Path.cwd(), flow, parameters))
