"""Where a release stands in the registry, told for the report."""

from collections.abc import Mapping
from typing import Any

from modemap.lifecycle.history import Head, History
from modemap.lifecycle.rules import REQUIRED_METRICS
from modemap.reporting.story import Metric, RuleResult, Standing, Verdict
from modemap.tracking.registry import Registry, Version

__all__ = ["find_standing", "find_unregistered", "told_verdict"]

EVALUATED = "evaluate."


def find_standing(
    registry: Registry,
    version: Version | None,
    evaluation: Mapping[str, Any],
    verdict: Mapping[str, Any] | None,
) -> Standing | None:
    """Return where ``version``, if the release has one, stands; None if nothing is known of it.

    A version's verdict is the registry's, that of a release without one is ``verdict``.

    Its metrics, those of ``evaluation``, stand beside the champion's; the champion's own beside
    those of the one before it.

    Raises
    ------
    RegistryError
        If the registry cannot be read or contradicts itself.
    """
    head = History(registry).head()
    if version is None and head.champion is None:
        return find_unregistered(evaluation, verdict)
    other = _other(head, version)
    others = _metrics(registry, other) if other else {}
    return Standing(
        version=version.number if version else None,
        champion=head.champion,
        since=head.entry.get("when", ""),
        who=head.entry.get("who", ""),
        why=head.entry.get("why", ""),
        other=other,
        metrics=[Metric(name, evaluation.get(name), others.get(name)) for name in REQUIRED_METRICS],
        verdict=told_verdict(registry.read_verdict(version) if version else verdict),
        rollout=_rollout(head, version),
    )


def find_unregistered(
    evaluation: Mapping[str, Any], verdict: Mapping[str, Any] | None
) -> Standing | None:
    """Return how a release was judged where nothing is registered; None if it was not judged."""
    if verdict is None:
        return None
    metrics = [Metric(name, evaluation.get(name), None) for name in REQUIRED_METRICS]
    return Standing(None, None, "", "", "", None, metrics, told_verdict(verdict))


def _rollout(head: Head, version: Version | None) -> str | None:
    beside = head.rollout
    if beside is None or version is None or beside.version != version.number:
        return None
    return beside.kind


def _other(head: Head, version: Version | None) -> int | None:
    if version is None or head.champion != version.number:
        return head.champion
    return int(head.entry["from"]) or None


def _metrics(registry: Registry, number: int) -> dict[str, float]:
    found = registry.metrics(registry.get(number))
    return {
        name.removeprefix(EVALUATED): value
        for name, value in found.items()
        if name.startswith(EVALUATED)
    }


def told_verdict(record: Mapping[str, Any] | None) -> Verdict | None:
    """Return the record of a verdict as reports tell it."""
    if record is None:
        return None
    return Verdict(
        passed=record["passed"] is True,
        against=record["champion"],
        accepted_change=record["accepted_change"],
        results=[RuleResult(**result) for result in record["results"]],
    )
