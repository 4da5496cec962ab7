"""What the trainings of a project cost, run by run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from modemap.tracking.store import Store

__all__ = ["TrainingCost", "recent_costs"]

PREFIX = "usage."


@dataclass(frozen=True)
class TrainingCost:
    """What one training took.

    Attributes
    ----------
    stage : str
    digest : str
        Of the model that came of it.
    started : str
        ISO date and time.
    usage : mapping of str to float
        In the units of the names.
    """

    stage: str
    digest: str
    started: str
    usage: Mapping[str, float]


def recent_costs(store: Store, limit: int) -> list[TrainingCost]:
    """Return what the newest trainings cost, at most ``limit`` of them, the oldest first.

    Models that came from DVC's cache cost nothing and are none of them.

    Raises
    ------
    RegistryError
        If the store refuses.
    """
    where = (
        "tags.`modemap.kind` = 'training' AND tags.`modemap.restored` = 'false'"
        " AND attributes.status = 'FINISHED'"
    )
    with store.asked() as client:
        runs = client.search_runs(
            [store.experiment_id], where, max_results=limit, order_by=["attributes.start_time DESC"]
        )
    return [
        TrainingCost(
            run.data.tags["modemap.stage"],
            run.data.tags["modemap.digest"],
            datetime.fromtimestamp(run.info.start_time / 1e3, UTC).isoformat(timespec="seconds"),
            {
                name.removeprefix(PREFIX): value
                for name, value in run.data.metrics.items()
                if name.startswith(PREFIX)
            },
        )
        for run in reversed(runs)
    ]
