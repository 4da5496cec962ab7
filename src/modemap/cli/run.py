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
            help="Why a release that cannot be compared with the champion may replace it."
        ),
    ] = None,
) -> None:
    """Reproduce every stage, then register, gate and promote the release.

    Example: modemap run --accept-change "a smaller map"
    """
    from modemap.orchestration.run import run as run_flow  # noqa: PLC0415  # help stays fast

    parameters = {} if accept_change is None else {"accept_change": accept_change}
    raise typer.Exit(run_flow(Path.cwd(), flow, parameters))
