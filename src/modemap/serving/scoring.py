"""Score what has arrived by now: small requests together, large ones beside the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from modemap.release import Scores
from modemap.serving.served import Served

__all__ = ["Scorer", "select"]

FloatArray = NDArray[np.float64]

N_SMALL = 256  # rows; scoring so many takes hardly longer than scoring one
N_TOGETHER = 4096


class Scorer:
    """Scores of requests, each by the release that it began with.

    A release's answer to 64 rows takes as long as its answer to one, so the small requests that one
    turn of the event loop has read are scored at once; under load they are many. No row's answer
    depends on the rows beside it.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Served, FloatArray, asyncio.Future[Scores]]] = []
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    async def score(self, served: Served, X: FloatArray) -> Scores:
        """Return what ``served`` says of raw rows ``X``, (n_rows, n_columns)."""
        loop = asyncio.get_running_loop()
        if len(X) > N_SMALL:
            return await loop.run_in_executor(self._beside, served.release.score, X)
        future: asyncio.Future[Scores] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._score_waiting)
        self._waiting.append((served, X, future))
        return await future

    def _score_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting = [job for job in waiting if not job[2].done()]  # the caller may have gone
        while waiting:
            served, n_rows, n_jobs = waiting[0][0], 0, 0
            for other, X, _ in waiting:
                if other is not served or n_rows + len(X) > N_TOGETHER:
                    break
                n_rows, n_jobs = n_rows + len(X), n_jobs + 1
            _score_together(served, waiting[:n_jobs])
            waiting = waiting[n_jobs:]


def _score_together(
    served: Served, jobs: list[tuple[Served, FloatArray, asyncio.Future[Scores]]]
) -> None:
    try:
        scores = served.release.score(np.concatenate([X for _, X, _ in jobs]))
    except Exception as error:  # whatever it is belongs to those who wait
        for _, _, future in jobs:
            future.set_exception(error)
        return
    start = 0
    for _, X, future in jobs:
        future.set_result(select(scores, slice(start, start + len(X))))
        start += len(X)


def select(scores: Scores, rows: slice) -> Scores:
    """Return what is said of some of the rows."""
    return Scores(**{name: values[rows] for name, values in vars(scores).items()})
