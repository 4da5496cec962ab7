"""Registration: what was evaluated becomes a version, with the runs behind it."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import ReleaseError
from modemap.files import canonical_json, read_json, sha256_file
from modemap.lifecycle.approve import REQUESTED_BY
from modemap.lifecycle.candidate import EVALUATION, PAPERS, RELEASE, REPORTS
from modemap.lifecycle.lock import check_lock
from modemap.params import load_params
from modemap.release import release_digest, verify_release
from modemap.tracking.lineage import FILE_TAG, LINEAGE_FILES, read_lineage, requester
from modemap.tracking.registry import Registry, Version
from modemap.tracking.runs import ensure_run
from modemap.tracking.store import Store, open_store
from modemap.tracking.training import TrainingRun

__all__ = ["TRAINED", "register", "trained_part"]

TRAINED = {  # the parts of a release that each training stage made, and what they answer
    "train_som": (("segments.npz", "som.npz"), {"unit": "long"}),
    "train_mixture": (
        ("anomaly.npz", "mixture.npz", "normalizer.npz"),
        {"log_likelihood": "double"},
    ),
}


def register(root: Path, flow_run: str | None = None) -> Version:
    """Register the release in ``models/release``; a digest that has a version already keeps it.

    Parameters
    ----------
    root : Path
        The project's folder.
    flow_run : str or None, default=None
        The flow run that registers it, for its lineage.

    Raises
    ------
    ReleaseError
        If the release is damaged, or is not the one that was evaluated by a complete run.
    RegistryError
        If the store refuses.
    """
    params = load_params(root / "params.yaml")
    release = root / RELEASE
    manifest = verify_release(release)
    digest = release_digest(release)
    evaluation = _evaluation(root / PAPERS[EVALUATION], digest)
    check_lock(root)
    store = open_store(root, params.project)
    runs = {stage: _ensure_training(store, stage, release, manifest) for stage in TRAINED}
    shaping = hashlib.sha256(canonical_json(manifest["params"])).hexdigest()
    tags = read_lineage(root).tags() | {"modemap.params_digest": shaping}
    tags |= {
        f"{FILE_TAG}{name}": sha256_file(root / name)
        for name in LINEAGE_FILES
        if (root / name).is_file()
    }
    tags[REQUESTED_BY] = requester(root)
    if flow_run:
        tags["modemap.flow_run"] = flow_run
    tags |= {f"modemap.run.{stage}": run_id for stage, run_id in runs.items()}
    return Registry(store).register(
        release,
        tags=tags,
        metrics={"evaluate": evaluation},
        evidence={name: root / path for name, path in PAPERS.items() if (root / path).exists()},
        note=_note(evaluation),
    )


def _evaluation(path: Path, digest: str) -> dict[str, Any]:
    try:
        evaluation = read_json(path)
        found = evaluation["release_digest"]
    except FileNotFoundError:
        _refuse(path, "a release is registered after its evaluation", found="no such file")
    except (ValueError, LookupError, TypeError) as error:
        _refuse(path, "must be an evaluation", found=f"{type(error).__name__}: {error}")
    if found != digest:
        _refuse(path, f"must be the evaluation of release {digest}", found=found)
    return dict(evaluation)


def _ensure_training(store: Store, stage: str, release: Path, manifest: Mapping[str, Any]) -> str:
    """Return the run that made the parts of ``stage``, found by their digest, or log it now."""
    report = store.root / REPORTS / f"{stage}.json"
    with trained_part(release, stage) as part:
        run = TrainingRun(
            stage=stage,
            model=part,
            params=manifest["params"].get(stage, {}),
            metrics=read_json(report) if report.is_file() else {},
            columns=manifest["columns"],
            outputs=TRAINED[stage][1],
        )
        return ensure_run(store, run)


@contextmanager
def trained_part(release: Path, stage: str) -> Iterator[Path]:
    """Yield a folder with what ``stage`` made of a release, as the stage has left it."""
    with tempfile.TemporaryDirectory(prefix="modemap-register-") as folder:
        for name in TRAINED[stage][0]:
            shutil.copyfile(release / name, Path(folder, name))
        yield Path(folder)


def _note(evaluation: Mapping[str, Any]) -> str:
    numbers = {
        name: value
        for name, value in evaluation.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    lines = [f"| {name} | {value:.6g} |" for name, value in numbers.items()]
    return "\n".join(["On test rows:", "", "| metric | value |", "|---|---|", *lines])


def _refuse(place: Path, rule: str, *, found: object) -> NoReturn:
    raise ReleaseError(place, rule, found=found, hint="run `dvc repro`, then register again")
