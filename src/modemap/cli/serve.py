"""`modemap serve`."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 for any that is free.")] = 8080,
    release: Annotated[
        Path | None, typer.Option(help="Serve the release in this folder; no registry is asked.")
    ] = None,
) -> None:
    """Answer rows over HTTP by the champion, whoever it becomes, until Ctrl-C.

    Example: modemap serve --port 8000
    """
    from modemap.serving.server import run_service  # noqa: PLC0415  # help stays fast

    with suppress(KeyboardInterrupt):
        run_service(Path.cwd(), host=host, port=port, release=release)
