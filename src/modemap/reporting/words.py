"""Numbers and findings as people say them."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modemap.reporting.story import Contrast, Reason, StrangeRow

__all__ = [
    "METRICS",
    "are_joint",
    "blame",
    "change",
    "count",
    "distinction",
    "held",
    "is_joint",
    "moment",
    "number",
    "percent",
    "place_of",
    "short",
    "signed",
    "strength",
]

NOTHING = "–"  # noqa: RUF001  # a dash, as wide as a digit
MANY, HUGE = 1000, 1e9  # from here on a number needs no decimals, and is written by its power
LONG = 80  # characters of a text that are shown
EFFECTS = ((0.474, "much "), (0.33, ""), (0.147, "slightly "))  # Romano's bounds of Cliff's delta
HELD = (  # Hennig's bounds of the mean Jaccard index
    (0.85, "highly stable"),
    (0.75, "stable"),
    (0.6, "a pattern, but which rows belong to it is doubtful"),
)
N_NAMED = 4  # columns in a sentence
EXTREME = 0.01  # share of rows beyond which a value is unusual by itself

METRICS: Mapping[str, tuple[str, str, str]] = {  # name -> as people call it, meaning, better side
    "quantization_error": (
        "quantization error",
        "mean distance of a row to its unit, in robust units",
        "lower",
    ),
    "topographic_error": (
        "topographic error",
        "share of rows whose two nearest units are no neighbours",
        "lower",
    ),
    "dead_unit_share": ("dead units", "share of units that are the nearest of no row", "lower"),
    "stability": ("stability", "agreement of the segments across seeds, at most 1", "higher"),
    "log_likelihood": ("log-likelihood", "mean log-density of a row, in nats", "higher"),
    "calibration": ("calibration", "largest gap between predicted and observed shares", "lower"),
    "round_trip_error": (
        "round-trip error",
        "largest difference after encoding and decoding",
        "lower",
    ),
    "n_units": ("units", "of the map", ""),
    "n_rows": ("test rows", "behind these numbers", ""),
}


def number(value: float | str | None, digits: int = 4) -> str:
    """Return a number with so many digits that count, or a text as it is."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return NOTHING if math.isnan(value) else ("∞" if value > 0 else "−∞")  # noqa: RUF001
    value = value + 0.0 if value == 0 else value  # no minus before a zero
    if float(value).is_integer() and abs(value) < 1e15:  # noqa: PLR2004  # whole numbers all
        return _signed(f"{value:,.0f}")
    if abs(value) >= MANY:
        return _signed(f"{value:,.0f}" if abs(value) < HUGE else f"{value:.3e}")
    text = f"{value:.{digits}g}"
    return _signed(f"{value:,.0f}" if "e+" in text else text)


def _signed(text: str) -> str:
    return text.replace("-", "−")  # noqa: RUF001  # a minus, as wide as a digit


def signed(value: float) -> str:
    """Return a number to one decimal with its sign."""
    return _signed(f"{value:+.1f}") if math.isfinite(value) else number(value)


def count(n: int, noun: str, nouns: str | None = None) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def moment(text: str) -> str:
    """Return an ISO date and time as people write it."""
    try:
        return datetime.fromisoformat(text).strftime("%-d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return text


def percent(share: float) -> str:
    """Return a share in percent; what is not quite all is not called so."""
    if not math.isfinite(share):
        return NOTHING
    if 0.999 < share < 1:  # noqa: PLR2004
        return "> 99.9\u00a0%"
    return f"{100 * share:.{2 if share < 0.01 else 3}g}\u00a0%"  # noqa: PLR2004


def short(value: Any, length: int = LONG) -> str:
    """Return ``value`` as text, cut where it is very long."""
    text = NOTHING if value is None else str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def strength(contrast: Contrast) -> str:
    """Return ``much higher``, or nothing where the segment is like the rest."""
    side = "higher" if contrast.effect > 0 else "lower"
    for bound, word in EFFECTS:
        if abs(contrast.effect) >= bound:
            return f"{word}{side}"
    return ""


def distinction(contrasts: Sequence[Contrast]) -> str:
    """Return in one sentence what sets rows apart: the columns of the largest effects."""
    if all(math.isnan(contrast.effect) for contrast in contrasts):
        return "There are no rows to compare."
    telling = [contrast for contrast in contrasts if strength(contrast)][:N_NAMED]
    if not telling:
        return "Like all other rows in every single column."
    groups: dict[str, list[str]] = {}
    for contrast in telling:
        groups.setdefault(strength(contrast), []).append(contrast.column)
    parts = [f"{word} {_listed(columns)}" for word, columns in groups.items()]
    return f"Its rows have {_listed(parts, ', and ' if len(parts) > 1 else '')} than the others."


def _listed(parts: Sequence[str], last: str = " and ") -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    *first, end = parts
    return f"{', '.join(first)}{last}{end}" if first else end


def held(jaccard: float) -> str:
    """Return in words how well a group of rows is found again, by its mean Jaccard index."""
    if math.isnan(jaccard):
        return "not known: no row lies in it"
    return next((word for bound, word in HELD if jaccard >= bound), "not to be relied on")


def place_of(reason: Reason) -> str:
    """Return in words where the value lies among the training rows' values."""
    sides = (("above", "highest", reason.above), ("below", "lowest", reason.below))
    for beside, side, beyond in sides:
        if beyond == 0:
            return f"{beside} all training rows"
        if beyond <= EXTREME:
            return f"among the {side} {math.ceil(1000 * beyond) / 10:g}\u00a0%"
    return "not unusual by itself"


def is_joint(row: StrangeRow) -> bool:
    """Tell whether the row is strange by the company of its values alone."""
    return are_joint(row.reasons)


def are_joint(reasons: Sequence[Reason]) -> bool:
    """Tell whether the values of the heaviest ``reasons``, which come first, are usual alone."""
    leading = [reason for reason in reasons if reason.nats > 0][:2]
    return all(place_of(reason).startswith("not") for reason in leading)


def blame(reasons: Sequence[Reason]) -> str:
    """Return in one sentence which columns make a row unusual, if any; the heaviest come first."""
    blamed = [reason.column for reason in reasons if reason.nats >= 1][:N_NAMED]  # e times as rare
    if not blamed:
        return "No column makes it unusual."
    makes = "makes" if len(blamed) == 1 else "make"
    joint = ": each value is usual by itself, together they are not" if are_joint(reasons) else ""
    return f"{_listed(blamed)} {makes} it unusual{joint}."


def change(value: float | None, other: float | None, better: str) -> tuple[str, str]:
    """Return the difference as text, and whether it is ``better``, ``worse`` or neither."""
    if value is None or other is None or not math.isfinite(value - other):
        return NOTHING, ""
    difference = value - other
    if difference == 0:
        return "same", ""
    text = f"{'+' if difference > 0 else ''}{number(difference)}"
    if not better:
        return text, ""
    return text, "better" if (difference < 0) == (better == "lower") else "worse"
