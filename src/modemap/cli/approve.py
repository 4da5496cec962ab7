"""`modemap approve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["approve"]


def approve(
    version: Annotated[int, typer.Argument(help="A version that the gate has passed.")],
    key: Annotated[Path, typer.Option(help="The private ssh key of an approver.")],
    why: Annotated[str, typer.Option(help="Kept in what is signed.")],
) -> None:
    """Sign the gate's verdict on a version, where params ask for a person's approval.

    Example: modemap approve 3 --key ~/.ssh/id_ed25519 --why "looked at the report"
    """
    from modemap.lifecycle.approve import approve as approve_version  # noqa: PLC0415

    approval = approve_version(Path.cwd(), version, key=key, why=why)
    typer.echo(f"version {version} approved by {approval.identity} until {approval.expires}")
    typer.echo(f"next: {_next(version)}")


def _next(version: int) -> str:
    """Say what is next; have workers go on with the runs that wait on the server that is named."""
    if os.environ.get("PREFECT_API_URL"):
        from modemap.orchestration.waiting import resume  # noqa: PLC0415

        if resume(Path.cwd(), version):
            return "a worker goes on with the run that waits for it"
    return f"`modemap run` goes on with the run that waits, or `modemap promote {version}`"
