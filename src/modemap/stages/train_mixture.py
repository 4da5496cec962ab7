"""Stage `train_mixture`: fit the joint density of the rows and the modes of each column."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modemap.data.matrix import read_matrix
from modemap.estimators.mixture import BayesianGaussianMixture
from modemap.estimators.normalizer import ModeNormalizer
from modemap.estimators.preparation import Preparation
from modemap.estimators.state import save_state
from modemap.files import staged_directory, write_json
from modemap.params import Params, TrainMixtureParams
from modemap.reporting.pictures import draw_curves, draw_modes
from modemap.stages.entry import run_stage
from modemap.stages.measure import measured
from modemap.stages.record import Trained, record_run

__all__ = ["train_mixture"]

FloatArray = NDArray[np.float64]

N_QUANTILES = 1001  # of the training rows' log-likelihood: percentiles to a tenth
N_EXAMPLES = 5  # rows that a person can try the logged model on


def train_mixture(
    prepared: Path, model: Path, metrics: Path, plots: Path, params: TrainMixtureParams
) -> Trained:
    """Fit the mixtures on the training rows of ``prepared``; write what the other paths name.

    The log-likelihood is the mean of the validation rows as a density of raw units.
    """
    started = time.time()
    preparation = Preparation.load(prepared / "preparation.npz")
    measured_columns = preparation.measured_columns
    raw, rows = _measured_rows(prepared / "train", preparation)
    _, held_out = _measured_rows(prepared / "validation", preparation)
    with measured(held_out) as cost:
        mixture = BayesianGaussianMixture(
            n_components=params.n_components,
            max_iter=params.max_iter,
            tol=params.tol,
            random_state=params.random_state,
        ).fit(rows)
        normalizer = ModeNormalizer(
            params.n_modes,
            weight_threshold=params.weight_threshold,
            random_state=params.random_state,
        ).fit(raw)
    cost.time_call(mixture.score_samples)
    jacobian = preparation.log_jacobian_
    reference = mixture.score_samples(rows) - jacobian
    numbers = {
        "n_rows": len(rows),
        "n_components_used": int(np.sum(mixture.weights_ > params.weight_threshold)),
        "n_iter": int(mixture.n_iter_),
        "converged": int(mixture.converged_),
        "lower_bound": float(mixture.lower_bound_),
        "log_likelihood": float(np.mean(mixture.score_samples(held_out) - jacobian)),
    }
    with staged_directory(model) as folder:
        mixture.save(folder / "mixture.npz")
        normalizer.save(folder / "normalizer.npz")
        quantiles = np.quantile(reference, np.linspace(0, 1, N_QUANTILES))
        save_state(folder / "anomaly.npz", "anomaly", {}, {"log_likelihood": quantiles})
    with staged_directory(plots) as folder:
        _draw(folder, mixture, normalizer, measured_columns, raw)
    write_json(metrics, numbers)
    history = {"lower_bound": list(map(float, mixture.lower_bounds_))}
    outputs, example = {"log_likelihood": "double"}, held_out[:N_EXAMPLES]
    return Trained(started, numbers, history, cost.numbers(), measured_columns, outputs, example)


def _measured_rows(path: Path, preparation: Preparation) -> tuple[FloatArray, FloatArray]:
    """Return the columns that a density sees, raw and prepared."""
    raw = read_matrix(path, preparation.columns)
    places = preparation.measured_
    if len(places) == raw.shape[1]:
        return raw, preparation.transform(raw)
    rows = preparation.transform(raw)
    return np.ascontiguousarray(raw[:, places]), np.ascontiguousarray(rows[:, places])


def _draw(
    folder: Path,
    mixture: BayesianGaussianMixture,
    normalizer: ModeNormalizer,
    columns: Sequence[str],
    raw: FloatArray,
) -> None:
    draw_curves(folder / "history.png", {"lower bound": mixture.lower_bounds_}, "iteration")
    means = [np.array([mode["mean"] for mode in modes]) for modes in normalizer.modes()]
    draw_modes(
        folder / "modes.png", dict(zip(columns, zip(raw.T, means, strict=True), strict=True))
    )


def _stage(params: Params) -> Mapping[str, object]:
    model, plots = Path("models/mixture"), Path("reports/train_mixture")
    trained = train_mixture(
        prepared=Path("data/prepared"),
        model=model,
        metrics=Path("reports/train_mixture.json"),
        plots=plots,
        params=params.train_mixture,
    )
    record_run("train_mixture", trained, params, model, plots)
    return trained.metrics


if __name__ == "__main__":
    run_stage("train_mixture", _stage)
