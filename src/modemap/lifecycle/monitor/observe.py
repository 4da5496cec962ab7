"""Count a table column by column while it is being read: two threads count, a third reads."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modemap.data.derived import listed_texts
from modemap.data.intake import Intake
from modemap.estimators.preparation import Preparation
from modemap.monitoring.levels import MAX_LEVELS, Levels
from modemap.monitoring.models import see
from modemap.monitoring.profile import MAX_SAMPLE, Observed
from modemap.release import Release
from modemap.sketch import ColumnSketch

__all__ = ["LOGGED", "LOGGED_REQUEST", "Wanted", "observe", "wanted_of"]

FloatArray = NDArray[np.float64]

LOGGED = "modemap_"  # begins the names of what the prediction log adds to the columns of a row
LOGGED_REQUEST = f"{LOGGED}request"  # a column of every file of it
N_THREADS = 2
WAITING = 2  # pieces that are read ahead of each thread

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_LEVELS = (pa.types.is_string, pa.types.is_boolean)


@dataclass(frozen=True)
class Wanted:
    """The columns that are compared."""

    numbers: Sequence[str]
    levels: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)  # and why
    is_whole: bool = False  # whether other columns of the window are worth telling


def wanted_of(schema: pa.Schema, columns: Sequence[str] | None) -> Wanted:
    """Return which columns of a table can be compared: numbers, texts and booleans."""
    fields = [
        field
        for field in schema
        if (columns is None and not field.name.startswith(LOGGED)) or field.name in (columns or ())
    ]
    numbers = [f.name for f in fields if _is_any(f.type, (*_NUMBERS, pa.types.is_null))]
    levels = [f.name for f in fields if _is_any(f.type, _LEVELS)]
    other = {f.name: str(f.type) for f in fields if f.name not in (*numbers, *levels)}
    return Wanted(numbers, levels, other, is_whole=columns is None)


def observe(tables: Iterable[pa.Table], wanted: Wanted, release: Release | None = None) -> Observed:
    """Count the wanted columns of all tables.

    With a release, values are counted as its models see them: rows that its preparation drops are
    left out, and missing values filled.
    """
    seen = Observed(
        numbers={name: ColumnSketch() for name in wanted.numbers},
        levels={name: Levels() for name in wanted.levels},
        n_missing=dict.fromkeys((*wanted.numbers, *wanted.levels), 0),
        extra=dict(wanted.left_out),
        sampled=list(release.columns if release else wanted.numbers),
    )
    rows = _Rows(wanted, release)
    with ExitStack() as stack:
        queues = [_Queue(stack.enter_context(ThreadPoolExecutor(1))) for _ in range(N_THREADS)]
        for table in tables:
            if not seen.n_rows:
                _check_columns(table.schema, wanted, seen)
            seen.n_rows += len(table)
            columns = rows.columns(table, seen)
            for queue, names in zip(queues, _dealt(list(columns), len(queues)), strict=True):
                queue.put(_count, {name: columns[name] for name in names}, seen)
            _count_levels(table, wanted, seen, rows.categories)
        for queue in queues:
            queue.join()
    seen.sample = rows.sample()
    if release is not None and not seen.broken and len(seen.sample):
        seen.models = see(release, seen.sample)
    return seen


class _Queue:
    """Work that one thread does in order, a few pieces behind the reader."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._waiting: list[Future[None]] = []

    def put(self, work: Callable[..., None], *arguments: object) -> None:
        while len(self._waiting) >= WAITING:
            self._waiting.pop(0).result()
        self._waiting.append(self._pool.submit(work, *arguments))

    def join(self) -> None:
        for done in self._waiting:
            done.result()


class _Rows:
    """The rows as the models see them, and an even sample of them."""

    def __init__(self, wanted: Wanted, release: Release | None) -> None:
        self._names, self._release = list(wanted.numbers), release
        self._intake = Intake(release) if release else None
        self._parts: list[FloatArray] = []
        self._step, self._next, self._n_sampled = 1, 0, 0
        self._n_columns = len(release.columns if release else wanted.numbers)

    @property
    def categories(self) -> Mapping[str, Sequence[str]]:
        """Return the levels that the release lists of its categories."""
        return self._intake.categories if self._intake else {}

    def columns(self, table: pa.Table, seen: Observed) -> dict[str, FloatArray]:
        """Return the columns of one table to count, and take rows of it into the sample."""
        columns = {}
        for name in self._names:
            if name not in seen.broken:
                seen.n_missing[name] += table[name].null_count
                columns[name] = _floats(table[name])
        if self._release is None:
            self._take(table, columns, np.arange(len(table)))
            return columns
        return self._prepared(table, columns, self._release.preparation)

    def sample(self) -> FloatArray:
        """Return the sampled rows, (n_sample, n_columns)."""
        return np.concatenate([np.empty((0, self._n_columns)), *self._parts])

    def _prepared(
        self, table: pa.Table, columns: dict[str, FloatArray], preparation: Preparation
    ) -> dict[str, FloatArray]:
        """Drop rows and fill values as the preparation says."""
        is_missing = {name: np.isnan(x) for name, x in columns.items() if table[name].null_count}
        filled = dict(zip(preparation.columns, preparation.fill_, strict=True))
        kept = np.ones(len(table), bool)
        for name, absent in is_missing.items():
            if preparation.missing[name] == "median":
                columns[name] = np.where(absent, filled[name], columns[name])
            else:
                kept &= ~absent
        if kept.all():
            self._take(table, columns, np.arange(len(table)))
            return columns
        self._take(table, columns, np.flatnonzero(kept))
        return {name: x[kept] for name, x in columns.items()}

    def _take(
        self, table: pa.Table, columns: Mapping[str, FloatArray], rows: NDArray[np.intp]
    ) -> None:
        if self._release is not None and len(columns) < len(self._names):
            return  # the models see whole rows only
        picked = rows[(-self._next) % self._step :: self._step]
        self._next += len(rows)
        nothing = np.full(len(table), np.nan)
        X = [columns.get(name, nothing)[picked] for name in self._names]
        if self._intake is not None:
            X += self._intake.derived(table.take(pa.array(picked)))
        if not X:
            return
        self._parts.append(np.column_stack(X))
        self._n_sampled += len(picked)
        while self._n_sampled > MAX_SAMPLE:
            self._parts = [self.sample()[::2]]
            self._step, self._n_sampled = 2 * self._step, len(self._parts[0])


def _floats(column: pa.ChunkedArray) -> FloatArray:
    kind = column.type
    if pa.types.is_null(kind) or not pa.types.is_float64(kind):
        column = column.cast(pa.float64(), safe=False)
    return np.asarray(column.to_numpy(), np.float64)


def _count(columns: Mapping[str, FloatArray], seen: Observed) -> None:
    for name, values in columns.items():
        if name in seen.broken:
            continue
        try:
            seen.numbers[name].update(values)
        except ValueError as error:
            seen.broken[name] = str(error)


def _count_levels(
    table: pa.Table, wanted: Wanted, seen: Observed, listed: Mapping[str, Sequence[str]]
) -> None:
    for name in wanted.levels:
        levels = seen.levels[name]
        if name in seen.broken or len(levels.counts) > MAX_LEVELS:
            continue
        seen.n_missing[name] += table[name].null_count
        texts = listed_texts(name, table[name], listed.get(name, ()))
        found = pc.value_counts(texts.drop_null())
        levels.add({str(pair["values"]): pair["counts"].as_py() for pair in found})


def _check_columns(schema: pa.Schema, wanted: Wanted, seen: Observed) -> None:
    for name in (*wanted.numbers, *wanted.levels):
        if name not in schema.names:
            seen.broken[name] = "no such column in the window"
        elif name in wanted.numbers and not _is_any(
            schema.field(name).type, (*_NUMBERS, pa.types.is_null)
        ):
            seen.broken[name] = f"{schema.field(name).type} in the window, not numbers"
    known = {*wanted.numbers, *wanted.levels, *wanted.left_out}
    others = [n for n in schema.names if n not in known and not n.startswith(LOGGED)]
    others = others if wanted.is_whole else []
    seen.extra.update(dict.fromkeys(others, "only the window has it"))


def _is_any(kind: pa.DataType, checks: Sequence[Callable[[pa.DataType], bool]]) -> bool:
    return any(check(kind) for check in checks)


def _dealt(names: Sequence[str], n_hands: int) -> Iterator[list[str]]:
    for hand in range(n_hands):
        yield list(names[hand::n_hands])
