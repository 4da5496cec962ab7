"""`modemap lineage`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["lineage"]


def lineage(
    name: Annotated[str, typer.Argument(help="A version, or a digest of a release or a batch.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what a version was made from, or which versions were made from a batch of data.

    Example: modemap lineage 3
    """
    from modemap.lifecycle.lineage import lineage as read_lineage  # noqa: PLC0415

    found = read_lineage(Path.cwd(), name)
    if as_json:
        typer.echo(json.dumps(found, indent=2, sort_keys=True))
    else:
        typer.echo("\n".join(_lines(found.get("version", found))))


def _lines(value: dict[str, Any], margin: str = "") -> Iterator[str]:
    """Yield names and values, what lies within further to the right."""
    for name, item in value.items():
        items = item if isinstance(item, list) else [item]
        for each in items:
            if isinstance(each, dict):
                yield f"{margin}{name}"
                yield from _lines(each, f"{margin}  ")
            else:
                yield f"{margin}{name:<14} {'-' if each is None else each}"
