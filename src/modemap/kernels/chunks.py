"""Rows are worked on in chunks whose number depends on the rows alone, never on the threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

__all__ = ["chunk_slices", "map_chunks"]

MAX_CHUNKS = 16
MIN_ROWS = 512  # below this a chunk costs more to hand over than to work on

Result = TypeVar("Result")


def chunk_slices(n_samples: int) -> list[slice]:
    """Cut ``n_samples`` rows into at most 16 neighbouring slices of nearly equal length."""
    n_chunks = max(1, min(MAX_CHUNKS, n_samples // MIN_ROWS))
    cuts = [n_samples * i // n_chunks for i in range(n_chunks + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def map_chunks(
    work: Callable[[slice], Result], n_samples: int, n_threads: int = 1
) -> Iterator[Result]:
    """Yield ``work`` of each chunk in the order of the rows, whatever thread was first."""
    slices = chunk_slices(n_samples)
    if min(n_threads, len(slices)) <= 1:
        yield from map(work, slices)
        return
    with ThreadPoolExecutor(min(n_threads, len(slices))) as pool:
        yield from pool.map(work, slices)
