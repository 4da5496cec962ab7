"""Look at rows that came since the last look: are they still like those of the champion.

A window is all that is new: files that are batches, each held to the contract first, or files of
the prediction log, whose rows the service has checked. What broke the contract, is excluded, or
cannot be checked never asks for a retraining.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from modemap.data.batches import write_batches
from modemap.data.contract import check_contract
from modemap.data.sources import source_pieces
from modemap.data.suite import read_suite
from modemap.errors import DataError, ParamsError
from modemap.lifecycle.monitor.drift import drift, write_drift_report
from modemap.lifecycle.monitor.findings import add_finding, read_findings, supersede
from modemap.lifecycle.monitor.looked import Looked
from modemap.lifecycle.monitor.observe import LOGGED_REQUEST
from modemap.lifecycle.monitor.windows import NewFile, Windows, digest_of
from modemap.lifecycle.status import Champion, status
from modemap.monitoring.check import ANSWERS, Check, unchecked
from modemap.monitoring.windows import k_of_n
from modemap.params import MonitorParams, Params, load_params
from modemap.tracking.registry import CHAMPION

__all__ = ["PAGE", "monitor"]

PAGE = Path("reports", "drift.html")
SHORT = 16


@dataclass
class _Window:
    """What there is to compare, and what of it there is not."""

    tables: str = ""  # a glob
    why: list[str] = field(default_factory=list)
    broken: list[NewFile] = field(default_factory=list)


def monitor(root: Path, source: str | None = None) -> Looked:
    """Judge what is new in ``source``, by default the one of the params; record what was found.

    Raises
    ------
    ParamsError
        If no source is named.
    RegistryError
        If the champion cannot be asked for.
    """
    params = load_params(root / "params.yaml")
    place = source or params.monitor.source or params.serve.log.folder
    if place is None:
        rule, hint = "must say where new rows are", "name a folder, or set serve.log.folder"
        raise ParamsError("params.yaml: monitor.source", rule, found="nothing", hint=hint)
    champion = status(root)
    if champion is None:
        return Looked(None, "not checkable: there is no champion yet")
    supersede(root, champion.version, champion.digest)
    windows = Windows.read(root)
    files = windows.new(place)
    if not files:
        return Looked(False, f"nothing new in {place}", champion.version)
    with tempfile.TemporaryDirectory(prefix="modemap-monitor-") as folder:
        window = _collect(root, Path(folder), files, params)
        found = _check(root, window, params)
    write_drift_report(root / PAGE, found, f"version {champion.version}", place)
    record = _record(files, found, champion.digest)
    if window.broken:  # the others are looked at without them the next time
        windows.keep(window.broken, record)
    elif found.drift is None and found.n < params.monitor.n_rows_min:
        said = f"not checkable: {found.n} new rows, they wait for others"
        return Looked(None, said, champion.version, record, found, page=PAGE)
    else:
        windows.keep(files, record)
    looked = Looked(record["answer"], "", champion.version, record, found, page=PAGE)
    answers = windows.answers(champion.digest)
    return _concluded(root, champion, answers, looked, params.monitor)


def _concluded(
    root: Path,
    champion: Champion,
    answers: Sequence[bool | None],
    looked: Looked,
    monitored: MonitorParams,
) -> Looked:
    """Record a finding if enough of the last windows drifted, this one among them."""
    record, found = looked.window, looked.check
    assert record is not None  # noqa: S101  # there was something new
    assert found is not None  # noqa: S101  # the same
    said, finding = f"drift: {ANSWERS[looked.answer]}", None
    if looked.answer and k_of_n(answers, monitored.k, monitored.n):
        is_open = [f.id for f in read_findings(root) if f.is_open and f.digest == champion.digest]
        if is_open:
            said += f"; finding {is_open[0]} is open"
        else:
            finding = add_finding(root, champion.version, champion.digest, record).id
            said += f"; finding {finding}"
    elif looked.answer:
        said += f"; {monitored.k} of the last {monitored.n} windows must drift before a finding"
    elif found.why:
        said += f": {found.why[0]}"
    return replace(looked, said=said, finding=finding)


def _collect(root: Path, folder: Path, files: Sequence[NewFile], params: Params) -> _Window:
    """Put the tables of the window into ``folder``; name what is broken."""
    if all(_is_logged(file.path) for file in files):
        for number, file in enumerate(files):
            (folder / f"{number:09d}.parquet").symlink_to(file.path.absolute())
        return _Window(f"{folder}/*.parquet")
    window = _Window(f"{folder}/*/*.parquet")
    for number, file in enumerate(files):
        try:
            why = _broken(root, folder / str(number), file, params)
        except DataError as error:
            why = " ".join(str(error).split())
        if why:
            window.why.append(why)
            window.broken.append(file)
    return window


def _broken(root: Path, folder: Path, file: NewFile, params: Params) -> str:
    """Write a file as batches; return what is wrong with them, or nothing."""
    pieces = source_pieces(str(file.path))
    manifest = write_batches(folder, pieces, params.ingest.exclude, params.ingest.partition_rows)
    name = file.path.name
    if manifest.excluded:
        return f"{name}: excluded by ingest.exclude"
    suite = read_suite(root / params.validate_.suite)
    for judgement in check_contract(folder, suite):
        if judgement.is_one and judgement.broken:
            rules = ", ".join(outcome.rule.type for outcome in judgement.broken[:3])
            return f"{name}: breaks the contract, {rules}"
    return ""


def _check(root: Path, window: _Window, params: Params) -> Check:
    rate, min_effect = params.monitor.rate, params.monitor.min_effect
    if window.broken:
        return replace(unchecked("", rate=rate, min_effect=min_effect), why=window.why)
    try:
        return drift(root, CHAMPION, window.tables, rate=rate, min_effect=min_effect)
    except DataError as error:
        return unchecked(" ".join(str(error).split()), rate=rate, min_effect=min_effect)


def _answer(found: Check) -> bool | None:
    """Return the answer; not checkable if any column is, since training may not take it."""
    return None if any(column.drift is None for column in found.columns) else found.drift


def _is_logged(path: Path) -> bool:
    """Tell whether a file is one of the prediction log."""
    if path.suffix != ".parquet":
        return False
    try:
        return LOGGED_REQUEST in pq.read_schema(path).names
    except (OSError, ValueError):  # Arrow's errors are of these
        return False


def _record(files: Sequence[NewFile], found: Check, champion: str) -> dict[str, Any]:
    digest = digest_of(files)
    return {
        "id": hashlib.sha256(f"{champion} {digest}".encode()).hexdigest()[:SHORT],
        "digest": digest,
        "when": datetime.now(UTC).isoformat(),
        "champion": champion,
        "files": [file.path.name for file in files[:SHORT]],
        "n_files": len(files),
        "n_rows": found.n,
        "answer": _answer(found),
        "columns": {c.name: c.psi for c in found.columns if c.drift},
        "joint": {j.name: j.effect for j in found.joint if j.drift},
        "why": found.why,
    }
