"""`modemap drift`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modemap.monitoring.check import Check

__all__ = ["drift"]

EXIT_CODES = {False: 0, True: 4, None: 5}
WIDTH = 24


def drift(
    reference: Annotated[
        str, typer.Argument(help="A file, a glob of files, a version's number, or `champion`.")
    ],
    current: Annotated[str, typer.Argument(help="The rows to judge: a file or a glob of files.")],
    columns: Annotated[
        list[str] | None, typer.Option(help="Columns to compare, by commas; by default all.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page here.")] = None,
    rate: Annotated[
        float, typer.Option(help="Probability of a false alarm by chance, of a whole check.")
    ] = 0.01,
    min_effect: Annotated[
        float, typer.Option(help="Least population stability index that counts.")
    ] = 0.05,
) -> None:
    """Compare rows with a reference; exit with 0 without drift, 4 with, 5 if it cannot be told.

    Example: modemap drift champion february.parquet --report drift.html
    """
    from modemap.lifecycle.monitor.drift import drift as find_drift  # noqa: PLC0415  # help stays fast
    from modemap.lifecycle.monitor.drift import write_drift_report  # noqa: PLC0415
    from modemap.monitoring.plain import as_plain  # noqa: PLC0415

    names = [name for part in columns or () for name in part.split(",") if name] or None
    found = find_drift(Path.cwd(), reference, current, names, rate=rate, min_effect=min_effect)
    if report is not None:
        write_drift_report(report, found, reference, current)
    if as_json:
        typer.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo("\n".join(_lines(found)))
    raise typer.Exit(EXIT_CODES[found.drift])


def _lines(found: "Check") -> Iterator[str]:
    yield f"drift: {found.answer}"
    yield f"{found.n:,} rows beside {found.n_reference:,}"
    yield f"{'column':<{WIDTH}} {'answer':<14}{'psi':>9}{'by chance':>11}{'least':>8}"
    for column in found.columns:
        values = column.found.values
        threshold = values.threshold(column.level) if values and values.n_bins > 1 else None
        numbers = f"{_shown(values.psi if values else None):>9}{_shown(threshold):>11}"
        answer = "yes" if column.drift else "no" if column.drift is False else "not checkable"
        yield f"{column.name:<{WIDTH}} {answer:<14}{numbers}{found.min_effect:>8g}"
    for joint in found.joint:
        answer = "yes" if joint.drift else "no" if joint.drift is False else "not checkable"
        numbers = f"{_shown(joint.effect):>9}{_shown(joint.by_chance):>11}"
        yield f"{joint.name:<{WIDTH}} {answer:<14}{numbers}{found.min_effect:>8g}"
    for column in found.columns:
        yield from (f"{column.name}: {sentence}" for sentence in column.said)
    for joint in found.joint:
        yield from joint.said
    yield from (said for said in found.schema if said not in found.why)
    yield from (f"not checkable: {why}" for why in found.why)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
