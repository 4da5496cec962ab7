"""`modemap card`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["card"]


def card(
    version: Annotated[int | None, typer.Argument(help="Version; by default the newest.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Also write card.md and card.html to this folder.")
    ] = None,
) -> None:
    """Print the model card of a version, made from the record: data, metrics, gate, lineage.

    Example: modemap card 3 --into cards
    """
    from modemap.files import staged_file  # noqa: PLC0415
    from modemap.lifecycle.card import CARDS, make_card  # noqa: PLC0415

    found = make_card(Path.cwd(), version)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, write in CARDS.items():
            with staged_file(into / name) as staged:
                staged.write_text(write(found), encoding="utf-8")
    typer.echo(CARDS["card.md"](found), nl=False)
