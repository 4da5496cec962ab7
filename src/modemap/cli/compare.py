"""`modemap compare`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modemap.lifecycle.compare import ChangedRow, Compared

__all__ = ["compare"]

NAME = "A version, `champion`, `here`, a git revision, or the beginning of a digest or run."


def compare(
    first: Annotated[str, typer.Argument(help=NAME)],
    second: Annotated[str, typer.Argument(help=NAME)] = "here",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page here, the maps side by side.")
    ] = None,
) -> None:
    """Say in what two releases differ: settings, data, metrics, and the rows they see otherwise.

    Example: modemap compare champion here --report comparison.html
    """
    from modemap.lifecycle.compare import (  # noqa: PLC0415  # help stays fast
        compare_releases,
        write_comparison,
    )

    found = compare_releases(Path.cwd(), first, second)
    if report is not None:
        write_comparison(report, found)
    if as_json:
        typer.echo(json.dumps(found.facts, indent=2, sort_keys=True, default=str))
    else:
        typer.echo("\n".join(_lines(found)))


def _lines(found: "Compared") -> Iterator[str]:
    first, second = found.names
    yield f"{second} beside {first}, on {found.n_rows:,} test rows"
    if found.digests[0] == found.digests[1]:
        yield "  they are one release"
    yield ""
    yield f"{'':<20}{first:>18}{second:>18}  difference [95 % interval]"
    for name, pair, change in (
        ("quantization error", found.quantization_error, found.error_change),
        ("log-likelihood", found.log_likelihood, found.likelihood_change),
    ):
        yield f"{name:<20}{pair[0]:>18.4g}{pair[1]:>18.4g}  {change}"
    both, only_first, only_second = found.unusual
    yield ""
    yield (
        f"segments     {found.moved_share:.1%} of the rows changed segment; "
        f"adjusted Rand index {found.segment_agreement:.3f}"
    )
    yield (
        f"places       agree by {found.map_agreement:.3f} once the maps are turned alike; "
        "1 is the same, 0 unrelated"
    )
    yield (
        f"unusual      {both:,} rows by both, {only_first:,} by {first} alone, "
        f"{only_second:,} by {second} alone"
    )
    for name, (before, after) in found.params.items():
        yield f"setting      {name}: {before} -> {after}"
    for name, sources in zip(found.names, found.batches, strict=True):
        for source in sources:
            yield f"data         {source}: {name} alone"
    if found.changed:
        yield ""
        yield "rows whose percentile changed most"
        yield from (_row(row) for row in found.changed)


def _row(row: "ChangedRow") -> str:
    key = ", ".join(f"{name} {value}" for name, value in row.key.items())
    before, after = row.percentiles
    return f"  {before:6.2f} -> {after:6.2f}  segment {row.segments[0]} -> {row.segments[1]}  {key}"
