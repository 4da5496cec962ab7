"""`modemap export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["export"]


def export(
    into: Annotated[Path, typer.Option(help="Folder for map.onnx and mixture.onnx.")],
    version: Annotated[int | None, typer.Argument(help="Version; by default the newest.")] = None,
    format_: Annotated[
        Literal["onnx"], typer.Option("--format", help="The only one so far.")
    ] = "onnx",
) -> None:
    """Write a version's map and mixture as ONNX models, once they answer as the version does.

    Exit code 7: the version is damaged, ONNX cannot express it, or a model answered otherwise.

    Example: modemap export 3 --format onnx --into exported
    """
    del format_
    from modemap.lifecycle.export import export as write  # noqa: PLC0415

    for path in write(Path.cwd(), version, into):
        typer.echo(path)
