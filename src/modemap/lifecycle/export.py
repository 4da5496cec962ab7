"""A version as ONNX models, written once they answer as the version does."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modemap.data.derived import derived_names
from modemap.errors import ReleaseError
from modemap.export import (
    TOLERANCE,
    Trial,
    map_disagreement,
    map_graph,
    mixture_disagreement,
    mixture_graph,
    run_graph,
    serialised,
)
from modemap.export.rows import levels
from modemap.files import staged_file
from modemap.params import load_params
from modemap.release import Release, golden_mismatch, golden_rows, load_release
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["MODELS", "export", "export_release", "trial_of"]

MODELS = {
    "map.onnx": (map_graph, map_disagreement),
    "mixture.onnx": (mixture_graph, mixture_disagreement),
}


def export(root: Path, number: int | None, into: Path) -> list[Path]:
    """Write version ``number``, by default the newest, as ONNX models into the folder ``into``.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    RegistryError
        If there is no such version.
    ReleaseError
        If its files are not those of its digest, ONNX cannot express it, or a model answers
        otherwise than it. Nothing is written then.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    version = registry.get(number)
    with tempfile.TemporaryDirectory(prefix="modemap-export-") as folder:
        directory = registry.download(version, Path(folder))
        models = export_release(directory, project=registry.model, version=version.number)
    into.mkdir(parents=True, exist_ok=True)
    return _written(into, models)


def export_release(directory: Path, *, project: str, version: int) -> dict[str, bytes]:
    """Return the models of the release in ``directory`` by file name, tried on its golden rows.

    Raises
    ------
    ReleaseError
        If the release is damaged, ONNX cannot express it, or a model answers otherwise than it.
    """
    release = load_release(directory)
    place = f"version {version}"
    if mismatch := golden_mismatch(directory, release):
        rule = "a release must answer its golden rows before it is exported"
        raise ReleaseError(place, rule, found=mismatch, hint="make it again: `dvc repro evaluate`")
    trial = trial_of(release, golden_rows(directory))
    models = {}
    for name, (graph, disagreement) in MODELS.items():
        model = serialised(graph(release), release, project=project, version=version)
        if wrong := disagreement(trial, run_graph(model, trial.inputs)):
            rule = f"{name} must answer golden rows as the release does, within {TOLERANCE:g}"
            hint = "keep serving this version by `modemap serve`, and report this"
            raise ReleaseError(place, rule, found=wrong, hint=hint)
        models[name] = model
    return models


def trial_of(release: Release, golden: NDArray[np.float64]) -> Trial:
    """Return golden rows as a trial: each level in turn, then each number in turn missing.

    Golden rows are made up, also in the map's columns of categories: these get levels here.
    """
    n_numbers = len(release.measured_columns)
    X = golden[np.arange(len(golden) + n_numbers) % len(golden)]
    X[len(golden) + np.arange(n_numbers), release.preparation.measured_] = np.nan
    known = levels(release)
    texts = {name: _in_turn(listed, len(X)) for name, listed in known.items()}
    categories = {name: np.array(values, object) for name, values in texts.items()}
    for name, listed in known.items():
        for level, column in zip(listed, derived_names({name: listed}, {}), strict=True):
            X[:, release.columns.index(column)] = categories[name] == level
    return Trial(release, X, categories)


def _in_turn(listed: list[str], n: int) -> list[str]:
    """Return the levels over and over, and between them a text that is none."""
    none = "".join(listed) + "?"
    return [[*listed, none][i % (len(listed) + 1)] for i in range(n)]


def _written(into: Path, models: dict[str, Any]) -> list[Path]:
    """Write all the files, or none: each is whole before the first gets its name."""
    (first, *others) = models
    with staged_file(into / first) as staged:
        staged.write_bytes(models[first])
        paths = _written(into, {name: models[name] for name in others}) if others else []
    return [into / first, *paths]
