"""`modemap gc`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modemap.lifecycle.gc import Waste

__all__ = ["gc"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def gc(
    keep_days: Annotated[float, typer.Option(help="What ended since then stays.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Free what neither the history nor the checkout needs, in MLflow, DVC's cache and Prefect.

    Example: modemap gc --keep-days 30 --dry-run
    """
    from modemap.orchestration.gc import collect_garbage  # noqa: PLC0415

    found = collect_garbage(Path.cwd(), keep_days, dry_run=dry_run)
    if as_json:
        things = [{"store": w.store, "name": w.name, "bytes": w.n_bytes} for w in found]
        document = {"dry_run": dry_run, "things": things, "bytes": _total(found)}
        typer.echo(json.dumps(document, indent=2, sort_keys=True))
        return
    for waste in found:
        typer.echo(f"{waste.store:<8}{_size(waste.n_bytes):>11}  {waste.name}")
    said = "could be freed" if dry_run else "freed"
    typer.echo(f"{said}: {len(found)} things, {_size(_total(found))}")


def _total(found: Sequence["Waste"]) -> int:
    return sum(waste.n_bytes for waste in found)


def _size(n_bytes: float) -> str:
    for unit in UNITS:
        if n_bytes < 1024 or unit == UNITS[-1]:  # noqa: PLR2004  # bytes of the next unit
            break
        n_bytes /= 1024
    return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
