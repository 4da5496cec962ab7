"""The gate: evidence is collected, judged by the table of rules, and the verdict kept."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modemap.files import write_json
from modemap.lifecycle.candidate import (
    RELEASE,
    Candidate,
    LocalCandidate,
    Promoted,
    RegisteredCandidate,
)
from modemap.lifecycle.card import keep_card
from modemap.lifecycle.evidence.collect import collect_evidence
from modemap.lifecycle.history import History, withdrawn
from modemap.lifecycle.lock import check_lock
from modemap.lifecycle.rules import NOT_CHECKABLE, RULES, Evidence, Result, Rule
from modemap.lifecycle.verdict import VERDICT, Verdict
from modemap.params import load_params
from modemap.release import verify_release
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, store_exists

__all__ = ["gate", "gate_here", "judge"]

PREPARED = Path("data", "prepared")


@dataclass(frozen=True)
class Rival:
    """What the history says when a release is judged."""

    champion: Promoted | None
    withdrawn: Mapping[str, str]  # digests that were rolled back from, and why


def judge(evidence: Evidence, rules: Sequence[Rule] = RULES) -> tuple[Result, ...]:
    """Return the result of every rule; a rule that trips over the evidence could not check it."""
    return tuple(replace(_judged(rule, evidence), rule=rule.name) for rule in rules)


def gate(
    root: Path, number: int | None = None, accept_change: str | None = None, *, keep: bool = True
) -> Verdict:
    """Judge version ``number``, by default the newest, and keep the verdict on the version.

    The champion keeps the verdict that it was promoted on: it could only be compared with itself.

    Parameters
    ----------
    root : Path
        The project's folder.
    number : int or None, default=None
        The version.
    accept_change : str or None, default=None
        Why a release that cannot be compared with the champion may pass; kept in the verdict.
    keep : bool, default=True
        Whether the verdict is kept, on the version and in the checkout.

    Returns
    -------
    Verdict
        It may be a refusal: ``verdict.require()`` raises then.

    Raises
    ------
    RegistryError
        If the version or the history cannot be read.
    """
    project = load_params(root / "params.yaml").project
    registry = Registry(open_store(root, project))
    version = registry.get(number)
    history = History(registry)
    head = history.head()
    candidate = RegisteredCandidate(registry, version)
    rival = Rival(Promoted.of(registry, head), withdrawn(history.walk()))
    verdict, evidence = _judge_release(root, candidate, rival, accept_change, version.number)
    if not keep:
        return verdict
    write_json(root / VERDICT, verdict.record())
    if head.champion == version.number:
        return verdict
    registry.log_metrics(version.run_id, {"release": evidence.trial, "gate": _margins(verdict)})
    registry.record_verdict(version, verdict.record(), head.settled)
    keep_card(root, version.number)
    return verdict


def gate_here(root: Path, accept_change: str | None = None, *, keep: bool = True) -> Verdict:
    """Judge the release in ``models/release`` as it lies there; nothing is registered or changed.

    With ``keep`` the verdict is written to the checkout's reports.

    Raises
    ------
    ReleaseError
        If the release is damaged or not what the last complete run of the graph left.
    RegistryError
        If the history cannot be read.
    """
    verify_release(root / RELEASE)
    check_lock(root)
    rival = Rival(None, {})
    if store_exists(root):
        registry = Registry(open_store(root, load_params(root / "params.yaml").project))
        history = History(registry)
        rival = Rival(Promoted.of(registry, history.head()), withdrawn(history.walk()))
    verdict, _ = _judge_release(root, LocalCandidate(root), rival, accept_change, None)
    if keep:
        write_json(root / VERDICT, verdict.record())
    return verdict


def _judge_release(
    root: Path,
    candidate: Candidate,
    rival: Rival,
    accept_change: str | None,
    number: int | None,
) -> tuple[Verdict, Evidence]:
    """Return the verdict and what it rests on."""
    with tempfile.TemporaryDirectory(prefix="modemap-gate-") as folder:
        evidence = collect_evidence(
            candidate,
            rival.champion,
            prepared=root / PREPARED,
            withdrawn=rival.withdrawn,
            accept_change=accept_change,
            params=load_params(root / "params.yaml").gate,
            folder=Path(folder),
        )
    compared = rival.champion.number if rival.champion else None
    verdict = Verdict(number, candidate.digest, compared, accept_change, judge(evidence))
    return verdict, evidence


def _margins(verdict: Verdict) -> dict[str, float]:
    """Return the numbers that were compared with a bound, for MLflow's pages."""
    return {r.rule: r.value for r in verdict.results if isinstance(r.value, float)}


def _judged(rule: Rule, evidence: Evidence) -> Result:
    try:
        return rule.judge(evidence)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"the evidence has another form: {type(error).__name__}: {error}"
        return Result(NOT_CHECKABLE, None, None, why)
