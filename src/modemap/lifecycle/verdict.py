"""The verdict: what the gate says of one release, kept on its version and in the checkout."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modemap.errors import GateRefusedError
from modemap.files import read_json
from modemap.lifecycle.rules import FAILED, RULES, Result
from modemap.params import load_params
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store

__all__ = ["VERDICT", "Verdict", "kept_verdict", "last_verdict"]

VERDICT = Path("reports", "verdict.json")  # the last one given in a checkout
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


def last_verdict(root: Path, digest: str) -> dict[str, Any] | None:
    """Return the record of the last verdict given in ``root`` if it speaks of ``digest``."""
    try:
        verdict = dict(read_json(root / VERDICT))
    except (OSError, ValueError):
        return None
    return verdict if verdict.get("digest") == digest else None


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
