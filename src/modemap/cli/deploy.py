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
    from modemap.orchestration.deploy import deploy as deploy_project  # noqa: PLC0415

    deployments = deploy_project(Path.cwd(), project)
    typer.echo(f"deployed: {', '.join(deployment.name for deployment in deployments)}")
    typer.echo("a worker runs them:")
    for pool in sorted({deployment.work_pool.name for deployment in deployments}):
        typer.echo(f"  prefect worker start --pool {pool}")
