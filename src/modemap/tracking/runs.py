"""Training runs: one for each model that a training stage made, found again by its digest."""

import hashlib
import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modemap.files import sha256_file
from modemap.release import files_digest
from modemap.tracking._comparison import COMPARABLE, best_run, comparable_key, note
from modemap.tracking._model import log_model
from modemap.tracking._opened import close_abandoned, opened_run
from modemap.tracking.lineage import UNKNOWN, read_lineage
from modemap.tracking.store import Store
from modemap.tracking.training import TrainingRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["ensure_run", "find_run", "log_training_run", "model_digest"]

PREPARED = "data/prepared"
METRICS_A_BATCH = 1000  # MLflow takes no more at once
PARAMS_A_BATCH = 100
REFUSED = re.compile(r"[^\w. :-]")  # MLflow takes slashes too, but not everywhere
LONGEST_NAME = 200  # MLflow takes 250, with the stage's name before


def model_digest(model: Path) -> str:
    """Return the digest of a model's files, the same wherever they lie."""
    return files_digest({path.name: sha256_file(path) for path in sorted(model.iterdir())})


def log_training_run(store: Store, run: TrainingRun) -> str:
    """Log ``run`` and return its id; if that fails half way, it ends as failed or killed.

    Raises
    ------
    RegistryError
        If the store refuses.
    """
    digest = model_digest(run.model)
    lineage = read_lineage(store.root)
    data = lineage.data.get(PREPARED, UNKNOWN)
    with store.asked() as client:
        close_abandoned(store)
        key = comparable_key(run.stage, run.metrics, run.params, run.columns, data)
        tags = lineage.tags(PREPARED) | {
            "mlflow.note.content": note(run.stage, run.metrics, best_run(store, run.stage, key)),
            COMPARABLE: key,
            "modemap.data": data,
            "modemap.digest": digest,
            "modemap.kind": "training",
            "modemap.restored": str(run.started is None).lower(),
            "modemap.stage": run.stage,
        }
        with opened_run(store, f"{run.stage}-{digest[:8]}", tags, run.started) as run_id:
            _log_data(client, run_id, data)
            for plot in run.plots:
                client.log_artifact(run_id, str(plot), "plots")
            model_id = log_model(client, store.experiment_id, run_id, run, digest)
            _log_numbers(client, run_id, model_id, run)
    return run_id


def find_run(store: Store, stage: str, digest: str) -> str | None:
    """Return the id of the newest finished run of ``stage`` that made the model ``digest``."""
    where = (
        f"tags.`modemap.digest` = '{digest}' AND tags.`modemap.stage` = '{stage}'"
        " AND attributes.status = 'FINISHED'"
    )
    with store.asked() as client:
        runs = client.search_runs([store.experiment_id], where, max_results=1)
    return str(runs[0].info.run_id) if runs else None


def ensure_run(store: Store, run: TrainingRun) -> str:
    """Return the run of a model that may have come from DVC's cache; log one if there is none."""
    return find_run(store, run.stage, model_digest(run.model)) or log_training_run(store, run)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return what is a finite number in ``values``, flat, under names that MLflow takes."""
    return {
        metric_name(name): float(value)
        for name, value in flat(values).items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def metric_name(name: str) -> str:
    """Return ``name``; with signs that MLflow refuses, a name of its own that resembles it."""
    plain = REFUSED.sub("_", name)
    if plain == name and len(name) <= LONGEST_NAME:
        return name
    return f"{plain[:LONGEST_NAME]} {hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def _log_data(client: "MlflowClient", run_id: str, md5: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    source = json.dumps({"path": PREPARED, "md5": md5})
    data = Dataset(name=PREPARED, digest=md5[:36], source_type="dvc", source=source)
    context = [InputTag("mlflow.data.context", "training")]
    inputs = [DatasetInput(data, context)]
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException:  # two that are the first to name the same data collide: one is told so
        client.log_inputs(run_id, inputs)


def _log_numbers(client: "MlflowClient", run_id: str, model_id: str, run: TrainingRun) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    final = numbers(run.metrics)
    metrics = [
        Metric(f"{run.stage}.{name}", value, now, 0, model_id=model_id, run_id=run_id)
        for name, value in final.items()
    ]
    metrics += [Metric(f"usage.{k}", v, now, 0) for k, v in numbers(run.usage).items()]
    for name, values in run.history.items():
        key = f"training.{name}"
        metrics += [Metric(key, float(value), now, step) for step, value in enumerate(values)]
    params = [Param(name, str(value)) for name, value in flat(run.params).items()]
    for start in range(0, len(params), PARAMS_A_BATCH):
        client.log_batch(run_id, params=params[start : start + PARAMS_A_BATCH])
    for start in range(0, len(metrics), METRICS_A_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_BATCH])
