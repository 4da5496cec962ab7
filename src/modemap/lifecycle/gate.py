"""The gate: evidence is collected, judged by the table of rules, and the verdict kept."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modemap.errors import GateRefusedError
from modemap.files import read_json, write_json
from modemap.lifecycle.candidate import (
    RELEASE,
    Candidate,
    LocalCandidate,
    Promoted,
    RegisteredCandidate,
)
from modemap.lifecycle.card import keep_card
from modemap.lifecycle.evidence import collect_evidence
from modemap.lifecycle.history import History, withdrawn
from modemap.lifecycle.lock import check_lock
from modemap.lifecycle.rules import FAILED, NOT_CHECKABLE, RULES, Evidence, Result, Rule
from modemap.params import load_params
from modemap.release import verify_release
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store, store_exists

__all__ = ["Verdict", "gate", "gate_here", "judge", "kept_verdict", "last_verdict"]

VERDICT = Path("reports", "verdict.json")  # the last one given in a checkout
PREPARED = Path("data", "prepared")
TRIES = {  # what a person may change where a rule has failed
    "stability": "fewer segments (train_som.n_segments), a smaller map or one of a single row,"
    " fewer prepare.columns, or another bound, gate.stability_min",
    "topographic_error": "a smaller map or one of a single row (train_som.n_rows), fewer"
    " prepare.columns, or another bound, gate.topographic_error_max",
    "dead_units": "a smaller map (train_som.n_rows, n_columns), or another bound,"
    " gate.dead_unit_share_max",
}


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one release, rule by rule."""

    version: int | None  # None of a release that is not registered
    digest: str
    champion: int | None  # version it was compared with
    accepted_change: str | None
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """What people call the release."""
        return f"release {self.digest[:16]}" if self.version is None else f"version {self.version}"

    @property
    def passed(self) -> bool:
        """Whether every rule lets the release through, and there were rules at all."""
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def refusals(self) -> list[Result]:
        """The results that stop the release."""
        return [result for result in self.results if not result.passed]

    def require(self) -> None:
        """Do nothing if the release passed.

        Raises
        ------
        GateRefusedError
            If a rule stops it; the message names rule and reason.
        """
        if not self.passed:
            reasons = [f"{r.rule} {r.outcome} ({_sentence(r)})" for r in self.refusals]
            raise GateRefusedError(
                self.name,
                "must pass every rule of the gate",
                found="; ".join(reasons) or "no rule was asked",
                hint=self._hint(),
            )

    def _hint(self) -> str:
        tries = [
            f"for {r.rule} try {TRIES[r.rule]}"
            for r in self.refusals
            if r.outcome == FAILED and r.rule in TRIES
        ]
        stays = "nothing is promoted" if self.champion is None else "the champion stays as it is"
        return "; ".join(["mend what the rules name and run again", *tries, stays])

    def explain(self) -> str:
        """Return what every rule asks, what it found, and why it decided so."""
        asks = {rule.name: rule.asks for rule in RULES}
        blocks = [
            f"{result.rule}: {result.outcome}\n"
            f"  asks   {asks.get(result.rule, 'what a rule of another release of modemap asked')}\n"
            f"  value  {_plain(result.value)}\n"
            f"  bound  {_plain(result.bound)}\n"
            f"  why    {result.why}"
            for result in self.results
        ]
        return "\n".join(blocks)

    def record(self) -> dict[str, Any]:
        """Return the verdict as JSON can say it."""
        return asdict(self) | {
            "passed": self.passed,
            "results": [
                asdict(replace(result, value=_plain(result.value), bound=_plain(result.bound)))
                for result in self.results
            ],
        }


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


def kept_verdict(root: Path, number: int | None = None) -> Verdict | None:
    """Return the verdict kept with version ``number``, by default the newest; None if none is.

    Raises
    ------
    RegistryError
        If the version or its verdict cannot be read.
    """
    registry = Registry(open_store(root, load_params(root / "params.yaml").project))
    version = registry.get(number)
    record = registry.read_verdict(version)
    if record is None:
        return None
    results = tuple(Result(**result) for result in record["results"])
    against, accepted = record["champion"], record["accepted_change"]
    return Verdict(version.number, record["digest"], against, accepted, results)


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


def last_verdict(root: Path, digest: str) -> dict[str, Any] | None:
    """Return the record of the last verdict given in ``root`` if it speaks of ``digest``."""
    try:
        verdict = dict(read_json(root / VERDICT))
    except (OSError, ValueError):
        return None
    return verdict if verdict.get("digest") == digest else None


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


def _sentence(result: Result) -> str:
    if result.value is None:
        return result.why
    if isinstance(result.value, str):
        return f"{result.value}; {result.why}"
    return f"{_plain(result.value)} against {_plain(result.bound)}: {result.why}"


def _plain(value: float | str | None) -> float | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
