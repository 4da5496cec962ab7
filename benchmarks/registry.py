"""How long the registry takes: the gate, a promotion, `modemap status`, a long history."""

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bars import Bar
from modemap.lifecycle.gate import gate
from modemap.lifecycle.history import PROMOTION, Head, History, describe, step
from modemap.lifecycle.rules import NOT_CHECKABLE
from modemap.lifecycle.status import status
from modemap.lifecycle.verify import verify
from modemap.orchestration.environment import tool_environment
from modemap.params import load_params
from modemap.tracking.registry import Registry
from modemap.tracking.store import Store, open_store

__all__ = ["lengthen", "measure"]

AGAIN = 5
N_ROWS, N_ENTRIES = 100_000, 10_000


def measure() -> list[Bar]:
    """Promote a release in a clone of this checkout, and measure what is asked of its registry."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "modemap")
        subprocess.run(["git", "clone", "-q", ".", str(root)], check=True)
        _run(["modemap", "run"], root)
        project = load_params(root / "params.yaml").project
        opening = min(_times(lambda: open_store(root, project)))
        cold = _times(lambda: _run(["modemap", "status"], root))
        asking = _times(lambda: status(root))
        promoting = _times(lambda: _promote(root, project))
        _repeat_rows(root / "data" / "prepared" / "test")
        gating = _times(lambda: _gate(root))
        store = open_store(root, project)
        lengthen(root, store, N_ENTRIES)
        verifying = _times(lambda: verify(root).require(), 3)
    return [
        Bar(f"gate on {N_ROWS:,} rows, best of {AGAIN}", min(gating), 5, "s", gating),
        Bar("modemap status, a new process, best of 5", min(cold), 3.5, "s", cold),
        Bar("the same beyond import and connecting", min(asking) - opening, 0.3, "s", asking),
        Bar(
            "a promotion beyond import and connecting",
            min(promoting) - opening,
            0.3,
            "s",
            promoting,
        ),
        Bar(f"verify a history of {N_ENTRIES:,}, best of 3", min(verifying), 5, "s", verifying),
    ]


def lengthen(root: Path, store: Store, n_entries: int) -> None:
    """Write promotions of version 1 into the database until the history has ``n_entries``.

    Row by row as MLflow would, which would take minutes.
    """
    registry = Registry(store)
    history = History(registry)
    head, said = history.head(), _said(registry)
    name = history.entries.name
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM model_versions WHERE name = ? AND version = ?"
        pattern = dict(connection.execute(query, (name, head.number)).fetchone())
        query = "SELECT * FROM model_version_tags WHERE name = ? AND version = ?"
        tag = dict(connection.execute(query, (name, head.number)).fetchone())
        for number in range(head.seen + 1, n_entries + 1):
            tags = said | _own(head, number)
            head = step(head, number, tags)
            _insert(connection, "model_versions", pattern | {"version": number})
            for key, value in tags.items():
                row = tag | {"version": number, "key": key, "value": value}
                _insert(connection, "model_version_tags", row)
        connection.commit()


def _said(registry: Registry) -> dict[str, str]:
    version = registry.get(1)
    verdict = version.verdict
    if verdict is None:
        raise SystemExit("version 1 has no verdict")
    return describe(version, kind=PROMOTION, verdict=verdict["sha256"], why="a benchmark")


def _own(head: Head, number: int) -> dict[str, str]:
    return {
        "id": f"{number:032x}",
        "expected": str(head.number),
        "from": str(head.champion or 0),
        "prev_digest": head.link,
    }


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 (columns)
    connection.execute(statement, tuple(row.values()))


def _promote(root: Path, project: str) -> None:
    registry = Registry(open_store(root, project))
    history = History(registry)
    history.promote(history.head(), _said(registry))


def _gate(root: Path) -> None:
    """Judge version 1 beside itself, the champion; every rule must have had what it asks for."""
    unasked = [r.rule for r in gate(root, 1).results if r.outcome == NOT_CHECKABLE]
    if unasked:
        raise SystemExit(f"the gate could not check {', '.join(unasked)}")


def _repeat_rows(folder: Path) -> None:
    """Leave ``N_ROWS`` test rows in one file of ``folder``, the rows there again and again."""
    first, *others = sorted(folder.glob("*.parquet"))
    table = pa.concat_tables(pq.read_table(path) for path in (first, *others))
    for path in others:
        path.unlink()
    times = -(-N_ROWS // len(table))
    pq.write_table(pa.concat_tables([table] * times).slice(0, N_ROWS), first)


def _times(work: Callable[[], object], n: int = AGAIN) -> list[float]:
    seconds = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def _run(command: list[str], root: Path) -> None:
    done = subprocess.run(
        command, cwd=root, env=tool_environment(root), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
