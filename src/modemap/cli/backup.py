"""`modemap backup` and `modemap restore`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["backup", "restore"]

File = Annotated[Path, typer.Argument(help="The backup; FILE.sha256 lies beside it.")]


def backup(
    file: File,
    cache: Annotated[
        bool, typer.Option(help="Keep what registered versions name of DVC's cache.")
    ] = True,
    prefect: Annotated[
        bool, typer.Option("--prefect", help="Keep Prefect's records of runs as well.")
    ] = False,
) -> None:
    """Pack MLflow's store and what its versions need of DVC's cache into FILE, with its sha256.

    Example: modemap backup backup.tar.gz
    """
    from modemap.lifecycle.backup import backup as back_up  # noqa: PLC0415

    kept = back_up(Path.cwd(), file, cache=cache, prefect=prefect)
    records = ", Prefect's records" if kept.has_prefect else ""
    typer.echo(f"{file}: {kept.n_files} artifacts, {kept.n_objects} objects of DVC's{records}")
    if kept.n_absent:
        typer.echo(f"left out: {kept.n_absent} objects that DVC's cache here does not have")
    typer.echo(f"sha256 {kept.sha256}")


def restore(file: File) -> None:
    """Verify FILE by its sha256 and unpack it; MLflow's store must not be there yet.

    Example: modemap restore backup.tar.gz
    """
    from modemap.lifecycle.backup import restore as put_back  # noqa: PLC0415
    from modemap.lifecycle.status import status  # noqa: PLC0415

    kept = put_back(Path.cwd(), file)
    records = ", Prefect's records" if kept.has_prefect else ""
    typer.echo(f"restored: {kept.n_files} artifacts, {kept.n_objects} objects of DVC's{records}")
    typer.echo(f"sha256 {kept.sha256}")
    champion = status(Path.cwd())
    if champion is not None:
        outputs = "dvc checkout" if kept.n_objects else "dvc pull"
        typer.echo(
            f"next: `modemap checkout {champion.version}` for the dvc.lock of the champion, "
            f"then `{outputs}` for its outputs"
        )
