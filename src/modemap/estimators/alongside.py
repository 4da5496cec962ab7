"""Work on a few items at a time, on threads, with the results in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from modemap.estimators.checks import check_threads

__all__ = ["N_THREADS", "alongside"]

Item = TypeVar("Item")
Result = TypeVar("Result")

N_THREADS = min(check_threads(-1), 4)


def alongside(
    work: Callable[[Item], Result], items: Iterable[Item], n_threads: int = N_THREADS
) -> Iterator[Result]:
    """Yield what ``work`` makes of each item; of those that fail the first one is raised.

    Examples
    --------
    >>> list(alongside(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    if n_threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
