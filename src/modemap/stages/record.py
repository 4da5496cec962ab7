"""What a training stage tells the tracking store about the model it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modemap.params import Params
from modemap.tracking.runs import log_training_run
from modemap.tracking.store import open_store
from modemap.tracking.training import TrainingRun

__all__ = ["Trained", "record_run"]


@dataclass(frozen=True)
class Trained:
    """A finished training: its metrics, and what only the record of the run holds."""

    started: float  # seconds since 1970
    metrics: Mapping[str, object]
    history: Mapping[str, Sequence[float]]  # a value after every iteration
    cost: Mapping[str, float]  # seconds, memory, latency: another number every time
    columns: Sequence[str]
    outputs: Mapping[str, str]  # name and type of what the model answers
    example: NDArray[np.float64]  # a few rows to try it on


def record_run(stage: str, trained: Trained, params: Params, model: Path, plots: Path) -> None:
    """Log one run of ``stage`` for the model it wrote to ``model``."""
    run = TrainingRun(
        stage=stage,
        model=model,
        params=getattr(params, stage).model_dump(mode="json"),
        metrics=trained.metrics,
        usage=trained.cost,
        history=trained.history,
        plots=sorted(plots.glob("*.png")),
        columns=trained.columns,
        outputs=trained.outputs,
        example=trained.example,
        started=trained.started,
    )
    log_training_run(open_store(Path.cwd(), params.project), run)
