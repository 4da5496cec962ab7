"""Promotion: a version that the gate has passed becomes the champion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import GateRefusedError, RegistryError
from modemap.lifecycle.approve import require_approval
from modemap.lifecycle.history import PROMOTION, Head, History, describe
from modemap.params import load_params
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = ["Promotion", "passed_verdict", "promote"]


@dataclass(frozen=True)
class Promotion:
    """The champion after a promotion, and whether that changed anything."""

    version: int
    digest: str
    changed: bool
    is_shown: bool  # whether MLflow's alias names it by now

    @property
    def notice(self) -> str:
        """What to tell people of the alias, empty if there is nothing to tell."""
        if self.is_shown:
            return ""
        return (
            f"note: MLflow's alias does not name version {self.version} yet;"
            " the history does, and the next promotion, or this one again, moves the alias"
        )


def promote(root: Path, number: int | None = None, why: str = "the gate passed it") -> Promotion:
    """Make version ``number``, by default the newest, the champion; the champion itself stays so.

    Raises
    ------
    GateRefusedError
        If the gate has not passed this very version against the present champion, or nobody has
        approved that where params ask for it.
    RegistryError
        If another promotion came first, or the registry contradicts itself.
    """
    params = load_params(root / "params.yaml")
    registry = Registry(open_store(root, params.project))
    history = History(registry)
    version = registry.get(number)
    head = history.head()
    if head.champion == version.number:
        _check_same(version, head)
        history.heal()
        return Promotion(version.number, version.digest, changed=False, is_shown=history.is_shown)
    verdict = passed_verdict(version, head)
    accepted = verdict.get("accepted_change")
    why = f"{why}; accepted change: {accepted}" if accepted else why
    entry = describe(version, kind=PROMOTION, verdict=verdict["sha256"], why=why)
    if params.approval.required:
        entry["approval"] = str(require_approval(root, version, verdict, params.approval))
    history.promote(head, entry)
    return Promotion(version.number, version.digest, changed=True, is_shown=history.is_shown)


def passed_verdict(version: Version, head: Head) -> dict[str, Any]:
    """Return the verdict by which ``version`` may take the champion's place.

    Raises
    ------
    GateRefusedError
        If the gate has not passed this very version against the present champion.
    """
    verdict = version.verdict
    if verdict is None:
        _refuse(version, "no verdict")
    if verdict["digest"] != version.digest:
        _refuse(version, f"a verdict on another release, {verdict['digest']}")
    if verdict["passed"] is not True:
        _refuse(version, "a refusal")
    if verdict["head"] != head.settled:
        _refuse(version, "a verdict against a champion that has been replaced since")
    return verdict


def _check_same(version: Version, head: Head) -> None:
    if head.entry["digest"] != version.digest:
        raise RegistryError(
            f"version {version.number}",
            f"the history promoted it as {head.entry['digest']}",
            found=version.digest,
            hint="its tags were changed by another hand: restore the tracking store",
        )


def _refuse(version: Version, found: str) -> NoReturn:
    raise GateRefusedError(
        f"version {version.number}",
        "is promoted only after the gate has passed it",
        found=found,
        hint=f"run `modemap gate {version.number}`",
    )
