"""`modemap verify`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["verify"]


def verify(
    anchor: Annotated[
        str | None, typer.Option(help="NUMBER:LINK of an entry, noted where nobody can edit it.")
    ] = None,
) -> None:
    """Check history, registered releases and DVC's cache; name what is damaged and exit with 8.

    Example: modemap verify
    """
    from modemap.lifecycle.verify import verify as verify_registry  # noqa: PLC0415

    audit = verify_registry(Path.cwd(), anchor)
    for finding in audit.findings:
        typer.echo(f"{finding.place}: {finding.what}")
    if not audit.findings:
        cached = audit.n_outputs - len(audit.absent)
        typer.echo(
            f"sound: {audit.n_entries} entries, {audit.n_versions} versions, "
            f"{cached} of {audit.n_outputs} outputs in DVC's cache"
        )
    if audit.absent:
        typer.echo(f"not in DVC's cache: {', '.join(audit.absent)}")
        typer.echo("  `dvc commit` puts there what the checkout has, `dvc pull` what a remote has")
    audit.require()
    typer.echo(f"anchor  {audit.anchor or 'none yet'}")
