"""`modemap checkout`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["checkout"]


def checkout(
    version: Annotated[int, typer.Argument(help="A registered version.")],
    force: Annotated[bool, typer.Option("--force", help="Give up edits that git lacks.")] = False,
) -> None:
    """Put back params.yaml, dvc.yaml and dvc.lock as a version was made with them.

    Example: modemap checkout 3
    """
    from modemap.lifecycle.checkout import checkout as check_out  # noqa: PLC0415

    restored = check_out(Path.cwd(), version, force=force)
    files = ", ".join(restored.files) or "nothing, all were the same"
    typer.echo(f"version {restored.version}, release {restored.digest}: put back {files}")
    warning = "" if restored.dirty == "false" else ", with changes that it may not hold"
    typer.echo(f"its code is that of commit {restored.commit}{warning}")
    typer.echo("next: `dvc checkout` for its outputs, or `dvc repro` to make it again")
