"""What a trial tries: the present params, some of them drawn anew."""

import math
from typing import TYPE_CHECKING, Any

from modemap.params import Params, SearchParams, TrainMixtureParams, TrainSomParams

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["draw_map", "draw_mixture", "grid_shape"]

ASPECTS = 1 / 3, 3.0  # rows to columns
FIRST_RADIUS = 0.15, 0.75  # times the longer side
LAST_RADIUS = 0.3, 1.5  # in units
LOWEST_SHARE = 4  # of the present units and components at least a fourth
PRIORS = 1e-3, 1e3


def draw_map(trial: "Trial", params: Params, *, is_resized: bool) -> TrainSomParams:
    """Draw a map; one that is not resized has as many units as the present, in another shape."""
    present, n_units = params.train_som, params.train_som.n_rows * params.train_som.n_columns
    topology = trial.suggest_categorical("topology", ["rectangular", "hexagonal"])
    aspect = trial.suggest_float("aspect", *ASPECTS, log=True)
    is_even = topology == "hexagonal" and present.boundary == "toroidal"
    if is_resized:
        n_units = trial.suggest_int("n_units", *_units(present, params.search), log=True)
    n_rows, n_columns = grid_shape(n_units, aspect, is_exact=not is_resized, is_even=is_even)
    if is_even and n_rows % 2:
        topology = "rectangular"  # an odd number of units makes no hexagonal torus
    first = trial.suggest_float("first_radius", *FIRST_RADIUS) * max(n_rows, n_columns)
    last = trial.suggest_float("last_radius", *LAST_RADIUS)
    drawn: dict[str, Any] = {
        "n_rows": n_rows,
        "n_columns": n_columns,
        "topology": topology,
        "init": trial.suggest_categorical("init", ["pca", "random", "sample"]),
        "radius": (_rounded(max(first, last)), _rounded(last)),
        "radius_decay": trial.suggest_categorical(
            "radius_decay", ["linear", "exponential", "inverse"]
        ),
    }
    return TrainSomParams.model_validate(present.model_dump() | drawn)


def draw_mixture(trial: "Trial", params: Params) -> TrainMixtureParams:
    """Draw a mixture: how many components, and its priors."""
    present, growth = params.train_mixture, params.search.growth_max
    least = max(present.n_components // LOWEST_SHARE, 1)
    most = max(int(present.n_components * growth), least)
    drawn = {
        "n_components": trial.suggest_int("n_components", least, most, log=True),
        "weight_concentration_prior": _rounded(
            trial.suggest_float("weight_concentration_prior", *PRIORS, log=True)
        ),
        "mean_precision_prior": _rounded(
            trial.suggest_float("mean_precision_prior", *PRIORS, log=True)
        ),
    }
    return TrainMixtureParams.model_validate(present.model_dump() | drawn)


def grid_shape(n_units: int, aspect: float, *, is_exact: bool, is_even: bool) -> tuple[int, int]:
    """Return rows and columns, ``aspect`` rows to a column or nearly so.

    They make ``n_units`` where that is asked for, and elsewhere as many of them as fill whole rows.
    Rows are even if that is asked for and can be.
    """
    step = 2 if is_even else 1
    wanted = math.sqrt(n_units * aspect)
    choices = [n for n in range(step, n_units + 1, step) if not is_exact or n_units % n == 0]
    n_rows = min(choices or [1], key=lambda n: abs(math.log(n / wanted)))
    return n_rows, n_units // n_rows


def _units(present: TrainSomParams, search: SearchParams) -> tuple[int, int]:
    n_units = present.n_rows * present.n_columns
    # Whole rows may have fewer units than were drawn, but must hold the segments.
    least = max(n_units // LOWEST_SHARE, 2 * present.n_segments, 4)
    return least, max(int(n_units * search.growth_max), least)


def _rounded(value: float) -> float:
    """Return three significant digits: what a person would write."""
    return float(f"{value:.3g}")
