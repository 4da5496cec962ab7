"""The gate: evidence is collected, judged by the table of rules, and the verdict kept."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modemap.errors import GateRefusedError
from modemap.lifecycle.evidence import collect_evidence
from modemap.lifecycle.history import History
from modemap.lifecycle.rules import NOT_CHECKABLE, RULES, Evidence, Result, Rule
from modemap.params import load_params
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["Verdict", "gate", "judge"]


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one version, rule by rule."""

    version: int
    digest: str
    champion: int | None  # version it was compared with
    accepted_change: str | None
    results: tuple[Result, ...]

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
                f"version {self.version}",
                "must pass every rule of the gate",
                found="; ".join(reasons) or "no rule was asked",
                hint="mend what the rules name and run again; the champion stays as it is",
            )

    def record(self) -> dict[str, Any]:
        """Return the verdict as JSON can say it."""
        return asdict(self) | {
            "passed": self.passed,
            "results": [
                asdict(replace(result, value=_plain(result.value), bound=_plain(result.bound)))
                for result in self.results
            ],
        }


def judge(evidence: Evidence, rules: Sequence[Rule] = RULES) -> tuple[Result, ...]:
    """Return the result of every rule; a rule that trips over the evidence could not check it."""
    return tuple(replace(_judged(rule, evidence), rule=rule.name) for rule in rules)


def gate(root: Path, number: int | None = None, accept_change: str | None = None) -> Verdict:
    """Judge version ``number``, by default the newest, and keep the verdict on the version.

    Parameters
    ----------
    root : Path
        The project's folder.
    number : int or None, default=None
        The version.
    accept_change : str or None, default=None
        Why a release that cannot be compared with the champion may pass; kept in the verdict.

    Returns
    -------
    Verdict
        It may be a refusal: ``verdict.require()`` raises then.

    Raises
    ------
    RegistryError
        If the version or the history cannot be read.
    """
    params = load_params(root / "params.yaml")
    registry = Registry(open_store(root, params.project))
    version = registry.get(number)
    head = History(registry).head()
    with tempfile.TemporaryDirectory(prefix="modemap-gate-") as folder:
        evidence, costs = collect_evidence(
            registry,
            version,
            head,
            accept_change=accept_change,
            params=params.gate,
            folder=Path(folder),
        )
    verdict = Verdict(version.number, version.digest, head.champion, accept_change, judge(evidence))
    registry.log_metrics(version.run_id, {f"release.{name}": cost for name, cost in costs.items()})
    registry.record_verdict(version, verdict.record(), head.number)
    return verdict


def _judged(rule: Rule, evidence: Evidence) -> Result:
    try:
        return rule.judge(evidence)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"the evidence has another form: {type(error).__name__}: {error}"
        return Result(NOT_CHECKABLE, None, None, why)


def _sentence(result: Result) -> str:
    if result.value is None:
        return result.why
    return f"{_plain(result.value)} against {_plain(result.bound)}: {result.why}"


def _plain(value: float | str | None) -> float | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
