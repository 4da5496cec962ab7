"""What a training stage tells the tracking store about the model it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modemap.params import Params
from modemap.tracking.runs import TrainingRun, log_training_run
from modemap.tracking.store import open_store

__all__ = ["Trained", "record_run"]


@dataclass(frozen=True)
class Trained:
    """A finished training: its metrics, and what only the record of the run holds."""

    metrics: Mapping[str, object]
    history: Mapping[str, Sequence[float]]  # a value after every iteration
    cost: Mapping[str, float]  # seconds, memory, latency: another number every time
    columns: Sequence[str]
    outputs: Mapping[str, str]  # name and type of what the model answers
    example: NDArray[np.float64]  # a few rows to try it on


def record_run(
    stage: str, model: Path, plots: Path, params: Params, trained: Trained, started: float
) -> None:
    """Log one run for the model in ``model``; ``started`` is ``time.time()`` at its beginning."""
    run = TrainingRun(
        stage=stage,
        model=model,
        params=getattr(params, stage).model_dump(mode="json"),
        metrics={**trained.metrics, **trained.cost},
        history=trained.history,
        plots=sorted(plots.glob("*.png")),
        columns=trained.columns,
        outputs=trained.outputs,
        example=trained.example,
        started=started,
    )
    log_training_run(open_store(Path.cwd(), params.project), run)
