"""The check of a window: every detector, one family of tests, three answers.

Drift is what chance does not explain at the stated rate of the whole family, and what is at least
``min_effect`` large. What cannot be compared is never "no drift".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from modemap.monitoring.columns import ColumnFound, compare_column, explain
from modemap.monitoring.joint import JointResult, compare_jointly
from modemap.monitoring.profile import Observed, Reference
from modemap.monitoring.stability import is_drift

__all__ = ["ANSWERS", "MIN_EFFECT", "RATE", "Check", "ColumnResult", "check", "unchecked"]

RATE, MIN_EFFECT = 0.01, 0.05
N_EXPLAINED = 20  # drifted columns whose modes are looked at
ANSWERS = {True: "yes", False: "no", None: "not checkable"}


@dataclass(frozen=True)
class ColumnResult:
    """A column's answer, and what it rests on."""

    found: ColumnFound
    drift: bool | None
    is_missing_drift: bool
    level: float  # of significance, for each of its tests
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The column."""
        return self.found.name

    @property
    def psi(self) -> float | None:
        """The larger index of values and of missing values."""
        parts = [part.psi for part in (self.found.values, self.found.missing) if part is not None]
        return max(parts, default=None) if self.found.values or self.is_missing_drift else None


@dataclass(frozen=True)
class Check:
    """Everything that a check found."""

    drift: bool | None
    rate: float
    min_effect: float
    n: int
    n_reference: int
    columns: list[ColumnResult]
    joint: list[JointResult]
    schema: list[str]  # what differs between the columns of both sides
    why: list[str]  # what could not be checked, and why

    @property
    def answer(self) -> str:
        """``yes``, ``no`` or ``not checkable``."""
        return ANSWERS[self.drift]


def unchecked(why: str, *, rate: float = RATE, min_effect: float = MIN_EFFECT) -> Check:
    """Return the answer where nothing can be compared at all."""
    return Check(None, rate, min_effect, 0, 0, [], [], [], [why])


def check(
    reference: Reference,
    seen: Observed,
    columns: Sequence[str] | None = None,
    *,
    rate: float = RATE,
    min_effect: float = MIN_EFFECT,
) -> Check:
    """Compare a window with the reference.

    Parameters
    ----------
    reference : Reference
    seen : Observed
        Of the same columns, those that could not be counted named as broken.
    columns : sequence of str, optional
        The columns to compare; all of the reference by default.
    rate : float, default=0.01
        Probability of any significant result where nothing has changed. Half of it is the columns',
        half is that of detectors of several columns.
    min_effect : float, default=0.05
        Least population stability index, or its equal in nats, that counts as drift.

    Returns
    -------
    Check

    Raises
    ------
    ValueError
        If ``rate`` does not lie between 0 and 1 or ``min_effect`` is negative.
    """
    if not 0 < rate < 1 or min_effect < 0:
        raise ValueError(
            f"rate must lie within (0, 1) and min_effect be >= 0, got {rate}, {min_effect}"
        )
    names = reference.columns if columns is None else list(columns)
    found = [compare_column(name, reference, seen) for name in names]
    n_tests = sum((part.values is not None) + (part.missing is not None) for part in found)
    column_level = rate / 2 / max(n_tests, 1)
    results = [_answered(part, column_level, min_effect) for part in found]
    joint = compare_jointly(reference, seen, names, rate / 2, min_effect)
    drifted = sorted((r for r in results if r.drift), key=lambda r: -(r.psi or 0.0))
    explained = {r.name: explain(r.found, reference, seen) for r in drifted[:N_EXPLAINED]}
    results = [_told(result, explained.get(result.name, [])) for result in results]
    answers = [r.drift for r in results] + [r.drift for r in joint]
    why = [f"{r.name}: {r.found.why}" for r in results if r.drift is None]
    why += [f"{r.name}: {r.why}" for r in joint if r.drift is None]
    return Check(
        drift=True if True in answers else None if None in answers or not answers else False,
        rate=rate,
        min_effect=min_effect,
        n=seen.n_rows,
        n_reference=reference.n_rows,
        columns=results,
        joint=joint,
        schema=_schema(names, seen),
        why=why,
    )


def _answered(found: ColumnFound, level: float, min_effect: float) -> ColumnResult:
    is_missing_drift = found.missing is not None and is_drift(found.missing, level, min_effect)
    drift: bool | None = None
    if found.values is not None:
        drift = is_drift(found.values, level, min_effect)
    return ColumnResult(found, True if is_missing_drift else drift, is_missing_drift, level)


def _told(result: ColumnResult, said: list[str]) -> ColumnResult:
    if result.is_missing_drift:
        before, after = result.found.missing_shares
        said = [f"missing values went from {before:.2%} to {after:.2%} of the rows", *said]
    return ColumnResult(result.found, result.drift, result.is_missing_drift, result.level, said)


def _schema(names: Sequence[str], seen: Observed) -> list[str]:
    said = [f"{name}: {seen.broken[name]}" for name in names if name in seen.broken]
    return said + [f"{name}: not compared, {why}" for name, why in seen.extra.items()]
