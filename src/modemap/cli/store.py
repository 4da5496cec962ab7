"""`modemap store save` and `modemap store restore`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["store"]

store = typer.Typer(no_args_is_help=True, help="Carry the tracking store in mlruns as one file.")

File = Annotated[Path, typer.Argument(help="The archive; FILE.sha256 lies beside it.")]


@store.command()
def save(file: File) -> None:
    """Pack mlruns into FILE and its sha256 into FILE.sha256.

    Example: modemap store save store.tar.gz
    """
    from modemap.tracking.archive import pack  # noqa: PLC0415

    digest = pack(Path.cwd(), file)
    typer.echo(f"{file}: sha256 {digest}")


@store.command()
def restore(file: File) -> None:
    """Unpack FILE into mlruns, which must not exist yet, after its sha256 was verified.

    Example: modemap store restore store.tar.gz
    """
    from modemap.tracking.archive import unpack  # noqa: PLC0415

    digest = unpack(Path.cwd(), file)
    typer.echo(f"mlruns: restored from {file}, sha256 {digest}")
