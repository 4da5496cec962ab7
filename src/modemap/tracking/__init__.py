"""The record of what was trained and registered: runs, versions, lineage; all of it in MLflow."""

from modemap.tracking._opened import abandoned_runs, close_abandoned
from modemap.tracking.lineage import Lineage, read_lineage
from modemap.tracking.registry import Registry, Version
from modemap.tracking.runs import ensure_run, find_run, log_training_run, model_digest
from modemap.tracking.store import Store, moved_from, open_store, store_exists, store_is_gone
from modemap.tracking.training import TrainingRun

__all__ = [
    "Lineage",
    "Registry",
    "Store",
    "TrainingRun",
    "Version",
    "abandoned_runs",
    "close_abandoned",
    "ensure_run",
    "find_run",
    "log_training_run",
    "model_digest",
    "moved_from",
    "open_store",
    "read_lineage",
    "store_exists",
    "store_is_gone",
]
