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

    Example: modemap ui --mlflow-port 5001
    """
    from modemap.orchestration.servers import mlflow_server, prefect_server  # noqa: PLC0415
    from modemap.params import load_params  # noqa: PLC0415  # help stays fast
    from modemap.tracking.store import open_store  # noqa: PLC0415

    root = Path.cwd()
    project = load_params().project
    store = open_store(root, project)
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background a shell ignores Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        with (
            prefect_server(root, prefect_port) as prefect,
            mlflow_server(root, mlflow_port) as mlflow,
        ):
            prefect.wait()
            mlflow.wait()
            typer.echo(f"Prefect  {prefect.url}/runs")
            typer.echo(f"MLflow   {mlflow.url}/#/experiments/{store.experiment_id}/runs")
            typer.echo("Ctrl-C stops both.")
            signal.pause()
    except KeyboardInterrupt:
        typer.echo("stopped")
