"""The engine that params.yaml names: whichever trains the models, they have the same bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

from modemap.engine import LOCAL, Engine, dask_engine
from modemap.params import Params
from modemap.stages.progress import track_passes

__all__ = ["opened_engine"]


@contextmanager
def opened_engine(params: Params, stage: str) -> Iterator[Engine]:
    """Yield the engine for ``stage``, and show how far it is where it works elsewhere.

    No stage watches these params: another engine changes no output.
    """
    if params.engine == "local":
        yield LOCAL
        return
    with dask_engine(
        scheduler=params.dask.scheduler,
        n_workers=params.dask.n_workers,
        memory=params.memory_limit,
        tell=track_passes(stage),
    ) as engine:
        yield engine
