"""Work on a few items at a time, on threads, with the results in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from modemap.estimators.checks import check_threads

__all__ = ["N_THREADS", "alongside"]

Item = TypeVar("Item")
Result = TypeVar("Result")

N_THREADS = min(check_threads(-1), 4)  # each has rows of its own in memory


def alongside(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what ``work`` makes of each item; of those that fail the first one is raised.

    Examples
    --------
    >>> list(alongside(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(N_THREADS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > N_THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
