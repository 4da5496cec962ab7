"""`modemap explain`."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modemap.cli.compare import NAME
from modemap.errors import ParamsError

if TYPE_CHECKING:
    from modemap.lifecycle.explain import (
        ColumnShare,
        Component,
        ExplainedRelease,
        ExplainedRow,
        ExplainedRows,
        ExplainedSegment,
        ExplainedUnit,
    )
    from modemap.reporting.story import Contrast, Mode

__all__ = ["explain"]

WIDTH = 16  # of a column's name
N_CONTRASTS = 4  # columns that describe rows, as many as in the report
N_COLUMNS = 3  # that describe a component
LEAST = 0.001  # weight of a component that is told by itself


def explain(
    version: Annotated[str, typer.Argument(help=NAME)] = "here",
    unit: Annotated[
        str | None, typer.Option(help="A unit of the map instead: its number, or ROW,COLUMN.")
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(help="The first 20 rows of a file, folder, glob or query instead."),
    ] = None,
    maps: Annotated[
        int, typer.Option(help="Maps of other seeds that segments are looked for in; 0: none.")
    ] = 5,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what a release found: segments and modes, what a unit stands for, or why rows are odd.

    Rows are compared with those prepared in the checkout.

    Example: modemap explain here --unit 17
    """
    from modemap.lifecycle.explain import (  # noqa: PLC0415  # help stays fast
        explain_release,
        explain_rows,
        explain_unit,
    )

    if unit is not None and rows is not None:
        raise ParamsError(
            "--unit and --rows",
            "explain one thing at a time",
            found="both",
            hint="leave one of them out",
        )
    root = Path.cwd()
    if unit is not None:
        in_unit = explain_unit(root, unit, version)
        _say(in_unit, _unit(in_unit), as_json)
    elif rows is not None:
        in_rows = explain_rows(root, rows, version)
        _say(in_rows, _rows(in_rows), as_json)
    else:
        found = explain_release(root, version, n_maps=maps)
        _say(found, _release(found), as_json)


def _say(found: Any, lines: Iterator[str], as_json: bool) -> None:
    if as_json:
        plain = _plain(asdict(found))
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join(lines))


def _plain(value: Any) -> Any:
    """Return ``value`` with null for what is not known, which JSON has no number for."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _release(found: "ExplainedRelease") -> Iterator[str]:
    from modemap.reporting.words import count  # noqa: PLC0415

    yield (
        f"{found.name}, {found.digest[:12]}: {count(found.rows, 'row')} on "
        f"{count(found.n_units, 'unit')} in {count(len(found.segments), 'segment')}"
    )
    for segment in found.segments:
        yield from _segment(segment)
    yield ""
    yield f"delta is Cliff's, over {count(found.n_sample, 'row')}: 1 if all values are higher"
    if found.n_maps:
        yield (
            f"stability is the overlap (Jaccard) with the best match in {found.n_maps} maps of "
            f"other seeds, each fitted to a bootstrap of {count(found.n_fitted, 'training row')}"
        )
    yield ""
    yield "modes of the columns: share of values, mean ± standard deviation"
    for name, modes in found.modes.items():
        yield from _modes(name, modes)
    yield ""
    yield "components of the density: share, and where they lie apart from the others"
    told = [component for component in found.components if component.weight >= LEAST]
    for component in told:
        yield _component(component)
    if len(told) < len(found.components):
        yield f"    {len(found.components) - len(told)} more have less than 0.1 % each"


def _segment(segment: "ExplainedSegment") -> Iterator[str]:
    from modemap.reporting.words import count, percent  # noqa: PLC0415

    yield ""
    yield (
        f"segment {segment.number}: {count(segment.rows, 'row')}, {percent(segment.share)}, on "
        f"{count(segment.n_units, 'unit')}"
    )
    yield f"  {segment.sentence}"
    yield from _contrasts(segment.contrasts)
    if segment.recovered:
        known = [value for value in segment.recovered if math.isfinite(value)]
        span = f" {segment.stability:.2f}, {min(known):.2f} to {max(known):.2f}" if known else ""
        yield f"  stability{span}: {segment.held}"


def _contrasts(contrasts: Sequence["Contrast"]) -> Iterator[str]:
    from modemap.reporting.words import number, strength  # noqa: PLC0415

    for contrast in [contrast for contrast in contrasts if strength(contrast)][:N_CONTRASTS]:
        yield (
            f"    {contrast.column:<{WIDTH}} delta {_two(contrast.effect)}  "
            f"median {number(contrast.inside)}, others {number(contrast.outside)}"
        )


def _modes(name: str, modes: Sequence["Mode"]) -> Iterator[str]:
    from modemap.reporting.words import count, number, percent  # noqa: PLC0415

    largest = max(modes, key=lambda mode: mode.weight)
    yield (
        f"  {name}: {count(len(modes), 'mode')}, the largest {percent(largest.weight)} around "
        f"{number(largest.mean)}"
    )
    for mode in modes:
        yield f"    {percent(mode.weight):>7}  around {number(mode.mean)} ± {number(mode.std)}"


def _component(component: "Component") -> str:
    from modemap.reporting.story import Contrast  # noqa: PLC0415
    from modemap.reporting.words import number, percent, strength  # noqa: PLC0415

    parts = []
    for column in component.columns[:N_COLUMNS]:
        word = strength(Contrast(column.column, column.effect, column.mean, math.nan))
        if word:
            parts.append(f"{column.column} {word} ({number(column.mean)} ± {number(column.std)})")
    said = ", ".join(parts) or "like the others in every column"
    return f"    {percent(component.weight):>7}  {said}"


def _unit(found: "ExplainedUnit") -> Iterator[str]:
    from modemap.reporting.words import count, number, percent  # noqa: PLC0415

    yield (
        f"unit {found.unit} (row {found.row}, column {found.column}) of {found.name}, "
        f"{found.digest[:12]}"
    )
    yield (
        f"  {count(found.rows, 'row')}, {percent(found.share)} of all; in segment {found.segment}"
    )
    yield f"  {found.sentence}"
    yield ""
    yield f"  {'column':<{WIDTH}} {'unit':>10} {'median':>10} {'others':>10} {'delta':>6}"
    by_name = {contrast.column: contrast for contrast in found.contrasts}
    for name, contrast in by_name.items():
        yield (
            f"  {name:<{WIDTH}} {number(found.prototype[name]):>10} "
            f"{number(contrast.inside):>10} {number(contrast.outside):>10} "
            f"{_two(contrast.effect):>6}"
        )
    yield "  unit: its value in the codebook; medians of its rows and of all others; Cliff's delta"
    yield ""
    yield "neighbours, by their distance in robust units"
    for beside in found.neighbors:
        yield (
            f"  {number(beside.distance):>8}  unit {beside.unit} (row {beside.row}, column "
            f"{beside.column}), segment {beside.segment}, {count(beside.rows, 'row')}"
        )


def _rows(found: "ExplainedRows") -> Iterator[str]:
    from modemap.reporting.words import count  # noqa: PLC0415

    yield f"{count(len(found.rows), 'row')} by {found.name}, {found.digest[:12]}"
    for row in found.rows:
        yield ""
        yield from _row(row)
    yield ""
    yield "nats add up to minus the log-likelihood; beyond: more than in a usual training row"
    yield "squared adds up to the squared distance to the unit, in robust units"


def _row(row: "ExplainedRow") -> Iterator[str]:
    from modemap.reporting.words import number, short  # noqa: PLC0415

    yield ", ".join(f"{name} {short(value)}" for name, value in row.key.items()) or "a row"
    if row.not_scored is not None or row.anomaly_percentile is None or row.distance is None:
        yield f"  not explained: {row.not_scored}"
        return
    yield (
        f"  less likely than {row.anomaly_percentile:.4g} % of the training rows; unit {row.unit}, "
        f"segment {row.segment}, {number(row.distance)} away"
    )
    yield f"  {row.sentence}"
    yield f"  {'column':<{WIDTH}} {'value':>10} {'nats':>7} {'beyond':>7} {'squared':>9}"
    for column in row.columns:
        said = column.place or "seen by the map alone"
        missing = "; was missing, so it is the training rows' median" if column.was_missing else ""
        yield _shares(column.column, number(column.value), [column]) + f"  {said}{missing}"
    yield _shares("together", "", row.columns)


def _shares(name: str, value: str, columns: Sequence["ColumnShare"]) -> str:
    """Return what ``columns`` add up to as a line of the table."""
    from modemap.reporting.words import number, signed  # noqa: PLC0415

    nats = [column.nats for column in columns if column.nats is not None]
    beyond = [column.beyond for column in columns if column.beyond is not None]
    told = " ".join(f"{signed(sum(part)) if part else '':>7}" for part in (nats, beyond))
    squared = number(round(sum(column.squared for column in columns), 2))
    return f"  {name:<{WIDTH}} {value:>10} {told} {squared:>9}"


def _two(value: float) -> str:
    from modemap.reporting.words import number  # noqa: PLC0415

    return number(value) if math.isnan(value) else f"{value:+.2f}".replace("-", "−")  # noqa: RUF001
