"""A search from start to end: ask, measure in other processes, tell, record, choose."""

import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modemap.data.matrix import prepared_files
from modemap.errors import DataError, ModemapError, StageError
from modemap.params import PARAMS_FILE, Params, load_params
from modemap.search.choice import Trial, best_map, best_mixture, front
from modemap.search.measuring import Job, Measured, measure, workers
from modemap.search.picture import draw_search
from modemap.search.space import draw_map, draw_mixture
from modemap.search.study import SearchStudy, opened_study, study_name
from modemap.stages.entry import check_version
from modemap.tracking.searches import SearchRecord, TrialRun, opened_search
from modemap.tracking.store import open_store

if TYPE_CHECKING:
    from optuna import Trial as AskedTrial

__all__ = ["PICTURE", "Found", "search"]

PREPARED = Path("data/prepared")
PICTURE = Path("reports/search/fronts.png")
READ = ("train", "validation")  # never test
ENDED = ("complete", "pruned", "failed")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What came of a search; a best trial is None where nothing beats the present params."""

    name: str
    params: Params
    trials: list[Trial]
    present: Trial
    front: list[Trial]
    best_map: Trial | None
    best_mixture: Trial | None
    picture: Path

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return by section the values that the best map and mixture have in place of others."""
        chosen = {"train_som": self.best_map, "train_mixture": self.best_mixture}
        return {
            section: _changes(self.present.params[section], trial.params[section])
            for section, trial in chosen.items()
            if trial is not None
        }


def _changes(present: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in other.items() if value != present[key]}


def search(
    root: Path,
    *,
    n_trials: int | None = None,
    seconds: float | None = None,
    n_jobs: int = 1,
    storage: str | None = None,
) -> Found:
    """Try params of both models until ``n_trials`` trials have ended, and choose among them.

    What is None is as ``params.search`` has it. The first trial is of the present params. Trials of
    an earlier call with the same data, params and objectives count: a search that was killed goes
    on. One job draws and finds the same in every run; several do not, as who ends first decides
    what is drawn next.

    Raises
    ------
    ParamsError, DataError, RegistryError
        If params, prepared rows, the storage or the tracking store are not as they must be.
    StageError
        If a process that measured was killed.
    """
    params = load_params(root / PARAMS_FILE)
    check_version(params)
    settings = params.search
    stop = seconds if seconds is not None else settings.seconds
    run = _Run(
        root / PREPARED, params, n_trials or settings.n_trials,
        time.monotonic() + stop if stop is not None else None,
    )  # fmt: skip
    name = _name(root, params)
    with (
        opened_study(root, name, settings, storage) as study,
        opened_search(open_store(root, params.project), name) as record,
    ):
        study.end_killed()
        _record(record, study)
        with workers(n_jobs) as pool:
            for _ in run.trials(study, pool, n_jobs):
                _record(record, study)
        found = _chosen(root, name, params, study.trials())
        record.conclude(_told(found), [found.picture])
    return found


def _name(root: Path, params: Params) -> str:
    """Return the study's name: it changes with all that a trial's numbers depend on."""
    prepared = root / PREPARED
    files = [path for split in READ for path in prepared_files(prepared, split)]
    facts = params.model_dump(mode="json", include={"train_som", "train_mixture", "gate"})
    facts["search"] = params.search.model_dump(mode="json", exclude={"n_trials", "seconds"})
    return study_name(params.project, facts, [prepared / "preparation.npz", *files])


@dataclass(frozen=True)
class _Run:
    """One call's share of a search."""

    prepared: Path
    params: Params
    n_trials: int
    deadline: float | None  # of time.monotonic

    def trials(self, study: SearchStudy, pool: ProcessPoolExecutor, n_jobs: int) -> Iterator[None]:
        """Begin trials and end them; yield after each."""
        running: dict[Future[Measured], AskedTrial] = {}
        while True:
            while len(running) < n_jobs and self._may_begin(study):
                trial, job = self._asked(study)
                running[pool.submit(measure, job)] = trial
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                _end(study, running.pop(future), future)
                yield

    def _may_begin(self, study: SearchStudy) -> bool:
        trials = study.trials()
        begun = sum(trial.state in (*ENDED, "running") for trial in trials)
        if not any(trial.is_present for trial in trials if trial.state != "killed"):
            return True  # nothing can be chosen without it, however little time there is
        in_time = self.deadline is None or time.monotonic() < self.deadline
        return begun < self.n_trials and in_time

    def _asked(self, study: SearchStudy) -> tuple["AskedTrial", Job]:
        is_present = not any(t.is_present and t.state != "killed" for t in study.trials())
        trial, place = study.ask(is_present=is_present)
        som, mixture = self.params.train_som, self.params.train_mixture
        if not is_present:
            # Every second one has as many units: only those can be compared with the present map.
            som = draw_map(trial, self.params, is_resized=place % 2 == 0)
            mixture = draw_mixture(trial, self.params)
        sections = {"train_som": som, "train_mixture": mixture}
        study.keep_params(
            trial, {name: section.model_dump(mode="json") for name, section in sections.items()}
        )
        return trial, Job(self.prepared, som, mixture, self.params.gate, may_stop=not is_present)


def _end(study: SearchStudy, trial: "AskedTrial", future: Future[Measured]) -> None:
    try:
        measured = future.result()
    except BrokenProcessPool as error:
        raise StageError(
            "modemap search",
            "the processes that train must end by themselves",
            found="one was killed, often for want of memory",
            hint="repeat the command with `--jobs 1`: it goes on where it stopped",
        ) from error
    except ModemapError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:
        study.fail(trial, " ".join(str(error).split()) or type(error).__name__)
    else:
        study.tell(trial, measured.numbers, measured.stopped)


def _record(record: SearchRecord, study: SearchStudy) -> None:
    """Log every trial that has ended and was not logged yet."""
    trials = [trial for trial in study.trials() if trial.state in ENDED]
    new = [record.log(_run(trial)) for trial in trials]
    if any(new):
        logger.info("search: %d trials", len(trials))


def _run(trial: Trial) -> TrialRun:
    return TrialRun(
        trial.number, trial.state, trial.params, trial.numbers, trial.started, trial.ended,
        trial.why,
    )  # fmt: skip


def _chosen(root: Path, name: str, params: Params, trials: list[Trial]) -> Found:
    tried = [trial for trial in trials if trial.is_present and trial.state in ENDED]
    present = next((trial for trial in tried if trial.is_usable), None)
    if present is None:
        raise DataError(
            root / PREPARED,
            "the present params must train on it: there is nothing to beat else",
            found=tried[0].why if tried else "another search is still trying them",
            hint="run `dvc repro`, which says more" if tried else "repeat the command later",
        )
    of_map = best_map(trials, present, params.gate)
    of_mixture = best_mixture(trials, present, params.gate)
    picture = root / PICTURE
    draw_search(picture, trials, present, (of_map, of_mixture))
    return Found(
        name, params, trials, present, front(trials, params.search.objectives), of_map, of_mixture,
        picture,
    )  # fmt: skip


def _told(found: Found) -> dict[str, Any]:
    """Return as metrics how good the present and the best models are."""
    by_map, by_mixture = found.best_map or found.present, found.best_mixture or found.present
    of_map, of_mixture = ("quantization_error", "topographic_error"), ("log_likelihood",)
    return {
        "trials": sum(trial.state in ENDED for trial in found.trials),
        "present": {name: found.present.numbers[name] for name in (*of_map, *of_mixture)},
        "best": {name: by_map.numbers[name] for name in of_map}
        | {name: by_mixture.numbers[name] for name in of_mixture},
    }
