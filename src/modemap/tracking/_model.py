"""A model in MLflow's catalogue: its files, signature, example and requirements."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from modemap.tracking.lineage import package_version
from modemap.tracking.training import TrainingRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["log_model"]

EXAMPLE = "input_example.json"
EXAMPLE_ROWS = 5


def log_model(
    client: "MlflowClient", experiment_id: str, run_id: str, run: TrainingRun, digest: str
) -> str:
    """Log the model of ``run`` as an output of the run ``run_id`` and return its id."""
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(
        experiment_id,
        name=run.stage,
        source_run_id=run_id,
        tags={"modemap.digest": digest},
        model_type=run.stage.removeprefix("train_"),
    )
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), run, run_id, model.model_id)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    return str(model.model_id)


def _write(folder: Path, run: TrainingRun, run_id: str, model_id: str) -> None:
    """Write the model's files, and beside them what MLflow reads to describe a model."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in run.columns]),
        outputs=Schema([ColSpec(kind, name) for name, kind in run.outputs.items()]),
    )
    example = None
    if run.example is not None:
        rows = run.example[:EXAMPLE_ROWS].tolist()
        text = json.dumps({"columns": list(run.columns), "data": rows})
        (folder / EXAMPLE).write_text(text, encoding="utf-8")
        example = {"artifact_path": EXAMPLE, "type": "dataframe", "pandas_orient": "split"}
    shutil.copytree(run.model, folder / "model")
    (folder / "requirements.txt").write_text(f"modemap=={package_version()}\n", encoding="utf-8")
    Model(
        artifact_path=run.stage,
        run_id=run_id,
        model_id=model_id,
        signature=signature,
        saved_input_example_info=example,
    ).save(str(folder / "MLmodel"))
