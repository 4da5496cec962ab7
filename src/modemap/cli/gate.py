"""`modemap gate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modemap.errors import ParamsError

if TYPE_CHECKING:
    from modemap.lifecycle.gate import Verdict

__all__ = ["gate", "table"]

WIDTH = 32


def gate(
    version: Annotated[int | None, typer.Argument(help="Version; by default the newest.")] = None,
    accept_change: Annotated[
        str | None,
        typer.Option(help="Why a release that cannot be compared with the champion may pass."),
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Judge models/release as it lies, registered or not.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of every rule what it asks and why it decided.")
    ] = False,
) -> None:
    """Judge a version by every rule; exit with 6 if one stops it.

    Example: modemap gate 3 --accept-change "a smaller map"
    """
    from modemap.lifecycle.gate import gate as gate_version  # noqa: PLC0415
    from modemap.lifecycle.gate import gate_here  # noqa: PLC0415

    if here and version is not None:
        raise ParamsError(
            "modemap gate", "--here takes no version", found=version, hint="leave one of them out"
        )
    root = Path.cwd()
    verdict = gate_here(root, accept_change) if here else gate_version(root, version, accept_change)
    typer.echo(verdict.explain() if explain else table(verdict))
    verdict.require()
    promotion = f"promote it: modemap promote {verdict.version}"
    typer.echo(f"{verdict.name} passed; {'nothing was registered' if here else promotion}")


def table(verdict: "Verdict") -> str:
    """Return the results as lines of aligned columns."""
    header = ("rule", "result", "value", "bound", "why")
    rows = [
        (result.rule, result.outcome, _shown(result.value), _shown(result.bound), result.why)
        for result in verdict.results
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines)


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
