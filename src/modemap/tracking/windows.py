"""What a look at new rows found, as a run beside the training runs."""

import time
from collections.abc import Mapping
from pathlib import Path

from modemap.tracking._opened import opened_run
from modemap.tracking.runs import METRICS_A_BATCH, numbers
from modemap.tracking.store import Store

__all__ = ["log_window"]


def log_window(
    store: Store, name: str, tags: Mapping[str, str], values: Mapping[str, float], page: Path
) -> str:
    """Log numbers and the page of a window; return the run's id.

    Raises
    ------
    RegistryError
        If the store refuses.
    """
    from mlflow.entities import Metric  # slow to import

    kind = {"modemap.kind": "monitoring"}
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, 0) for key, value in numbers(values).items()]
    with store.asked() as client, opened_run(store, name, dict(tags) | kind) as run_id:
        for start in range(0, len(metrics), METRICS_A_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_BATCH])
        client.log_artifact(run_id, str(page))
    return run_id
