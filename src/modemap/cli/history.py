"""`modemap history`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modemap.errors import ParamsError

if TYPE_CHECKING:
    from modemap.lifecycle.history import Entry

__all__ = ["history"]


def history(
    at: Annotated[
        str | None, typer.Option(help="A day or a time; without a zone it is UTC.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List who promoted what, when and why, or say which version was champion at a time.

    Example: modemap history --at 2026-11-24T18:00
    """
    from modemap.lifecycle.history import history as read_history  # noqa: PLC0415

    entries = read_history(Path.cwd(), None if at is None else _time(at))
    valid = [entry for entry in entries if entry.makes_champion]
    if as_json:
        champion = _document(valid[-1]) if valid else None
        document = {"champion": champion, "entries": [_document(entry) for entry in entries]}
        typer.echo(json.dumps(document, indent=2, sort_keys=True))
    elif at is not None:
        typer.echo(_line(valid[-1]) if valid else f"no champion at {at}")
    else:
        typer.echo("\n".join(map(_line, entries)) or "no promotion yet")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        rule, hint = "must be a day or a time", "write it as 2026-11-24 or 2026-11-24T18:00"
        raise ParamsError("modemap history --at", rule, found=text, hint=hint) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _document(entry: "Entry") -> dict[str, Any]:
    return {
        "number": entry.number,
        "is_valid": entry.is_valid,
        **entry.tags,
        "made_from": entry.made_from,
    }


def _line(entry: "Entry") -> str:
    tags = entry.tags
    said = f"{entry.number}  {tags.get('when', '-')}  "
    if not entry.is_valid:
        return f"{said}refused: version {tags.get('to', '-')} by {tags.get('who', '-')}"
    rollout = entry.rollout
    if rollout is not None:
        return (
            f"{said}{entry.kind} of version {rollout.version}, share {rollout.share:g},"
            f" release {rollout.digest[:16]}, by {tags['who']}: {tags['why']}"
        )
    before = "" if tags["from"] == "0" else f" in place of version {tags['from']}"
    return (
        f"{said}{entry.kind} of version {tags['to']}{before}, release {tags['digest'][:16]},"
        f" by {tags['who']}: {tags['why']}"
    )
