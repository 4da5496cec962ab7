"""Stage `train_mixture`: fit the joint density of the rows and the modes of each column."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, reduce
from pathlib import Path
from typing import TypeVar

import numpy as np

from modemap.data.matrix import prepared_batches
from modemap.engine import LOCAL, Engine
from modemap.estimators.batches import Spread
from modemap.estimators.blocks import Blocks, Numbered, block_rows, cuts_of
from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.normalizer import ModeNormalizer
from modemap.estimators.preparation import Preparation
from modemap.estimators.state import save_state
from modemap.files import staged_directory, write_json
from modemap.params import Params, TrainMixtureParams
from modemap.reporting.pictures import draw_curves, draw_modes
from modemap.sketch import ColumnSketch, merged_sketches, sketches_of
from modemap.stages.engines import opened_engine
from modemap.stages.entry import run_stage
from modemap.stages.measure import N_ROWS, measured
from modemap.stages.record import Trained, record_run
from modemap.stages.tallies import Distribution, Mean

__all__ = ["mean_log_likelihood", "measured_rows", "new_mixture", "train_mixture"]

N_QUANTILES = 1001  # of the training rows' log-likelihood: percentiles to a tenth
N_EXAMPLES = 5  # rows that a person can try the logged model on

Tally = TypeVar("Tally")


def new_mixture(params: TrainMixtureParams) -> BayesianGaussianMixture:
    """Return an unfitted mixture as ``params`` describe it."""
    return BayesianGaussianMixture(**params.model_dump(exclude={"n_modes", "weight_threshold"}))


def train_mixture(
    prepared: Path,
    model: Path,
    metrics: Path,
    plots: Path,
    params: TrainMixtureParams,
    *,
    engine: Engine = LOCAL,
) -> Trained:
    """Fit the mixtures on the training rows of ``prepared``; write what the other paths name.

    The log-likelihood is the mean of the validation rows as a density of raw units.
    """
    started = time.time()
    preparation = Preparation.load(prepared / "preparation.npz")
    columns = preparation.measured_columns
    validation = measured_rows(prepared, "validation", preparation)
    few, held_out = validation.first(N_ROWS), engine.spread(validation)
    rows = engine.spread(measured_rows(prepared, "train", preparation))
    raw = engine.spread(prepared_batches(prepared, "train", columns))
    with measured(few) as cost:
        mixture = new_mixture(params).fit(rows)
        normalizer = ModeNormalizer(
            params.n_modes,
            weight_threshold=params.weight_threshold,
            random_state=params.random_state,
        ).fit(raw)
    cost.time_call(mixture.score_samples)
    reference = reduce(
        Distribution.merge, _scored(_distribution, rows, mixture, preparation.log_jacobian_)
    )
    numbers = {
        "n_rows": rows.n_rows,
        "n_components_used": int(np.sum(mixture.weights_ > params.weight_threshold)),
        "n_iter": int(mixture.n_iter_),
        "converged": int(mixture.converged_),
        "lower_bound": float(mixture.lower_bound_),
        "log_likelihood": mean_log_likelihood(mixture, held_out, preparation.log_jacobian_),
    }
    with staged_directory(model) as folder:
        mixture.save(folder / "mixture.npz")
        normalizer.save(folder / "normalizer.npz")
        quantiles = reference.quantiles(np.linspace(0, 1, N_QUANTILES))
        save_state(folder / "anomaly.npz", "anomaly", {}, {"log_likelihood": quantiles})
    with staged_directory(plots) as folder:
        sketches = reduce(merged_sketches, raw.runs(_sketches, _cuts(raw, len(columns))))
        _draw(folder, mixture, normalizer, dict(zip(columns, sketches, strict=True)))
    write_json(metrics, numbers)
    history = {"lower_bound": list(map(float, mixture.lower_bounds_))}
    outputs, example = {"log_likelihood": "double"}, few[:N_EXAMPLES]
    return Trained(started, numbers, history, cost.numbers(), columns, outputs, example)


def measured_rows(prepared: Path, split: str, preparation: Preparation) -> Blocks:
    """Return the columns that a density sees, prepared."""
    rows = prepared_batches(prepared, split, preparation.columns).mapped(preparation.transform)
    places = preparation.measured_
    if len(places) < len(preparation.columns):
        rows = rows.mapped(lambda X: np.ascontiguousarray(X[:, places]))
    return rows.kept(len(places))


def mean_log_likelihood(
    mixture: BayesianGaussianMixture, rows: Spread, log_jacobian: float
) -> float:
    """Return the mean log-likelihood of prepared ``rows``, as a density of raw units."""
    mean = Mean()
    for sums in _scored(_sums, rows, mixture, log_jacobian):
        for total, n in sums:
            mean.add_sum(total, n)
    return mean.value


def _scored(
    tally: Callable[[BayesianGaussianMixture, float, Iterator[Numbered]], Tally],
    rows: Spread,
    mixture: BayesianGaussianMixture,
    log_jacobian: float,
) -> Iterable[Tally]:
    """Return tallies of the log-likelihoods of ``rows``, as densities of raw units."""
    return rows.runs(partial(tally, mixture, log_jacobian), _cuts(rows, mixture.n_features_in_))


def _distribution(
    mixture: BayesianGaussianMixture, log_jacobian: float, blocks: Iterator[Numbered]
) -> Distribution:
    found = Distribution()
    for _, X, _ in blocks:
        found.add(mixture.score_samples(X) - log_jacobian)
    return found


def _sums(
    mixture: BayesianGaussianMixture, log_jacobian: float, blocks: Iterator[Numbered]
) -> list[tuple[float, int]]:
    return [(float(np.sum(mixture.score_samples(X) - log_jacobian)), len(X)) for _, X, _ in blocks]


def _sketches(blocks: Iterator[Numbered]) -> list[ColumnSketch]:
    return sketches_of(X for _, X, _ in blocks)


def _cuts(rows: Spread, n_columns: int) -> list[int]:
    return cuts_of(rows.n_rows, block_rows(n_columns))


def _draw(
    folder: Path,
    mixture: BayesianGaussianMixture,
    normalizer: ModeNormalizer,
    sketches: Mapping[str, ColumnSketch],
) -> None:
    draw_curves(folder / "history.png", {"lower bound": mixture.lower_bounds_}, "iteration")
    means = [np.array([mode["mean"] for mode in modes]) for modes in normalizer.modes()]
    draw_modes(
        folder / "modes.png",
        {
            name: (sketch.values_and_counts(), column)
            for (name, sketch), column in zip(sketches.items(), means, strict=True)
        },
    )


def _stage(params: Params) -> Mapping[str, object]:
    model, plots = Path("models/mixture"), Path("reports/train_mixture")
    with opened_engine(params, "train_mixture") as engine:
        trained = train_mixture(
            prepared=Path("data/prepared"),
            model=model,
            metrics=Path("reports/train_mixture.json"),
            plots=plots,
            params=params.train_mixture,
            engine=engine,
        )
    record_run("train_mixture", trained, params, model, plots)
    return trained.metrics


if __name__ == "__main__":
    run_stage("train_mixture", _stage)
