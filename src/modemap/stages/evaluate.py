"""Stage `evaluate`: put the release together, judge it on test rows, give the user's rows back."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from modemap.data.matrix import matrix, prepared_batches, prepared_tables
from modemap.data.split import SPLITS
from modemap.errors import ParamsError, ReleaseError
from modemap.estimators.alongside import alongside
from modemap.estimators.blocks import Blocks
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.files import staged_directory, staged_file, write_json
from modemap.metrics import (
    adjusted_rand,
    calibration_error,
    dead_unit_share,
    normalized_mutual_information,
    purity,
    torn_samples,
)
from modemap.params import Params
from modemap.release import Release, load_release, read_parts, write_golden, write_manifest
from modemap.reporting.pictures import draw_calibration
from modemap.sketch import ColumnSketch, sketches_of
from modemap.stages.entry import run_stage
from modemap.stages.progress import track
from modemap.stages.reference import keep_reference, zones_of
from modemap.stages.tallies import LabelCounts, Mean, sampled
from modemap.stages.train_som import grid_of, new_map

__all__ = ["assemble", "evaluate", "score_rows"]

FloatArray = NDArray[np.float64]

N_SAMPLE = 1 << 18  # rows that maps of other seeds are fitted to and compared on

MAP = ("segments.npz", "som.npz")
MIXTURE = ("anomaly.npz", "mixture.npz", "normalizer.npz")
MODEL_PARAMS = {"prepare", "train_som", "train_mixture"}  # the sections that shape a release


def assemble(prepared: Path, som: Path, mixture: Path, release: Path, params: Params) -> Release:
    """Write the release directory, its manifest last, and load it as a service would."""
    columns = Preparation.load(prepared / "preparation.npz").columns
    parts = [prepared / "preparation.npz"]
    parts += [folder / name for folder, names in ((som, MAP), (mixture, MIXTURE)) for name in names]
    with staged_directory(release) as folder:
        for part in parts:
            _copy(part, folder)
        with _told_of(parts):
            write_golden(folder)
            keep_reference(prepared, read_parts(folder), folder)
        # Without defaults: whether they are written into params.yaml changes no release.
        written = params.model_dump(include=MODEL_PARAMS, mode="json", exclude_defaults=True)
        write_manifest(folder, columns=columns, params=written, zones=zones_of(prepared))
    return load_release(release)


def _copy(part: Path, folder: Path) -> None:
    if not part.is_file():
        rule, hint = "the model file must exist", "train the model again"
        raise ReleaseError(part, rule, found="no such file", hint=hint)
    shutil.copyfile(part, folder / part.name)


@contextmanager
def _told_of(parts: Iterable[Path]) -> Iterator[None]:
    """Let an error about a copy speak of the part that was copied."""
    try:
        yield
    except ReleaseError as error:
        for part in parts:
            if part.name == Path(error.place).name:
                rule, found = error.rule, error.found
                raise ReleaseError(part, rule, found=found, hint=error.hint) from error
        raise


def evaluate(  # the paths of dvc.yaml
    prepared: Path, release: Release, metrics: Path, plots: Path, params: Params
) -> dict[str, object]:
    """Judge ``release`` on the test rows, which neither model has seen; write ``metrics``.

    A metric that cannot be computed is null, which the gate takes as failed. All are of all test
    rows, but for the stability. The calibration is exact of columns of at most 65,536 different
    values; beyond that values in one bin of a sketch are taken for tied.
    """
    rows = prepared_batches(prepared, "test", release.columns)
    sketches = sketches_of(rows.batches())
    transforms = _transforms(release, sketches)
    by_column = {name: calibration_error(*curve) for name, curve in transforms.items()}
    label = params.prepare.label
    numbers: dict[str, object] = {
        "release_digest": release.digest,
        "n_rows": rows.n_rows,
        "n_units": len(release.som.codebook_),
        **_judged(release, rows, release.yardstick(sketches)),
        "stability": stability(prepared, release, params),
        "calibration": max(by_column.values()),
        "calibration_by_column": by_column,
    }
    if label is not None:
        numbers["agreement"] = agreement(prepared, release, label)
    with staged_directory(plots) as folder:
        draw_calibration(folder / "calibration.png", transforms)
    write_json(metrics, _finite(numbers))
    return numbers


def _transforms(
    release: Release, sketches: Sequence[ColumnSketch]
) -> dict[str, tuple[FloatArray, NDArray[np.int64]]]:
    """Return of each column what its modes put below each value, and how often the value occurs."""
    measured = [sketches[j].values_and_counts() for j in release.preparation.measured_]
    longest = max(len(values) for values, _ in measured)
    padded = [np.pad(values, (0, longest - len(values)), mode="edge") for values, _ in measured]
    shares = release.normalizer.cdf_columns(np.column_stack(padded))
    columns = zip(release.measured_columns, shares.T, measured, strict=True)
    return {name: (pit[: len(counts)], counts) for name, pit, (_, counts) in columns}


def _judged(release: Release, rows: Blocks, yardstick: Preparation) -> dict[str, float]:
    """Return what a single pass over the test rows tells."""
    som, n_units = release.som, len(release.som.codebook_)
    quantization, topographic, log_likelihood = means = Mean(), Mean(), Mean()
    is_hit, round_trip = np.zeros(n_units, np.bool_), 0.0

    def judge(X: FloatArray) -> tuple[list[NDArray[Any]], NDArray[np.int64], float]:
        scaled = release.preparation.transform(X)
        values = [
            release.quantization_errors(X, yardstick),
            torn_samples(scaled, som.codebook_, **grid_of(som), metric=som.metric),
            release.log_likelihood(scaled),
        ]
        return values, som.predict(scaled), round_trip_error(release, X)

    for values, units, error in alongside(judge, rows.batches()):
        for mean, each in zip(means, values, strict=True):
            mean.add(each)
        is_hit[units] = True
        round_trip = max(round_trip, error)
    return {
        "quantization_error": quantization.value,
        "topographic_error": topographic.value,
        "log_likelihood": log_likelihood.value,
        "dead_unit_share": dead_unit_share(np.flatnonzero(is_hit), n_units),
        "round_trip_error": round_trip,
    }


def stability(prepared: Path, release: Release, params: Params) -> float:
    """Lowest adjusted Rand index between the segments that maps of different seeds give test rows.

    Each seed draws its own bootstrap of the training rows, so the index also says how far the
    segments depend on which rows happened to be seen. Of more than 262,144 rows, training or test,
    so many are looked at; see :func:`~modemap.stages.tallies.sampled`.
    """
    columns, key, n_seeds = release.columns, params.prepare.key, params.evaluate.n_seeds
    train, rows = (
        release.preparation.transform(sampled(prepared, split, columns, key, N_SAMPLE))
        for split in ("train", "test")
    )
    labels, n_segments = [], params.train_som.n_segments
    for seed in track(range(n_seeds), "maps of other seeds", n_seeds):
        rng = np.random.default_rng([params.train_som.random_state, seed])
        drawn = train[rng.integers(len(train), size=len(train))]
        som = new_map(params.train_som, random_state=seed).fit(drawn)
        segments = segment_units(som.codebook_, n_segments=n_segments, **grid_of(som))
        labels.append(segments[som.predict(rows)])
    return float(min(adjusted_rand_score(a, b) for a, b in combinations(labels, 2)))


def agreement(prepared: Path, release: Release, label: str) -> dict[str, float]:
    """Return how far groups that the models found without ``label`` are those of its values.

    The map's units are merged to as many clusters as there are labels; the mixture's groups are its
    components. Rows without a label do not count.
    """
    by_unit = LabelCounts(len(release.segments))
    by_component = LabelCounts(release.mixture.n_components_)
    for table in prepared_tables(prepared, "test", [*release.columns, label]):
        scaled = release.preparation.transform(matrix(table, release.columns))
        by_unit.add(table[label], release.som.predict(scaled))
        by_component.add(table[label], release.mixture.predict(release.measured(scaled)))
    n_labels = min(len(by_unit.table), len(release.segments))
    if n_labels == 0:
        return {}
    clusters = segment_units(release.som.codebook_, n_segments=n_labels, **grid_of(release.som))
    by_cluster = by_unit.table @ np.eye(n_labels, dtype=np.int64)[clusters]
    return {
        "n_labels": n_labels,
        **_agreement("map", by_cluster),
        **_agreement("mixture", by_component.table),
    }


def _agreement(name: str, counts: NDArray[np.int64]) -> dict[str, float]:
    return {
        f"{name}_adjusted_rand": adjusted_rand(counts),
        f"{name}_mutual_information": normalized_mutual_information(counts),
        f"{name}_purity": purity(counts),
    }


def round_trip_error(release: Release, rows: FloatArray) -> float:
    """Return the largest absolute difference after encoding ``rows`` and decoding them again."""
    normalizer, rows = release.normalizer, release.measured(rows)
    return float(np.max(np.abs(normalizer.inverse_transform(normalizer.encode(rows)) - rows)))


def score_rows(prepared: Path, release: Release, path: Path, label: str | None = None) -> None:
    """Write every prepared row's key with what the models say of it, in the order of the rows.

    Training rows come first, then validation and test rows, each in the order of their source.
    Rows without a key are told by their columns.

    Raises
    ------
    ParamsError
        If a column of the rows has the name of an answer.
    """
    writer: pq.ParquetWriter | None = None
    with staged_file(path) as temporary, ExitStack() as opened:
        tables = ((split, table) for split in SPLITS for table in prepared_tables(prepared, split))
        watched = track(tables, "scoring blocks of rows")
        for scored in alongside(partial(_scored, release, label), watched):
            if writer is None:
                writer = pq.ParquetWriter(
                    temporary, scored.schema, version="2.6", compression="zstd"
                )
                opened.enter_context(writer)
            writer.write_table(scored)


def _scored(release: Release, label: str | None, rows_of: tuple[str, pa.Table]) -> pa.Table:
    split, table = rows_of
    keys = [name for name in table.column_names if name not in [*release.columns, label]]
    X = matrix(table, release.columns)
    scores = release.score(X)
    answers: dict[str, pa.Array | np.ndarray] = {
        "split": pa.repeat(split, len(table)),
        "unit": scores.units,
        "segment": scores.segments,
        "anomaly_percentile": scores.anomaly_percentile,
        "log_likelihood": scores.log_likelihood,
    }
    for name, modes in zip(release.measured_columns, release.modes(X).T, strict=True):
        answers[f"{name}_mode"] = np.ascontiguousarray(modes)
    rows = table.select(keys or release.columns).replace_schema_metadata(None)
    _check_names(rows.column_names, answers)
    for name, values in answers.items():
        rows = rows.append_column(name, [values])
    return rows


def _check_names(columns: Sequence[str], answers: Iterable[str]) -> None:
    both = sorted(set(columns) & set(answers))
    if both:
        raise ParamsError(
            "prepare.key",
            "no column that tells rows apart may have the name of an answer",
            found=", ".join(both),
            hint="rename the column in the source",
        )


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _stage(params: Params) -> dict[str, object]:
    prepared = Path("data/prepared")
    release = assemble(
        prepared=prepared,
        som=Path("models/som"),
        mixture=Path("models/mixture"),
        release=Path("models/release"),
        params=params,
    )
    score_rows(prepared, release, Path("reports/scores.parquet"), params.prepare.label)
    numbers = evaluate(
        prepared=prepared,
        release=release,
        metrics=Path("reports/evaluate.json"),
        plots=Path("reports/evaluate"),
        params=params,
    )
    return {name: value for name, value in numbers.items() if isinstance(value, int | float)}


if __name__ == "__main__":
    run_stage("evaluate", _stage)
