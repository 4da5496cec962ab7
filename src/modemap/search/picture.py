"""The picture of a search: both models' trials, with the fronts of the objectives drawn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modemap.files import staged_file
from modemap.reporting.pictures import Points, draw_fronts
from modemap.search.choice import Trial, front

__all__ = ["draw_search"]

PLANES = (  # of the map at its own size, of the map's size, of the mixture
    ("topographic_error", "quantization_error"),
    ("n_units", "quantization_error"),
    ("n_components", "log_likelihood"),
)
PER_ROW = {"quantization_error": "robust units", "log_likelihood": "nats a row"}


def draw_search(
    path: Path, trials: Sequence[Trial], present: Trial, bests: Sequence[Trial | None]
) -> None:
    """Draw the trials that ended well; ``bests`` are the best map's trial and the mixture's."""
    of_map, of_mixture = bests
    usable = [trial for trial in trials if trial.is_usable]
    alike = [t for t in usable if t.numbers["n_units"] == present.numbers["n_units"]]
    panels = [
        _points(alike, PLANES[0], present, of_map),
        _points(usable, PLANES[1], present, of_map),
        _points(usable, PLANES[2], present, of_mixture),
    ]
    with staged_file(path) as temporary:
        draw_fronts(temporary, panels)


def _points(
    trials: Sequence[Trial], plane: tuple[str, str], present: Trial, best: Trial | None
) -> Points:
    on_front = {trial.number for trial in front(trials, plane)}
    x, y = (np.array([_value(trial, name) for trial in trials]) for name in plane)
    return Points(
        _label(plane[0]),
        _label(plane[1]),
        x,
        y,
        np.array([trial.number in on_front for trial in trials]),
        _place(present, plane),
        None if best is None else _place(best, plane),
    )


def _place(trial: Trial, plane: tuple[str, str]) -> tuple[float, float]:
    x, y = plane
    return _value(trial, x), _value(trial, y)


def _value(trial: Trial, name: str) -> float:
    return float(trial.numbers[name])


def _label(name: str) -> str:
    words = name.removeprefix("n_").replace("_", " ")
    return f"{words} ({PER_ROW[name]})" if name in PER_ROW else words
