"""`modemap ui`."""

import signal
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ui"]


def ui(
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's pages, if free.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's pages, if free.")] = 5000,
) -> None:
    """Serve Prefect's and MLflow's pages on this machine until Ctrl-C.

    Of a server that PREFECT_API_URL or MLFLOW_TRACKING_URI names only the address is told.

    Example: modemap ui --mlflow-port 5001
    """
    from modemap.orchestration.pages import (  # noqa: PLC0415  # help stays fast
        mlflow_page,
        prefect_page,
        until_interrupted,
    )

    root = Path.cwd()
    with (
        until_interrupted(),
        prefect_page(root, prefect_port) as prefect,
        mlflow_page(root, mlflow_port) as mlflow,
    ):
        prefect.wait()
        mlflow.wait()
        typer.echo(f"Prefect  {prefect.url}")
        typer.echo(f"MLflow   {mlflow.url}")
        typer.echo("Ctrl-C stops what was started here.")
        signal.pause()
    typer.echo("stopped")
