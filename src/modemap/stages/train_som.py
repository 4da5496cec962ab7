"""Stage `train_som`: fit the map on the training rows and cut it into segments."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modemap.data.matrix import prepared_batches
from modemap.engine import LOCAL, Engine
from modemap.estimators.batches import Spread
from modemap.estimators.blocks import Blocks, Numbered, block_rows, cuts_of
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.estimators.som import SelfOrganizingMap
from modemap.estimators.state import save_state
from modemap.files import staged_directory, write_json
from modemap.kernels import nearest_units
from modemap.metrics import dead_unit_share, torn_samples
from modemap.params import Params, TrainSomParams
from modemap.reporting.pictures import draw_component_planes, draw_curves
from modemap.stages.engines import opened_engine
from modemap.stages.entry import run_stage
from modemap.stages.measure import N_ROWS, measured
from modemap.stages.record import Trained, record_run
from modemap.stages.tallies import Mean

__all__ = ["dead_share", "grid_of", "map_errors", "new_map", "scaled_rows", "train_som"]

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
    prepared: Path,
    model: Path,
    metrics: Path,
    plots: Path,
    params: TrainSomParams,
    *,
    engine: Engine = LOCAL,
) -> Trained:
    """Fit a map on the training rows of ``prepared``; write ``model``, ``metrics`` and ``plots``.

    The metrics are those of the validation rows, in the units of the training rows' scale. The
    quantization error is Euclid's distance whatever the map's metric, so that maps compare.
    """
    started = time.time()
    preparation = Preparation.load(prepared / "preparation.npz")
    training, validation = (
        scaled_rows(prepared, split, preparation) for split in ("train", "validation")
    )
    few = validation.first(N_ROWS)
    rows, held_out = engine.spread(training), engine.spread(validation)
    with measured(few) as cost:
        som = new_map(params).fit(rows)
    cost.time_call(som.predict)
    segments = segment_units(som.codebook_, n_segments=params.n_segments, **grid_of(som))
    numbers = {
        "n_rows": rows.n_rows,
        "n_units": len(som.codebook_),
        **map_errors(som, held_out),
        "dead_unit_share": dead_share(som, rows),
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


def scaled_rows(prepared: Path, split: str, preparation: Preparation) -> Blocks:
    """Return all columns that a map sees, prepared."""
    columns = preparation.columns
    rows = prepared_batches(prepared, split, columns).mapped(preparation.transform)
    return rows.kept(len(columns))


def map_errors(som: SelfOrganizingMap, rows: Spread) -> dict[str, float]:
    """Return both errors of a map, each the mean of prepared ``rows``."""
    quantization, topographic = Mean(), Mean()
    for sums in rows.runs(partial(_sums_of_errors, som), _cuts(som, rows)):
        for distance, n_torn, n in sums:
            quantization.add_sum(distance, n)
            topographic.add_sum(n_torn, n)
    return {"quantization_error": quantization.value, "topographic_error": topographic.value}


def _sums_of_errors(
    som: SelfOrganizingMap, blocks: Iterator[Numbered]
) -> list[tuple[float, float, int]]:
    """Return for each block the sum of distances, how many samples are torn, and of how many."""
    found = []
    for _, X, _ in blocks:
        torn = torn_samples(X, som.codebook_, **grid_of(som), metric=som.metric)
        distances = nearest_units(X, som.codebook_)[1]
        found.append((float(np.sum(distances)), float(np.sum(torn)), len(X)))
    return found


def dead_share(som: SelfOrganizingMap, rows: Spread) -> float:
    """Return the share of units that none of the prepared ``rows`` reaches."""
    hits = sum(rows.runs(partial(_hits, som), _cuts(som, rows)))
    return dead_unit_share(np.flatnonzero(hits), len(som.codebook_))


def _hits(som: SelfOrganizingMap, blocks: Iterator[Numbered]) -> np.ndarray:
    hits = np.zeros(len(som.codebook_), np.int64)
    for _, X, _ in blocks:
        hits += np.bincount(som.predict(X), minlength=len(hits))
    return hits


def _cuts(som: SelfOrganizingMap, rows: Spread) -> list[int]:
    return cuts_of(rows.n_rows, block_rows(som.n_features_in_))


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
    with opened_engine(params, "train_som") as engine:
        trained = train_som(
            prepared=Path("data/prepared"),
            model=model,
            metrics=Path("reports/train_som.json"),
            plots=plots,
            params=params.train_som,
            engine=engine,
        )
    record_run("train_som", trained, params, model, plots)
    return trained.metrics


if __name__ == "__main__":
    run_stage("train_som", _stage)
