"""Rollouts: a challenger beside the champion, begun, withdrawn or promoted by the history.

The service reads what is rolled out from the history's head, as it reads the champion; whoever
decides, a person or the service, adds an entry there, and of two at once one wins.
"""

from pathlib import Path
from typing import NoReturn

from modemap.errors import GateRefusedError, ParamsError, RegistryError
from modemap.lifecycle.approve import require_approval
from modemap.lifecycle.history import (
    CANARY,
    SHADOW,
    WITHDRAWAL,
    Head,
    History,
    Rollout,
    signed,
    withdrawn,
)
from modemap.lifecycle.promote import Promotion, passed_verdict, promote
from modemap.params import load_params
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = ["advance", "complete", "roll_out", "withdraw"]


def roll_out(
    root: Path, number: int | None = None, *, kind: str = CANARY, share: float = 0.1, why: str
) -> Rollout:
    """Put version ``number``, by default the newest, beside the champion.

    Parameters
    ----------
    root : Path
        The project's folder.
    number : int or None, default=None
        The challenger.
    kind : {"canary", "shadow"}, default="canary"
        A canary answers requests, so it needs what a promotion needs: the gate's verdict against
        the present champion and, where params ask for it, an approval. A shadow answers none.
    share : float, default=0.1
        Of the requests, above 0 and at most 1.
    why : str
        Kept in the history.

    Raises
    ------
    ParamsError
        If ``kind`` or ``share`` cannot be used.
    GateRefusedError
        If a canary has not passed the gate, was withdrawn before, or lacks an approval.
    RegistryError
        If there is no champion, another challenger is beside it, or another entry came first.
    """
    if kind not in {CANARY, SHADOW}:
        hint = f"name {CANARY} or {SHADOW}"
        raise ParamsError("kind of rollout", "must be one there is", found=kind, hint=hint)
    if not 0 < share <= 1:
        hint = "0.1 is a tenth of the requests"
        raise ParamsError("share", "must be above 0 and at most 1", found=share, hint=hint)
    params = load_params(root / "params.yaml")
    registry = Registry(open_store(root, params.project))
    history = History(registry)
    version, head = registry.get(number), history.head()
    _check_free(version, head)
    rollout = Rollout(kind, version.number, version.digest, share)
    entry = _entry(head, kind, rollout, why)
    if kind == CANARY:
        verdict = passed_verdict(version, head)
        _check_not_withdrawn(version, history)
        if params.approval.required:
            approval = require_approval(root, version, verdict, params.approval)
            entry["approval"] = str(approval)
    begun = history.promote(head, entry).rollout
    assert begun is not None  # noqa: S101  # the entry that won is the one above
    return begun


def advance(root: Path, number: int) -> Promotion | Rollout:
    """Promote a version that the gate has passed, or roll it out where params name a share.

    Without a champion beside which it could stand it is promoted. One that is the canary already
    stays it.

    Raises
    ------
    ModemapError
        As :func:`roll_out` and :func:`~modemap.lifecycle.promote.promote`.
    """
    params = load_params(root / "params.yaml")
    share = params.serve.rollout.share
    head = History(Registry(open_store(root, params.project))).head()
    if not share or head.champion in {None, number}:
        return promote(root, number)
    beside = head.rollout
    if beside is not None and (beside.kind, beside.version) == (CANARY, number):
        return beside
    return roll_out(root, number, share=share, why="the gate passed it")


def withdraw(root: Path, *, why: str, number: int | None = None) -> Rollout | None:
    """Take the challenger away; return it, or None if there was none to take.

    Parameters
    ----------
    root : Path
        The project's folder.
    why : str
        Kept in the history. The gate refuses a canary's release for it from then on.
    number : int or None, default=None
        The entry that began the rollout, where no other may be withdrawn in its place.

    Raises
    ------
    RegistryError
        If the registry does not answer, or another entry came first.
    """
    history = History(Registry(open_store(root, load_params(root / "params.yaml").project)))
    head = history.head()
    rollout = head.rollout
    if rollout is None or number not in {None, rollout.number}:
        return None
    history.promote(head, _entry(head, WITHDRAWAL, rollout, why))
    return rollout


def complete(root: Path, rollout: Rollout, *, why: str) -> Promotion | None:
    """Promote the challenger; None if it is beside the champion no more.

    Raises
    ------
    GateRefusedError
        If it may not be promoted, see :func:`~modemap.lifecycle.promote.promote`.
    RegistryError
        If the registry does not answer, or another entry came first.
    """
    history = History(Registry(open_store(root, load_params(root / "params.yaml").project)))
    found = history.head().rollout
    if found is None or found.number != rollout.number:
        return None
    return promote(root, rollout.version, why)


def _entry(head: Head, kind: str, rollout: Rollout, why: str) -> dict[str, str]:
    """Return an entry that says all of the champion as its own entry does, and of the rollout."""
    names = {"to", "digest", "verdict", "made_from"} & head.entry.keys()
    kept = {name: head.entry[name] for name in names}
    return {**kept, **signed(kind=kind, why=why), "rollout": rollout.tag()}


def _check_free(version: Version, head: Head) -> None:
    if head.champion is None:
        _refuse(version, "there must be a champion beside it", "none", "modemap promote")
    if head.champion == version.number:
        _refuse(version, "must be another than the champion", "the champion", "modemap register")
    if head.rollout is not None:
        found = f"{head.rollout.kind} of version {head.rollout.version}"
        _refuse(version, "one challenger at a time", found, "modemap withdraw --why TEXT")


def _check_not_withdrawn(version: Version, history: History) -> None:
    why = withdrawn(history.walk()).get(version.digest)
    if why is not None:
        rule, hint = "was taken back before", "train another release"
        raise GateRefusedError(f"version {version.number}", rule, found=why, hint=hint)


def _refuse(version: Version, rule: str, found: str, command: str) -> NoReturn:
    hint = f"see `modemap history`; `{command}` comes first"
    raise RegistryError(f"version {version.number}", rule, found=found, hint=hint)
