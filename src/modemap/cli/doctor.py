"""`modemap doctor`."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from modemap.lifecycle.doctor import Finding

__all__ = ["doctor"]


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Mend what is found.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Find what killed processes, a move or another hand have left; exit with 8 if any of it stays.

    Example: modemap doctor --mend
    """
    from modemap.orchestration.doctor import doctor as examine  # noqa: PLC0415

    diagnosis = examine(Path.cwd(), mend=mend)
    told = [_document(finding, finding not in diagnosis.left) for finding in diagnosis.findings]
    if as_json:
        typer.echo(json.dumps({"findings": told}, indent=2, sort_keys=True))
    else:
        typer.echo("\n".join(map(_text, told)) or "healthy: nothing is left of killed processes")
    diagnosis.require()


def _document(finding: "Finding", is_mended: bool) -> dict[str, Any]:
    said = {part.name: getattr(finding, part.name) for part in fields(finding) if part.compare}
    return said | {"mended": is_mended}


def _text(told: dict[str, Any]) -> str:
    return (
        f"{'mended' if told['mended'] else 'found '}  {told['place']}: {told['what']}\n"
        f"        consequence: {told['consequence']}\n"
        f"        mending: {told['mending']}"
    )
