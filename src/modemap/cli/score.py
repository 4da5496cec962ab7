"""`modemap score`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["score"]


def score(
    source: Annotated[
        str, typer.Argument(help="A file, folder, glob, query (.sql) or s3:// address.")
    ],
    output: Annotated[Path, typer.Argument(help="The .parquet file to write.")],
    version: Annotated[
        int | None, typer.Option(help="A registered version; by default the champion.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column to carry along; the project's key if none.")
    ] = None,
) -> None:
    """Say of each row of SOURCE where it lies on the map and how unusual it is.

    Example: modemap score february.parquet scores.parquet
    """
    from modemap.lifecycle.score import score as score_source  # noqa: PLC0415  # help stays fast
    from modemap.stages.progress import track  # noqa: PLC0415

    scored = score_source(Path.cwd(), source, output, number=version, key=key or (), watch=track)
    typer.echo(f"{output}: {scored.n_rows} rows by version {scored.version}, {scored.digest}")
    if scored.n_without:
        typer.echo(f"{scored.n_without} of them could not be scored: see the column not_scored")
