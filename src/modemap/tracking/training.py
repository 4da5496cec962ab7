"""What a training stage tells about the model it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TrainingRun"]


@dataclass(frozen=True)
class TrainingRun:
    """A training as its run records it.

    Parameters
    ----------
    stage : str
        Name of the stage; metrics and the run are named after it.
    model : Path
        Directory with the model's files.
    params : mapping
        Settings of the stage; nested ones are logged with dotted names.
    metrics : mapping
        Final metrics by name. What is not a number is left out.
    columns : sequence of str
        Columns the model takes, in order.
    outputs : mapping
        What it answers: name and MLflow type (``long``, ``double``).
    history : mapping, default={}
        For each metric of the training itself, its value after every iteration.
    usage : mapping, default={}
        What the training cost: seconds, memory, latency.
    plots : sequence of Path, default=()
        Pictures to keep.
    example : ndarray of shape (n_rows, n_columns) or None, default=None
        A few rows to try it on.
    started : float or None, default=None
        ``time.time()`` at the start of the training; None means that it took place another time.
    """

    stage: str
    model: Path
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    columns: Sequence[str]
    outputs: Mapping[str, str]
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    plots: Sequence[Path] = ()
    example: NDArray[np.float64] | None = None
    started: float | None = None
