"""Where rows are worked on: in this process, or spread over the processes of a Dask cluster.

Either gives the same bytes. An engine turns rows into :class:`~modemap.estimators.batches.Spread`,
which the estimators take; only this package imports Dask.
"""

from modemap.engine.cluster import dask_engine
from modemap.engine.dask import DaskEngine
from modemap.engine.local import LOCAL, Engine

__all__ = ["LOCAL", "DaskEngine", "Engine", "dask_engine"]
