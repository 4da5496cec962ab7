"""The storage of a search: trials asked for, told, and found again after a kill."""

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from modemap.errors import ParamsError, RegistryError
from modemap.files import canonical_json, is_running, sha256_file
from modemap.params import SearchParams
from modemap.search.choice import DIRECTIONS, Trial

__all__ = ["SearchStudy", "opened_study", "study_name"]

DATABASE = Path(".modemap", "search.db")
STORAGE = "modemap search --storage"
PROCESS, PRESENT, PARAMS, NUMBERS, WHY = "process", "present", "params", "numbers", "why"
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def study_name(project: str, facts: Mapping[str, Any], files: Sequence[Path]) -> str:
    """Return the name that searches share which may go on from one another's trials."""
    known = {"facts": facts, "files": [[path.name, sha256_file(path)] for path in files]}
    return f"{project}-{hashlib.sha256(canonical_json(known)).hexdigest()[:12]}"


class SearchStudy:
    """A study of Optuna's with what this project keeps of each trial."""

    def __init__(self, study: optuna.Study, search: SearchParams) -> None:
        self._study, self._search = study, search

    def ask(self, *, is_present: bool) -> tuple[optuna.Trial, int]:
        """Begin a trial; return it with its place among those that were not killed.

        The place seeds the sampler, so that a search that was killed draws as if it had not been.
        """
        place = sum(trial.state != "killed" for trial in self.trials())
        self._study.sampler = TPESampler(
            seed=_seed(self._search.random_state, place), multivariate=False
        )
        process = [socket.gethostname(), os.getpid()]
        # Noted before it runs: there is no moment at which a kill leaves a trial of nobody.
        self._study.enqueue_trial({}, user_attrs={PROCESS: process})
        trial = self._study.ask()
        trial.set_user_attr(PROCESS, process)
        trial.set_user_attr(PRESENT, is_present)
        return trial, place

    def keep_params(self, trial: optuna.Trial, params: Mapping[str, Any]) -> None:
        """Note what the models of ``trial`` are trained with."""
        trial.set_user_attr(PARAMS, dict(params))

    def tell(
        self, trial: optuna.Trial, numbers: Mapping[str, float], stopped: str | None = None
    ) -> None:
        """End ``trial``: stopped early, or with its numbers, all of which must be finite."""
        trial.set_user_attr(NUMBERS, dict(numbers))
        if stopped is not None:
            trial.set_user_attr(WHY, stopped)
            self._study.tell(trial, state=TrialState.PRUNED)
            return
        odd = [name for name in DIRECTIONS if not abs(numbers[name]) < float("inf")]
        if odd:
            self.fail(trial, f"{odd[0]} is {numbers[odd[0]]}")
        else:
            values = [numbers[name] for name in self._search.objectives]
            self._study.tell(trial, values)

    def fail(self, trial: optuna.Trial, why: str) -> None:
        """End ``trial`` as one whose models could not be trained or measured."""
        trial.set_user_attr(WHY, why)
        self._study.tell(trial, state=TrialState.FAIL)

    def end_killed(self) -> None:
        """End the trials that a process of this machine left open when it was killed."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            host, process = trial.user_attrs.get(PROCESS, (None, 0))
            if host == socket.gethostname() and not is_running(process):
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def trials(self) -> list[Trial]:
        """Return all trials that ran or run, by their number."""
        return [
            _trial(found) for found in self._study.get_trials(deepcopy=False, states=tuple(STATES))
        ]


@contextmanager
def opened_study(
    root: Path, name: str, search: SearchParams, url: str | None = None
) -> Iterator[SearchStudy]:
    """Yield the study ``name`` of the storage at ``url``, by default a file of the project.

    Raises
    ------
    ParamsError
        If ``url`` is no address, or its driver is not installed.
    RegistryError
        If the storage does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lower, higher = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
    directions = [lower if DIRECTIONS[name] > 0 else higher for name in search.objectives]
    with _explained(url):
        storage = _storage(root, url)
        try:
            study = optuna.create_study(
                storage=storage, study_name=name, directions=directions, load_if_exists=True
            )
            yield SearchStudy(study, search)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _storage(root: Path, url: str | None) -> RDBStorage:
    if url is None:
        (root / DATABASE).parent.mkdir(exist_ok=True)
        return RDBStorage(f"sqlite:///{root / DATABASE}")
    try:
        return RDBStorage(url)
    except (ArgumentError, ImportError, NoSuchModuleError, ValueError) as error:
        raise ParamsError(
            STORAGE,
            "must be an address of SQLAlchemy's whose driver is installed",
            found=type(error).__name__,
            hint="write it as sqlite:///search.db or postgresql+psycopg2://user@host/name",
        ) from error


@contextmanager
def _explained(url: str | None) -> Iterator[None]:
    """Tell what the storage says without its address, which may hold a password."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise RegistryError(
            DATABASE if url is None else STORAGE,
            "the storage of the search must answer",
            found=type(error.__cause__ or error).__name__,
            hint="see that it can be reached and written, then repeat the command",
        ) from error


def _seed(random_state: int, place: int) -> int:
    digest = hashlib.blake2b(f"{random_state} {place}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)


def _trial(found: FrozenTrial) -> Trial:
    """Return what is kept of a trial; one that failed and does not say why was killed."""
    attributes = found.user_attrs
    is_killed = found.state == TrialState.FAIL and WHY not in attributes
    return Trial(
        number=found.number,
        state="killed" if is_killed else STATES[found.state],
        is_present=attributes.get(PRESENT, False),
        params=attributes.get(PARAMS, {}),
        numbers=attributes.get(NUMBERS, {}),
        why=attributes.get(WHY),
        started=_seconds(found.datetime_start),
        ended=_seconds(found.datetime_complete),
    )


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
