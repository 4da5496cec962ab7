"""The prediction log: rows that were scored, and what was said of them, in small Parquet files.

A request only puts its rows into a queue. A thread of its own writes what waits there every
``flush_seconds``, so that much is what a kill can lose; files appear whole. What the disk does not
take waits; rows beyond the queue's bound are dropped and counted.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prometheus_client import CollectorRegistry, Counter, Gauge

from modemap.data.derived import level_texts
from modemap.files import staged_file
from modemap.lifecycle.monitor.observe import LOGGED
from modemap.params import LogParams
from modemap.release import Scores
from modemap.serving.retention import NAME_FORMAT, forget
from modemap.serving.rows import Rows
from modemap.serving.served import Served

__all__ = ["REQUEST_ID", "PredictionLog"]

log = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"
LONGEST_ID = 128  # characters that are kept of a caller's name for a request
TIDY_SECONDS = 60.0  # between two looks at what has become too old or too much


@dataclass(frozen=True)
class _Answered:
    """One request's rows."""

    at: float
    request: str
    served: Served
    rows: Rows
    scores: Scores
    kept: Any  # which rows: a slice, or a mask of a sample
    n_rows: int


class PredictionLog:
    """Keep scored rows in files of ``params.folder``.

    Parameters
    ----------
    params : LogParams
        With a folder, which need not exist yet.
    registry : CollectorRegistry
        Where written, waiting and dropped rows are counted.
    """

    def __init__(self, params: LogParams, registry: CollectorRegistry) -> None:
        self.params, self.registry = params, registry
        self.folder = Path(params.folder or "")
        self._waiting: list[_Answered] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._woken, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread()
        self._rng = np.random.default_rng()
        self._writer = uuid.uuid4().hex[:8]
        self._n_files, self._tidied, self._named = 0, -TIDY_SECONDS, ""
        self._written = Counter("modemap_log_rows", "Rows in the log's files.", registry=registry)
        self._dropped = Counter(
            "modemap_log_dropped_rows",
            "Rows that the log has lost because it was full or they could not be written.",
            registry=registry,
        )
        waiting = Gauge("modemap_log_waiting_rows", "Rows yet to be written.", registry=registry)
        waiting.set_function(lambda: self._n_waiting)
        self._is_failing = False
        failed = Gauge(
            "modemap_log_failed", "Whether the last file could not be written.", registry=registry
        )
        failed.set_function(lambda: self._is_failing)

    def put(self, served: Served, rows: Rows, scores: Scores, request: str | None) -> None:
        """Have the rows of a request written soon, or drop them; nothing is waited for."""
        kept, n_rows = self._sampled(len(rows.X))
        if not n_rows:
            return
        name = _printable(request) or uuid.uuid4().hex
        answered = _Answered(time.time(), name, served, rows, scores, kept, n_rows)
        with self._lock:
            if self._n_waiting + n_rows > self.params.queue_rows:
                self._dropped.inc(n_rows)
                return
            self._waiting.append(answered)
            self._n_waiting += n_rows
            is_much = 2 * self._n_waiting > self.params.queue_rows
        if is_much:
            self._woken.set()

    def start(self) -> None:
        """Begin to write."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._ending.set()
        self._woken.set()
        self._thread.join()

    def flush(self) -> bool:
        """Write what waits; tell whether the disk took it."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        while batch:
            n_together, table = self._table(batch)
            try:
                self._write(table)
            except OSError as error:
                self._tell(error)
                with self._lock:
                    self._waiting = batch + self._waiting
                return False
            with self._lock:
                self._n_waiting -= sum(part.n_rows for part in batch[:n_together])
            batch = batch[n_together:]
        return True

    def _run(self) -> None:
        while not self._ending.is_set():
            self._woken.wait(self.params.flush_seconds)
            self._woken.clear()
            if not self.flush():
                self._ending.wait(self.params.flush_seconds)
            self._tidy()
        self.flush()

    def _sampled(self, n_rows: int) -> tuple[Any, int]:
        if self.params.share == 1:
            return slice(None), n_rows
        mask = self._rng.random(n_rows) < self.params.share
        return mask, int(mask.sum())

    def _table(self, batch: Sequence[_Answered]) -> tuple[int, pa.Table | None]:
        """Return how many requests at the front fit into one table, and it; None if none fits."""
        _, together = next(groupby(batch, key=_kind))
        parts = list(together)
        self._check_redacted(parts[0].served)
        try:
            return len(parts), _tabled(parts, self.params.redact)
        except pa.ArrowException as error:
            log.warning("%d requests cannot be logged: %s", len(parts), error)
            self._dropped.inc(sum(part.n_rows for part in parts))
            return len(parts), None

    def _write(self, table: pa.Table | None) -> None:
        if table is None:
            return
        name = f"{datetime.now(UTC):{NAME_FORMAT}}-{self._writer}-{self._n_files:06d}.parquet"
        with staged_file(self.folder / name) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        self._n_files += 1
        self._written.inc(table.num_rows)
        self._is_failing = False

    def _tell(self, error: OSError) -> None:
        if not self._is_failing:
            log.warning("%s cannot be written, rows wait: %s", self.folder, error.strerror)
        self._is_failing = True

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = time.monotonic()
        try:
            forget(self.folder, self.params.keep_days, self.params.max_bytes)
        except OSError as error:
            log.warning("%s cannot be tidied: %s", self.folder, error)

    def _check_redacted(self, served: Served) -> None:
        """Warn, once for each release, of a column to leave out that its rows do not have."""
        if served.digest == self._named:
            return
        self._named = served.digest
        unknown = [name for name in self.params.redact if name not in served.reader.columns]
        if unknown:
            log.warning("serve.log.redact: no row has %s", ", ".join(unknown))


def _tabled(parts: Sequence[_Answered], redacted: Sequence[str]) -> pa.Table:
    """Return the rows of requests that one release answered."""
    served = parts[0].served
    columns: dict[str, Any] = {
        "time": pa.array(
            np.concatenate([np.full(p.n_rows, int(p.at * 1e6)) for p in parts]),
            pa.timestamp("us", tz="UTC"),
        ),
        "request": [p.request for p in parts for _ in range(p.n_rows)],
        "version": pa.array([served.version] * sum(p.n_rows for p in parts), pa.int64()),
        "digest": [served.digest] * sum(p.n_rows for p in parts),
    }
    for name, said in _SAID.items():
        columns[name] = np.concatenate([getattr(p.scores, said)[p.kept] for p in parts])
    table = {LOGGED + name: values for name, values in columns.items()}
    table |= {name: inputs for name, inputs in _inputs(parts) if name not in redacted}
    return pa.table(table)


_SAID = {
    "unit": "units",
    "segment": "segments",
    "anomaly_percentile": "anomaly_percentile",
    "log_likelihood": "log_likelihood",
}


def _inputs(parts: Sequence[_Answered]) -> Iterator[tuple[str, pa.Array]]:
    """Yield name and values of each column of the rows as they came, a missing number as null."""
    reader = parts[0].served.reader
    X = np.concatenate([p.rows.X[p.kept] for p in parts])
    for j, name in enumerate(reader.numbers):
        yield name, pa.array(X[:, j], from_pandas=True)
    others = [(p.rows.others, p.kept) for p in parts if p.rows.others is not None]
    for name in reader.columns[len(reader.numbers) :]:
        chunks = []
        for table, kept in others:
            values = table[name] if name in reader.times else level_texts(table[name])
            is_whole = isinstance(kept, slice)
            chunks += (values if is_whole else values.filter(pa.array(kept))).chunks
        yield name, pa.chunked_array(chunks)


def _kind(part: _Answered) -> tuple[object, ...]:
    """Return what requests whose rows fit into one table have in common."""
    times = part.served.reader.times
    others = part.rows.others
    return id(part.served), *(others[name].type for name in times if others is not None)


def _printable(request: str | None) -> str | None:
    return request if request and request.isprintable() and len(request) <= LONGEST_ID else None
