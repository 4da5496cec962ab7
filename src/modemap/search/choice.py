"""Which trials are worth a person's look, and which one is taken."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modemap.params import GateParams

__all__ = ["Trial", "best_map", "best_mixture", "front"]

DIRECTIONS = {  # 1 where lower is better
    "quantization_error": 1,
    "topographic_error": 1,
    "log_likelihood": -1,
    "size_mib": 1,
    "latency_ms": 1,
    "n_units": 1,
    "n_components": 1,
}
COMPLETE = "complete"


@dataclass(frozen=True)
class Trial:
    """A trial as the storage holds it.

    ``state`` is complete, pruned, failed, killed or running; ``why`` says why it is not complete.
    """

    number: int
    state: str
    is_present: bool  # the params as they stand, which the others have to beat
    params: Mapping[str, Mapping[str, Any]]  # of each stage
    numbers: Mapping[str, float]
    why: str | None = None
    started: float = 0.0
    ended: float = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether every number that decides is there and finite."""
        return self.state == COMPLETE and all(
            math.isfinite(self.numbers.get(name, math.nan)) for name in DIRECTIONS
        )


def costs(trial: Trial, objectives: Sequence[str]) -> tuple[float, ...]:
    """Return what each objective costs: lower is better."""
    return tuple(DIRECTIONS[name] * trial.numbers[name] for name in objectives)


def front(trials: Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Return the Pareto front: trials that no other beats or equals in everything, by number."""
    usable = [trial for trial in trials if trial.is_usable]
    points = {trial.number: costs(trial, objectives) for trial in usable}

    def is_dominated(number: int) -> bool:
        mine = points[number]
        return any(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
            for other in points.values()
        )

    return [trial for trial in usable if not is_dominated(trial.number)]


def best_map(trials: Sequence[Trial], present: Trial, gate: GateParams) -> Trial | None:
    """Return the trial with the best map that may take the place of the present one, if any.

    It has as many units, since the error falls with their number alone; is within the gate's
    bounds; and of those that are worse in neither error it has the lowest quantization error. Ties
    go to the lower topographic error, then to the earlier trial.
    """

    def beats(trial: Trial) -> bool:
        errors = ("quantization_error", "topographic_error")
        mine, others = costs(trial, errors), costs(present, errors)
        return (
            mine != others
            and all(a <= b for a, b in zip(mine, others, strict=True))
            and trial.numbers["n_units"] == present.numbers["n_units"]
            and trial.numbers["topographic_error"] <= gate.topographic_error_max
            and trial.numbers["dead_unit_share"] <= gate.dead_unit_share_max
        )

    return _best(trials, gate, beats, ("quantization_error", "topographic_error"))


def best_mixture(trials: Sequence[Trial], present: Trial, gate: GateParams) -> Trial | None:
    """Return the trial with the likeliest mixture, if it is likelier than the present one.

    Ties go to the smaller model, then to the earlier trial.
    """
    least = present.numbers["log_likelihood"]
    return _best(
        trials,
        gate,
        lambda trial: trial.numbers["log_likelihood"] > least,
        ("log_likelihood", "size_mib"),
    )


def _best(
    trials: Sequence[Trial],
    gate: GateParams,
    beats: Callable[[Trial], bool],
    order: Sequence[str],
) -> Trial | None:
    found = [
        trial
        for trial in trials
        if trial.is_usable
        and not trial.is_present
        and trial.numbers["latency_ms"] <= gate.latency_ms_max
        and trial.numbers["size_mib"] <= gate.size_mib_max
        and beats(trial)
    ]
    return min(found, key=lambda trial: (*costs(trial, order), trial.number), default=None)
