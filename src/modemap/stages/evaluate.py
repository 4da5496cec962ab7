"""Stage `evaluate`: put the release together, judge it on test rows, give the user's rows back."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from modemap.data.batches import write_parquet
from modemap.data.matrix import read_matrix, read_rows
from modemap.data.split import SPLITS
from modemap.errors import ParamsError, ReleaseError
from modemap.estimators.preparation import Preparation
from modemap.estimators.segments import segment_units
from modemap.files import staged_directory, staged_file, write_json
from modemap.metrics import calibration_error, dead_unit_share, topographic_error
from modemap.params import Params
from modemap.release import Release, load_release, write_golden, write_manifest
from modemap.reporting.pictures import draw_calibration
from modemap.stages.entry import run_stage
from modemap.stages.progress import track
from modemap.stages.train_som import grid_of, new_map

__all__ = ["assemble", "evaluate", "score_rows"]

FloatArray = NDArray[np.float64]

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
        # Without defaults: whether they are written into params.yaml changes no release.
        written = params.model_dump(include=MODEL_PARAMS, mode="json", exclude_defaults=True)
        write_manifest(folder, columns=columns, params=written)
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

    A metric that cannot be computed is null, which the gate takes as failed.
    """
    rows = read_matrix(prepared / "test", release.columns)
    train = read_matrix(prepared / "train", release.columns)
    scores = release.score(rows)
    transforms = release.normalizer.cdf_columns(release.measured(rows))
    by_column = {
        name: calibration_error(values)
        for name, values in zip(release.measured_columns, transforms.T, strict=True)
    }
    n_units = len(release.som.codebook_)
    scaled = release.preparation.transform(rows)
    numbers: dict[str, object] = {
        "release_digest": release.digest,
        "n_rows": len(rows),
        "n_units": n_units,
        "quantization_error": release.quantization_error(rows),
        "topographic_error": topographic_error(
            scaled, release.som.codebook_, **grid_of(release.som), metric=release.som.metric
        ),
        "dead_unit_share": dead_unit_share(scores.units, n_units),
        "stability": stability(release, train, rows, params),
        "log_likelihood": float(np.mean(scores.log_likelihood)),
        "calibration": max(by_column.values()),
        "calibration_by_column": by_column,
        "round_trip_error": round_trip_error(release, rows),
    }
    if params.prepare.label is not None:
        labels = read_rows(prepared / "test", [params.prepare.label])[0]
        numbers["agreement"] = agreement(release, scores.units, scaled, labels)
    with staged_directory(plots) as folder:
        columns = zip(release.measured_columns, transforms.T, strict=True)
        draw_calibration(folder / "calibration.png", dict(columns))
    write_json(metrics, _finite(numbers))
    return numbers


def stability(release: Release, train: FloatArray, rows: FloatArray, params: Params) -> float:
    """Lowest adjusted Rand index between the segments that maps of different seeds give ``rows``.

    Each seed draws its own bootstrap of the training rows, so the index also says how far the
    segments depend on which rows happened to be seen.
    """
    train, rows = (release.preparation.transform(part) for part in (train, rows))
    labels, n_segments = [], params.train_som.n_segments
    n_seeds = params.evaluate.n_seeds
    for seed in track(range(n_seeds), "maps of other seeds", n_seeds):
        rng = np.random.default_rng([params.train_som.random_state, seed])
        drawn = train[rng.integers(len(train), size=len(train))]
        som = new_map(params.train_som, random_state=seed).fit(drawn)
        segments = segment_units(som.codebook_, n_segments=n_segments, **grid_of(som))
        labels.append(segments[som.predict(rows)])
    return float(min(adjusted_rand_score(a, b) for a, b in combinations(labels, 2)))


def agreement(
    release: Release, units: NDArray[np.int64], scaled: FloatArray, labels: pa.ChunkedArray
) -> dict[str, float]:
    """Return how far groups that the models found without ``labels`` are those of the labels.

    The map's units are merged to as many clusters as there are labels; the mixture's groups are its
    components. Rows without a label do not count.
    """
    known = labels.is_valid().to_numpy()
    truth = labels.cast(pa.string()).to_numpy()[known]
    n_labels = min(len(set(truth)), len(release.segments))
    if n_labels == 0:
        return {}
    clusters = segment_units(release.som.codebook_, n_segments=n_labels, **grid_of(release.som))
    of_map = clusters[units][known]
    of_mixture = release.mixture.predict(release.measured(scaled))[known]
    return {
        "n_labels": n_labels,
        "map_adjusted_rand": float(adjusted_rand_score(truth, of_map)),
        "map_mutual_information": float(normalized_mutual_info_score(truth, of_map)),
        "map_purity": purity(truth, of_map),
        "mixture_adjusted_rand": float(adjusted_rand_score(truth, of_mixture)),
        "mixture_mutual_information": float(normalized_mutual_info_score(truth, of_mixture)),
        "mixture_purity": purity(truth, of_mixture),
    }


def purity(truth: NDArray[np.object_], groups: NDArray[np.int64]) -> float:
    """Return the share of rows that have the commonest label of their group."""
    return float(contingency_matrix(truth, groups).max(axis=0).sum() / len(truth))


def round_trip_error(release: Release, rows: FloatArray) -> float:
    """Return the largest absolute difference after encoding ``rows`` and decoding them again."""
    normalizer, rows = release.normalizer, release.measured(rows)
    return float(np.max(np.abs(normalizer.inverse_transform(normalizer.encode(rows)) - rows)))


def score_rows(prepared: Path, release: Release, path: Path, label: str | None = None) -> None:
    """Write every prepared row's key with what the models say of it, in the order of the keys.

    Rows without a key are told by their columns.

    Raises
    ------
    ParamsError
        If a column of the rows has the name of an answer.
    """
    scored = pa.concat_tables(
        [_scored(prepared / split, split, release, label) for split in SPLITS]
    )
    order = [
        (name, "ascending") for name in scored.column_names[: scored.column_names.index("split")]
    ]
    with staged_file(path) as temporary:
        write_parquet(temporary, scored.sort_by(order))


def _scored(path: Path, split: str, release: Release, label: str | None) -> pa.Table:
    table = read_rows(path)
    keys = [name for name in table.column_names if name not in [*release.columns, label]]
    scores = release.score(read_matrix(path, release.columns))
    answers: dict[str, pa.Array | np.ndarray] = {
        "split": pa.repeat(split, len(table)),
        "unit": scores.units,
        "segment": scores.segments,
        "anomaly_percentile": scores.anomaly_percentile,
        "log_likelihood": scores.log_likelihood,
    }
    for name, modes in zip(release.measured_columns, scores.modes.T, strict=True):
        answers[f"{name}_mode"] = np.ascontiguousarray(modes)
    rows = table.select(keys or release.columns)
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
