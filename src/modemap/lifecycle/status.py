"""Who the champion is, by the history."""

from dataclasses import dataclass
from pathlib import Path

from modemap.lifecycle.history import History, Rollout
from modemap.params import load_params
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, store_exists

__all__ = ["Champion", "status"]

EVALUATED = "evaluate."


@dataclass(frozen=True)
class Champion:
    """The promoted release."""

    model: str
    version: int
    digest: str
    metrics: dict[str, float]  # of its evaluation
    since: str  # when it was promoted, UTC
    who: str
    why: str
    anchor: str  # NUMBER:LINK of the entry, which `modemap verify --anchor` asks for
    rollout: Rollout | None  # the challenger beside it
    alias: int | None  # version that MLflow's pages call champion: the same unless someone moved it


def status(root: Path) -> Champion | None:
    """Return the champion, or None if there is none yet. Nothing is made or changed.

    Raises
    ------
    RegistryError
        If the store cannot be read or contradicts itself.
    """
    params = load_params(root / "params.yaml")
    if not store_exists(root):
        return None
    registry = Registry(open_store(root, params.project))
    head = History(registry).head()
    if head.champion is None:
        return None
    version = registry.get(head.champion)
    metrics = {
        name.removeprefix(EVALUATED): value
        for name, value in sorted(registry.metrics(version).items())
        if name.startswith(EVALUATED)
    }
    entry = head.entry
    return Champion(
        model=registry.model,
        version=head.champion,
        digest=entry["digest"],
        metrics=metrics,
        since=entry["when"],
        who=entry["who"],
        why=entry["why"],
        anchor=f"{head.number}:{head.link}",
        rollout=head.rollout,
        alias=registry.alias(),
    )
