"""What runs in a process of the cluster: work on a run of blocks, and one answer for all of them.

Blocks that were read stay, as many as there is room for, so that the next pass need not read them.
"""

import functools
import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from itertools import groupby, pairwise
from pathlib import Path
from platform import python_version
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modemap.estimators.blas import one_blas_thread
from modemap.estimators.blocks import Numbered, Read, numbered, recut

__all__ = ["Answer", "Run", "forget", "identity", "processor", "rows_of", "work_on"]

PACKAGES = ("modemap", "numba", "numpy", "scikit-learn", "scipy")
TELLING_SECONDS = 0.5

Span = tuple[int, int]


class Run(NamedTuple):
    """Neighbouring blocks, and how to work on them."""

    rows: str  # which rows they are of
    first: int  # number of the first block
    cuts: tuple[int, ...]  # where they begin, and where the last one ends
    weights: NDArray[np.float64] | None
    room: int | None  # bytes of blocks to keep; None asks for half of what Dask grants
    topic: str  # under which to tell of finished blocks
    identity: dict[str, str]


class Answer(NamedTuple):
    """What one process says."""

    identity: dict[str, str]
    result: Any  # of a process of another identity, nothing


@functools.cache
def identity() -> dict[str, str]:
    """Return the versions on which the digits depend, and a digest of this package's sources."""
    sources, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(sources.rglob("*.py")):
        digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes())
    packages = {name: version(name) for name in PACKAGES}
    python = ".".join(python_version().split(".")[:2])
    return {**packages, "sources": digest.hexdigest()[:12], "python": python}


def work_on(payload: bytes, run: Run, parts: Sequence[Any] | None = None) -> Answer:
    """Return what the work in ``payload`` makes of the blocks of ``run``.

    Parameters
    ----------
    payload : bytes
        How to read rows, and what to do with blocks, pickled.
    run : Run
        Which blocks.
    parts : sequence of arrays or data frames, optional
        The rows, where the cluster holds them; else they are read.
    """
    if identity() != run.identity:
        return Answer(identity(), None)
    from cloudpickle import loads  # noqa: PLC0415  (comes with Dask)

    read, work = loads(payload)
    if parts is None:
        blocks = _kept.blocks(run.rows, read, run.cuts, run.room)
    else:
        first, last = read(run.cuts[0], run.cuts[-1])  # within the parts
        blocks = recut(_between(parts, first, last), np.diff(run.cuts).tolist())
    with one_blas_thread():
        result = work(_told(numbered(blocks, run.cuts, run.weights, run.first), run.topic))
    return Answer(run.identity, result)


def rows_of(part: Any) -> NDArray[Any]:
    """Return an array, or a data frame as one of its columns' common type of floats."""
    if not hasattr(part, "dtypes"):
        return np.asarray(part)
    kinds = [kind for kind in part.dtypes if isinstance(kind, np.dtype)]
    is_single = len(kinds) == len(part.dtypes) and np.result_type(*kinds) == np.float32
    dtype = np.float32 if is_single else np.float64
    rows: NDArray[Any] = np.ascontiguousarray(part.to_numpy(dtype=dtype, na_value=np.nan))
    return rows


def forget(rows: Collection[str]) -> None:
    """Keep no block of these rows any longer."""
    _kept.forget(rows)


def processor() -> str:
    """Return what kind of processor this is, in LLVM's words."""
    from llvmlite.binding import get_host_cpu_name  # noqa: PLC0415

    name: str = get_host_cpu_name()
    return name


def _between(parts: Sequence[Any], first: int, last: int) -> Iterator[NDArray[Any]]:
    start = 0
    for part in parts:
        low, high = max(first - start, 0), min(last - start, len(part))
        if low < high:
            yield rows_of(part)[low:high]
        start += len(part)


def _told(blocks: Iterator[Numbered], topic: str) -> Iterator[Numbered]:
    """Yield blocks, and tell now and then how many are done."""
    from distributed import get_worker  # noqa: PLC0415

    done, told = 0, time.monotonic()
    for block in blocks:
        yield block
        done += 1
        if time.monotonic() - told >= TELLING_SECONDS:
            get_worker().log_event(topic, done)
            done, told = 0, time.monotonic()


class _Kept:
    """Blocks that were read: first come, first kept, since every pass reads all of them."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, Span], NDArray[Any]] = {}
        self._lock = Lock()

    def blocks(
        self, rows: str, read: Read, cuts: Sequence[int], room: int | None
    ) -> Iterator[NDArray[Any]]:
        """Yield the blocks between ``cuts``, reading what is not at hand."""
        known = {span: self._blocks.get((rows, span)) for span in pairwise(cuts)}
        for is_kept, group in groupby(known, lambda span: known[span] is not None):
            spans = list(group)
            if is_kept:
                yield from (known[span] for span in spans)  # type: ignore[misc]
                continue
            sizes = [stop - start for start, stop in spans]
            fresh = recut(read(spans[0][0], spans[-1][1]), sizes)
            for span, block in zip(spans, fresh, strict=True):
                self._keep(rows, span, block, _granted() if room is None else room)
                yield block

    def forget(self, rows: Collection[str]) -> None:
        """Drop the blocks of these rows."""
        with self._lock:
            self._blocks = {key: block for key, block in self._blocks.items() if key[0] not in rows}

    def _keep(self, rows: str, span: Span, block: NDArray[Any], room: int) -> None:
        with self._lock:
            taken = sum(kept.nbytes for kept in self._blocks.values()) + block.nbytes
            for key in [key for key in self._blocks if key[0] != rows]:
                if taken > room:
                    taken -= self._blocks.pop(key).nbytes
            if taken <= room:
                self._blocks[rows, span] = block if block.base is None else block.copy()


def _granted() -> int:
    """Return half of the memory that Dask grants this process."""
    from distributed import get_worker  # noqa: PLC0415
    from distributed.system import MEMORY_LIMIT  # noqa: PLC0415

    granted = get_worker().memory_manager.memory_limit
    return int(granted or MEMORY_LIMIT // 2) // 2


_kept = _Kept()
