"""Rows over the processes of a Dask cluster: one task for each of them and pass."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from modemap.engine.problems import IDLE_SECONDS, lost, other_version, told, workerless
from modemap.engine.worker import Answer, Run, forget, identity, work_on
from modemap.estimators.batches import Spread
from modemap.estimators.blocks import Blocks, Numbered

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskEngine"]

Result = TypeVar("Result")
Work = Callable[[Iterator[Numbered]], Result]
Tell = Callable[[int, int, int], None]  # pass, blocks done, of how many

LOOK_SECONDS = 5.0  # between two looks at workers while a pass runs
LIMIT = "distributed.admin.large-graph-warning-threshold"
LARGE = "1 GiB"  # that work may take before Dask warns: a map of a million units takes that


class DaskEngine:
    """Spreads rows over the workers of a cluster.

    Every worker reads its own rows, keeps what it read, and answers a pass with one message. The
    work on a worker that dies is done by another: which one it was changes no digit.

    Parameters
    ----------
    client : distributed.Client
        Connected to a cluster whose workers have this very version of the package.
    room : int, optional
        Bytes of rows that each worker keeps between passes; half of what Dask grants it if None.
    tell : callable, optional
        Called with the number of the pass, how many blocks are done, and how many there are.
    """

    def __init__(self, client: "Client", room: int | None = None, tell: Tell | None = None) -> None:
        self._client, self._room, self._tell = client, room, tell
        self._topic = f"modemap-{uuid.uuid4().hex}"
        self._n_passes = self._n_done = self._n_blocks = 0
        self._names: set[str] = set()  # of rows that workers may have kept
        if tell is not None:
            client.subscribe_topic(self._topic, self._hear)

    def spread(self, rows: Any) -> Spread:
        """Return rows as estimators take them.

        Parameters
        ----------
        rows : Blocks, dask.array.Array or dask.dataframe.DataFrame
            Blocks are read by the workers, who must find the same files. A collection is computed
            once; its partitions stay on the workers.
        """
        if isinstance(rows, Blocks):
            return _SpreadBlocks(self, rows)
        return _SpreadParts(self, *self._computed(rows))

    def runs(
        self,
        payload: bytes,
        run: Run,
        parts_of: Callable[[int, int], Sequence["Future"]] | None = None,
    ) -> Iterator[Any]:
        """Yield the answers to all blocks of ``run``, which each worker gets some of."""
        import dask  # noqa: PLC0415

        self._n_passes += 1
        self._n_done, self._n_blocks = 0, len(run.cuts) - 1
        with told(self._client), dask.config.set({LIMIT: LARGE}):
            submits = [
                (partial(self._submit, payload, part, parts_of), worker)
                for part, worker in _shared_out(run, self._workers())
            ]
            futures = [submit(workers=[w], allow_other_workers=True) for submit, w in submits]
            answers = [
                self._answer(future, again)
                for future, (again, _) in zip(futures, submits, strict=True)
            ]
        yield from (answer.result for answer in answers)

    def _submit(
        self,
        payload: bytes,
        run: Run,
        parts_of: Callable[[int, int], Sequence["Future"]] | None,
        **where: Any,
    ) -> "Future":
        parts = None if parts_of is None else list(parts_of(run.cuts[0], run.cuts[-1]))
        key = f"modemap-{uuid.uuid4().hex}"
        return self._client.submit(work_on, payload, run, parts, key=key, pure=False, **where)

    def fetched(self, future: "Future") -> Any:
        """Return what the cluster holds."""
        with told(self._client):
            return self._awaited(future)

    def new_run(self, rows: str, cuts: Sequence[int], weights: NDArray[np.float64] | None) -> Run:
        """Return all blocks as one run."""
        self._names.add(rows)
        return Run(rows, 0, tuple(cuts), weights, self._room, self._topic, identity())

    def close(self) -> None:
        """Let the workers forget all rows, where they go on."""
        with suppress(OSError):  # where they do not
            self._client.run(forget, list(self._names))

    def _answer(self, future: "Future", again: Callable[[], "Future"]) -> Answer:
        answer: Answer = self._awaited(future, again)
        if answer.identity != identity():
            raise other_version("a Dask worker that came later", answer.identity)
        return answer

    def _awaited(self, future: "Future", again: Callable[[], "Future"] | None = None) -> Any:
        """Return a result, or give up on a cluster that does nothing.

        Dask gives what was pinned to a dead worker to another that is there, but not, if that was
        the last one, to those that come later: then ``again`` asks for it without a pin.
        """
        idle_since = None
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.status == "error":  # by now, or the work's own time-out
                    return future.result()
            now, workers = time.monotonic(), self._client.nthreads()
            if any(self._client.processing().values()):
                idle_since = None
                continue
            idle_since = idle_since or now
            if workers and again is not None and future.status == "pending":
                future, again = again(), None
            elif now - idle_since > IDLE_SECONDS:
                raise lost(self._client) if workers else workerless(self._client)

    def _workers(self) -> list[str]:
        """Return the address of each worker, as often as it has threads."""
        n_threads = self._client.nthreads()
        if not n_threads:
            try:
                self._client.wait_for_workers(1, timeout=IDLE_SECONDS)
            except TimeoutError:
                raise workerless(self._client) from None
            n_threads = self._client.nthreads()
        return [address for address in sorted(n_threads) for _ in range(n_threads[address])]

    def _computed(self, rows: Any) -> tuple[list["Future"], list[int]]:
        """Return the partitions of a collection on the workers, neighbours together, and sizes."""
        if hasattr(rows, "rechunk"):
            rows = rows.rechunk({1: -1})
        if not hasattr(rows, "to_delayed"):
            raise TypeError(f"rows must be Blocks or a Dask collection, got {type(rows).__name__}")
        delayed = np.ravel(np.asarray(rows.to_delayed(), object)).tolist()
        with told(self._client):
            workers = self._workers()
            futures = [
                self._client.compute(
                    part, workers=[workers[i * len(workers) // len(delayed)]],
                    allow_other_workers=True,
                )
                for i, part in enumerate(delayed)
            ]  # fmt: skip
            sizes = self._client.map(len, futures, pure=False)
            return futures, [self._awaited(size) for size in sizes]

    def _hear(self, event: tuple[float, int]) -> None:
        self._n_done += event[1]
        if self._tell is not None:
            self._tell(self._n_passes, min(self._n_done, self._n_blocks), self._n_blocks)


class _SpreadBlocks:
    """Rows that workers read for themselves."""

    def __init__(self, engine: DaskEngine, blocks: Blocks) -> None:
        self.n_rows, self._engine, self._blocks = blocks.n_rows, engine, blocks
        self._name = uuid.uuid4().hex

    def batches(self) -> Iterator[NDArray[Any]]:
        """Return the rows in parts, read here."""
        return self._blocks.batches()

    def runs(
        self,
        work: Work[Result],
        cuts: Sequence[int],
        weights: NDArray[np.float64] | None = None,
    ) -> Iterable[Result]:
        """Return what ``work`` makes of each worker's run of blocks."""
        run = self._engine.new_run(self._name, cuts, weights)
        return self._engine.runs(_pickled(self._blocks.read, work), run)


class _SpreadParts:
    """Rows that the cluster holds: the partitions of a collection."""

    def __init__(self, engine: DaskEngine, parts: list["Future"], sizes: list[int]) -> None:
        self._engine, self._parts = engine, parts
        self._starts = [0, *accumulate(sizes)]
        self.n_rows = self._starts[-1]
        self._name = uuid.uuid4().hex

    def batches(self) -> Iterator[Any]:
        """Yield the partitions that have rows, as they are."""
        for part, (start, stop) in zip(self._parts, pairwise(self._starts), strict=True):
            if start < stop:
                yield self._engine.fetched(part)

    def runs(
        self,
        work: Work[Result],
        cuts: Sequence[int],
        weights: NDArray[np.float64] | None = None,
    ) -> Iterable[Result]:
        """Return what ``work`` makes of each worker's run of blocks."""
        run = self._engine.new_run(self._name, cuts, weights)
        payload = _pickled(partial(_within, self._starts), work)
        return self._engine.runs(payload, run, self._between)

    def _between(self, start: int, stop: int) -> list["Future"]:
        """Return the partitions that hold the rows from start to stop."""
        first, last = _overlapping(self._starts, start, stop)
        return self._parts[first:last]


def _overlapping(starts: Sequence[int], start: int, stop: int) -> tuple[int, int]:
    first = int(np.searchsorted(starts, start, side="right")) - 1
    return first, int(np.searchsorted(starts, stop, side="left"))


def _within(starts: Sequence[int], start: int, stop: int) -> tuple[int, int]:
    """Return where rows begin and end among those of the partitions that hold them."""
    first, _ = _overlapping(starts, start, stop)
    return start - starts[first], stop - starts[first]


def _pickled(*parts: Any) -> bytes:
    from cloudpickle import dumps  # noqa: PLC0415

    pickled: bytes = dumps(parts)
    return pickled


def _shared_out(run: Run, workers: Sequence[str]) -> Iterator[tuple[Run, str]]:
    """Yield neighbouring blocks and the worker that gets them, as evenly as they go."""
    n_blocks, n = len(run.cuts) - 1, len(workers)
    bounds = [n_blocks * i // n for i in range(n + 1)]
    for worker, (first, last) in zip(workers, pairwise(bounds), strict=True):
        if first < last:
            cuts, weights = run.cuts[first : last + 1], run.weights
            if weights is not None:
                weights = weights[cuts[0] : cuts[-1]]
            yield run._replace(first=first, cuts=cuts, weights=weights), worker
