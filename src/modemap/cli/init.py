"""`modemap init`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["init"]

WIDTH = 60


def init(
    source: Annotated[
        str,
        typer.Argument(
            help="A Parquet, CSV or Arrow file, a folder or glob of such, a query (.sql), or s3://."
        ),
    ],
    into: Annotated[Path, typer.Option(help="The project's folder.")] = Path(),
    key: Annotated[
        list[str] | None, typer.Option(help="A column that names a row; may be given repeatedly.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when.")] = None,
    label: Annotated[
        str | None, typer.Option(help="A column that judges the models; nothing learns from it.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be decided and written.")
    ] = False,
) -> None:
    """Look at a table once and write a project for it, ready to run.

    Example: modemap init penguins.csv --into penguins --label species
    """
    from modemap.scaffold.project import make_project, plan_project  # noqa: PLC0415
    from modemap.stages.progress import track  # noqa: PLC0415

    made = plan_project(
        source, into, key=key or (), time=time, label=label,
        watch=lambda pieces: track(pieces, "looking at the table"),
    )  # fmt: skip
    rows = [(_on_one_line(d.name), d.kind, d.use, d.why) for d in made.decisions.all]
    typer.echo(f"{made.rows:,} rows, {len(rows)} columns")
    widths = [min(max(len(row[i]) for row in rows), WIDTH) for i in range(3)]
    for *cells, why in rows:
        shown = (f"{c[:WIDTH]:{width}}" for c, width in zip(cells, widths, strict=True))
        typer.echo(f"  {'  '.join(shown)}  {why}")
    if dry_run:
        typer.echo(f"would write into {into}: {', '.join(made.files)}")
        return
    made = make_project(made, into, force=force)
    typer.echo(f"wrote into {into}: {', '.join(made.files)}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    place = "" if into == Path() else f"cd {shlex.quote(str(into))} && "
    typer.echo(f"next: {place}dvc repro && modemap run")


def _on_one_line(name: str) -> str:
    """Return ``name`` with what does not print, such as a line break, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
