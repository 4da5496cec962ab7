"""`modemap gate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modemap.errors import ParamsError

if TYPE_CHECKING:
    from modemap.lifecycle.verdict import Verdict

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
        bool,
        typer.Option(
            "--explain",
            help="Say of every rule what it asks and why it decided, by the kept verdict if there"
            " is one; nothing is kept.",
        ),
    ] = False,
) -> None:
    """Judge a version by every rule; exit with 6 if one stops it.

    Example: modemap gate 3 --accept-change "a smaller map"
    """
    if here and version is not None:
        raise ParamsError(
            "modemap gate", "--here takes no version", found=version, hint="leave one of them out"
        )
    if explain:
        _explain(Path.cwd(), version, accept_change, here=here)
        return
    verdict = _judged(Path.cwd(), version, accept_change, here=here, keep=True)
    typer.echo(table(verdict))
    verdict.require()
    promotion = f"promote it: modemap promote {verdict.version}"
    typer.echo(f"{verdict.name} passed; {'nothing was registered' if here else promotion}")


def _explain(root: Path, version: int | None, accept_change: str | None, *, here: bool) -> None:
    """Print the kept verdict in full, else one that is given now and not kept."""
    from modemap.lifecycle.verdict import kept_verdict  # noqa: PLC0415

    kept = kept_verdict(root, version) if accept_change is None and not here else None
    verdict = kept or _judged(root, version, accept_change, here=here, keep=False)
    typer.echo(verdict.explain())
    verdict.require()
    said = f"kept with it; `modemap gate {verdict.version}` judges anew" if kept else "nothing kept"
    typer.echo(f"{verdict.name} passed; {said}")


def _judged(
    root: Path, version: int | None, accept_change: str | None, *, here: bool, keep: bool
) -> "Verdict":
    from modemap.lifecycle.gate import gate as gate_version  # noqa: PLC0415
    from modemap.lifecycle.gate import gate_here  # noqa: PLC0415

    if here:
        return gate_here(root, accept_change, keep=keep)
    return gate_version(root, version, accept_change, keep=keep)


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
