"""`modemap open`."""

import signal
import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modemap.errors import ParamsError

__all__ = ["open_page"]


class Pages(StrEnum):
    """What there is to look at."""

    REPORT = "report"
    MLFLOW = "mlflow"
    PREFECT = "prefect"
    DOCS = "docs"


FILES = {  # file, and what writes it
    Pages.REPORT: ("reports/index.html", "write it: modemap report"),
    Pages.DOCS: ("site/index.html", "build it in a clone of modemap: make docs"),
}


def open_page(
    page: Annotated[Pages, typer.Argument(help="What to look at.")],
    port: Annotated[
        int | None, typer.Option(help="Port of the server that is started, if free.")
    ] = None,
) -> None:
    """Open the report, the documentation, or MLflow's or Prefect's pages in the browser.

    Pages of a server that no variable of the environment names are served here until Ctrl-C.

    Example: modemap open mlflow
    """
    if page in FILES:
        name, hint = FILES[page]
        path = Path.cwd() / name
        if not path.is_file():
            raise ParamsError(path, f"the {page} must be there", found="no such file", hint=hint)
        _show(path.as_uri())
        return
    from modemap.orchestration.pages import (  # noqa: PLC0415  # help stays fast
        mlflow_page,
        prefect_page,
        until_interrupted,
    )

    find = mlflow_page if page is Pages.MLFLOW else prefect_page
    ports = {} if port is None else {"port": port}
    with until_interrupted(), find(Path.cwd(), **ports) as found:
        found.wait()
        _show(found.url)
        if found.server is None:
            return
        typer.echo("Ctrl-C stops its server.")
        signal.pause()
    typer.echo("stopped")


def _show(url: str) -> None:
    typer.echo(url)
    if not webbrowser.open(url):
        typer.echo("no browser was found here: open the address in one", err=True)
