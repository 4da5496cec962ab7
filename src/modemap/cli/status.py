"""`modemap status`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modemap.lifecycle.status import Champion

__all__ = ["status"]


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say which version is the champion, how good it is and since when.

    Example: modemap status --json
    """
    from modemap.lifecycle.status import status as read_status  # noqa: PLC0415
    from modemap.tracking.store import store_is_gone  # noqa: PLC0415

    champion = read_status(Path.cwd())
    if as_json:
        document = {"champion": asdict(champion) if champion else None}
        typer.echo(json.dumps(document, indent=2, sort_keys=True))
    elif champion is None and store_is_gone(Path.cwd()):
        typer.echo("no champion: mlruns/mlflow.db is gone; `modemap restore` brings a backup back")
    elif champion is None:
        typer.echo("no champion yet: `modemap run` trains and promotes one")
    else:
        typer.echo(_text(champion))


def _text(champion: "Champion") -> str:
    lines = [
        f"champion  {champion.model} version {champion.version}",
        f"digest    {champion.digest}",
        f"since     {champion.since}, promoted by {champion.who}: {champion.why}",
        f"anchor    {champion.anchor}",
    ]
    lines += [f"          {name} {value:.6g}" for name, value in champion.metrics.items()]
    if champion.rollout is not None:
        beside = champion.rollout
        said = f"{beside.kind} of version {beside.version}, share {beside.share:g}"
        lines.append(f"beside    {said}, since {beside.since}")
    if champion.alias != champion.version:
        other = f"version {champion.alias}" if champion.alias else "none"
        lines.append(f"warning: MLflow's alias `champion` names {other}; the history decides")
    return "\n".join(lines)
