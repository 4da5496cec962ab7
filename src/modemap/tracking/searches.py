"""Searches: a run for each, with a child run for each of its trials."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modemap.tracking._opened import close_abandoned, opened_run, reopened_run
from modemap.tracking.lineage import UNKNOWN, Lineage, read_lineage
from modemap.tracking.runs import PREPARED, flat, numbers
from modemap.tracking.store import Store

__all__ = ["SearchRecord", "TrialRun", "opened_search"]

SEARCH, TRIAL = "modemap.search", "modemap.trial"
PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class TrialRun:
    """What is told of one trial."""

    number: int
    state: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    started: float  # seconds since 1970
    ended: float
    why: str | None = None


class SearchRecord:
    """The open run of a search."""

    def __init__(self, store: Store, run_id: str, lineage: Lineage, name: str) -> None:
        self._store, self.run_id, self._name = store, run_id, name
        self._tags = _data_tags(lineage) | {SEARCH: name, PARENT: run_id}
        with store.asked() as client:
            where = f"tags.`{PARENT}` = '{run_id}'"
            # No more of them than trials, of which a person waits for every one.
            found = client.search_runs([store.experiment_id], where, max_results=50_000)
        self._logged = {run.data.tags[TRIAL] for run in found if run.info.status != "KILLED"}

    def log(self, trial: TrialRun) -> bool:
        """Log ``trial`` as a child, unless it was before; tell whether it was new."""
        if str(trial.number) in self._logged:
            return False
        from mlflow.entities import Metric, Param

        tags = self._tags | {"modemap.kind": "trial", TRIAL: str(trial.number)}
        tags |= {"modemap.state": trial.state} | ({"modemap.why": trial.why} if trial.why else {})
        at = int(trial.ended * 1000)
        metrics = [Metric(name, value, at, 0) for name, value in numbers(trial.metrics).items()]
        params = [Param(name, str(value)) for name, value in flat(trial.params).items()]
        name = f"trial-{trial.number}"
        with (
            self._store.asked() as client,
            opened_run(self._store, name, tags, trial.started) as run_id,
        ):
            client.log_batch(run_id, metrics, params)
        self._logged.add(str(trial.number))
        return True

    def conclude(self, metrics: Mapping[str, Any], pictures: Sequence[Path]) -> None:
        """Log what came of the search, and its pictures."""
        with self._store.asked() as client:
            for name, value in numbers(metrics).items():
                client.log_metric(self.run_id, name, value)
            for picture in pictures:
                client.log_artifact(self.run_id, str(picture))


@contextmanager
def opened_search(store: Store, name: str) -> Iterator[SearchRecord]:
    """Yield the run of the search ``name``: the one that was there before goes on.

    It ends as finished, failed or killed with the block.

    Raises
    ------
    RegistryError
        If the store refuses.
    """
    lineage = read_lineage(store.root)
    close_abandoned(store)
    where = f"tags.`{SEARCH}` = '{name}' AND tags.`modemap.kind` = 'search'"
    with store.asked() as client:
        found = client.search_runs([store.experiment_id], where, max_results=1)
    tags = _data_tags(lineage) | {SEARCH: name, "modemap.kind": "search"}
    opened = (
        reopened_run(store, found[0].info.run_id) if found else opened_run(store, "search", tags)
    )
    with opened as run_id:
        yield SearchRecord(store, run_id, lineage, name)


def _data_tags(lineage: Lineage) -> dict[str, str]:
    return lineage.tags(PREPARED) | {"modemap.data": lineage.data.get(PREPARED, UNKNOWN)}
