"""`modemap deploy`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["deploy"]


def deploy(
    project: Annotated[
        Path | None,
        typer.Option(help="The project's folder where workers run; by default this one."),
    ] = None,
) -> None:
    """Set up the deployments of prefect.yaml on the server that PREFECT_API_URL names.

    Example: modemap deploy --project /project
    """
    from modemap.orchestration.deploy import POOL  # noqa: PLC0415  # help stays fast
    from modemap.orchestration.deploy import deploy as deploy_project  # noqa: PLC0415

    deploy_project(Path.cwd(), project)
    typer.echo("deployed; a worker runs them:")
    typer.echo(f"  prefect worker start --pool {POOL}")
    typer.echo("  prefect deployment run retrain/weekly")
