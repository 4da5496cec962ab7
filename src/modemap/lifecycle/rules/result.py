"""What a rule is and what it says; the words that several rules share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from modemap.lifecycle.rules.evidence import Evidence

__all__ = [
    "FAILED",
    "NOT_CHECKABLE",
    "PASSED",
    "Result",
    "Rule",
    "at_least",
    "at_most",
    "is_finite",
    "no_champion",
]

PASSED, FAILED, NOT_CHECKABLE = "passed", "failed", "not checkable"


@dataclass(frozen=True)
class Result:
    """What one rule says."""

    outcome: str
    value: float | str | None
    bound: float | str | None
    why: str
    rule: str = ""

    @property
    def passed(self) -> bool:
        """Whether the rule lets the release through."""
        return self.outcome == PASSED


@dataclass(frozen=True)
class Rule:
    """A name and the function that judges by it."""

    name: str
    judge: Callable[[Evidence], Result]

    @property
    def asks(self) -> str:
        """What the rule is for, in one sentence."""
        return (self.judge.__doc__ or "").strip()


def at_most(value: object, bound: float, what: str) -> Result:
    """Pass a finite ``value`` up to ``bound``."""
    return _bounded(value, bound, what, sign=1)


def at_least(value: object, bound: float, what: str) -> Result:
    """Pass a finite ``value`` from ``bound`` on."""
    return _bounded(value, bound, what, sign=-1)


def is_finite(value: object) -> bool:
    """Tell whether ``value`` is a finite number; a truth value is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(float(str(value)))


def no_champion() -> Result:
    """Pass what there is nobody to be compared with, and say so."""
    return Result(PASSED, None, None, "no champion yet: absolute bounds only")


def _bounded(value: object, bound: float, what: str, sign: int) -> Result:
    if not is_finite(value):
        return Result(NOT_CHECKABLE, None, bound, f"{what}: not measured, or no finite number")
    number = float(str(value))
    return Result(PASSED if sign * number <= sign * bound else FAILED, number, bound, what)
