"""Rows are worked on in chunks whose number depends on the rows alone, never on the threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import TypeVar

__all__ = ["chunk_slices", "map_chunks", "map_in_order", "same_threads"]

MAX_CHUNKS = 16
MIN_ROWS = 512  # below this a chunk costs more to hand over than to work on

Item = TypeVar("Item")
Result = TypeVar("Result")

# what works on a chunk sees none: a thread that waited for its own pool would wait for ever
_threads: ContextVar[ThreadPoolExecutor | None] = ContextVar("threads", default=None)


def chunk_slices(
    n_samples: int, max_chunks: int = MAX_CHUNKS, min_rows: int = MIN_ROWS
) -> list[slice]:
    """Cut ``n_samples`` rows into at most 16 neighbouring slices of nearly equal length."""
    n_chunks = max(1, min(max_chunks, n_samples // min_rows))
    cuts = [n_samples * i // n_chunks for i in range(n_chunks + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def map_chunks(
    work: Callable[[slice], Result], n_samples: int, n_threads: int = 1
) -> Iterator[Result]:
    """Yield ``work`` of each chunk in the order of the rows, whatever thread was first."""
    return map_in_order(work, chunk_slices(n_samples), n_threads)


def map_in_order(
    work: Callable[[Item], Result], items: Sequence[Item], n_threads: int = 1
) -> Iterator[Result]:
    """Yield ``work`` of each item in their order, whatever thread was first."""
    if min(n_threads, len(items)) <= 1:
        yield from map(work, items)
        return
    threads = _threads.get()
    if threads is not None:
        yield from threads.map(work, items)
        return
    with ThreadPoolExecutor(min(n_threads, len(items))) as pool:
        yield from pool.map(work, items)


@contextmanager
def same_threads(n_threads: int) -> Iterator[None]:
    """Let everything inside run on the same ``n_threads`` threads, which start once."""
    if n_threads <= 1:
        yield
        return
    with ThreadPoolExecutor(n_threads) as threads:
        token = _threads.set(threads)
        try:
            yield
        finally:
            _threads.reset(token)
