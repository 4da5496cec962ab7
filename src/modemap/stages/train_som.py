"""Stage `train_som`: fit the map on the training rows and cut it into segments."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modemap.data.matrix import prepared_batches
from modemap.estimators.blocks import Blocks
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.estimators.state import save_state
from modemap.files import staged_directory, write_json
from modemap.kernels import nearest_units
from modemap.metrics import dead_unit_share, torn_samples
from modemap.params import Params, TrainSomParams
from modemap.reporting.pictures import draw_component_planes, draw_curves
from modemap.stages.entry import run_stage
from modemap.stages.measure import N_ROWS, measured
from modemap.stages.record import Trained, record_run
from modemap.stages.tallies import Mean

__all__ = ["grid_of", "new_map", "train_som"]

N_EXAMPLES = 5  # rows that a person can try the logged model on


def new_map(params: TrainSomParams, random_state: int | None = None) -> SelfOrganizingMap:
    """Return an unfitted map as ``params`` describe it, with another seed if one is given."""
    arguments = params.model_dump(exclude={"n_segments"})
    if random_state is not None:
        arguments["random_state"] = random_state
    return SelfOrganizingMap(**arguments)


def grid_of(som: SelfOrganizingMap) -> dict[str, Any]:
    """Return the grid of a fitted map as arguments of what looks at neighbours."""
    return {
        "n_rows": som.n_rows_,
        "n_columns": som.n_columns_,
        "topology": som.topology,
        "boundary": som.boundary,
    }


def train_som(
    prepared: Path, model: Path, metrics: Path, plots: Path, params: TrainSomParams
) -> Trained:
    """Fit a map on the training rows of ``prepared``; write ``model``, ``metrics`` and ``plots``.

    The metrics are those of the validation rows, in the units of the training rows' scale. The
    quantization error is Euclid's distance whatever the map's metric, so that maps compare.
    """
    started = time.time()
    preparation = Preparation.load(prepared / "preparation.npz")
    rows, held_out = (
        prepared_batches(prepared, split, preparation.columns).mapped(preparation.transform)
        for split in ("train", "validation")
    )
    few = held_out.first(N_ROWS)
    with measured(few) as cost:
        som = new_map(params).fit(rows)
    cost.time_call(som.predict)
    segments = segment_units(som.codebook_, n_segments=params.n_segments, **grid_of(som))
    numbers = {
        "n_rows": rows.n_rows,
        "n_units": len(som.codebook_),
        **_errors(som, held_out),
        "dead_unit_share": _dead_unit_share(som, rows),
    }
    with staged_directory(model) as folder:
        som.save(folder / "som.npz")
        save_state(folder / "segments.npz", "segments", {}, {"segments": segments})
    with staged_directory(plots) as folder:
        _draw(folder, som, segments, preparation)
    write_json(metrics, numbers)
    columns, example = preparation.columns, few[:N_EXAMPLES]
    return Trained(
        started, numbers, som.history_, cost.numbers(), columns, {"unit": "long"}, example
    )


def _errors(som: SelfOrganizingMap, rows: Blocks) -> dict[str, float]:
    quantization, topographic = Mean(), Mean()
    for X in rows.batches():
        quantization.add(nearest_units(X, som.codebook_)[1])
        topographic.add(torn_samples(X, som.codebook_, **grid_of(som), metric=som.metric))
    return {"quantization_error": quantization.value, "topographic_error": topographic.value}


def _dead_unit_share(som: SelfOrganizingMap, rows: Blocks) -> float:
    n_units = len(som.codebook_)
    hits = sum(np.bincount(som.predict(X), minlength=n_units) for X in rows.batches())
    return dead_unit_share(np.flatnonzero(hits), n_units)


def _draw(
    folder: Path, som: SelfOrganizingMap, segments: np.ndarray, preparation: Preparation
) -> None:
    shape = (som.n_rows_, som.n_columns_)
    draw_curves(
        folder / "history.png", {"quantization error": som.history_["quantization_error"]}, "epoch"
    )
    is_hexagonal = som.topology == "hexagonal"
    planes = {"rows per unit": som.unit_counts_, "segment": segments}
    draw_component_planes(
        folder / "hits.png",
        {name: plane.reshape(shape).astype(float) for name, plane in planes.items()},
        is_hexagonal=is_hexagonal,
    )
    raw = preparation.inverse_transform(som.codebook_)
    columns = zip(preparation.columns, raw.T, strict=True)
    draw_component_planes(
        folder / "planes.png",
        {name: values.reshape(shape) for name, values in columns},
        is_hexagonal=is_hexagonal,
    )


def _stage(params: Params) -> Mapping[str, object]:
    model, plots = Path("models/som"), Path("reports/train_som")
    trained = train_som(
        prepared=Path("data/prepared"),
        model=model,
        metrics=Path("reports/train_som.json"),
        plots=plots,
        params=params.train_som,
    )
    record_run("train_som", trained, params, model, plots)
    return trained.metrics


if __name__ == "__main__":
    run_stage("train_som", _stage)
