"""Numbers and findings as people say them."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from modemap.reporting.story import Contrast, Reason, StrangeRow

__all__ = [
    "METRICS",
    "change",
    "count",
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


def number(value: float | str | None) -> str:
    """Return a number with four digits that count, or a text as it is."""
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
    return _signed(f"{value:.4g}")


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


def place_of(reason: Reason) -> str:
    """Return in words where the value lies among the training rows' values."""
    for side, beyond in (("highest", reason.above), ("lowest", reason.below)):
        if beyond == 0:
            return f"the {side} of all"
        if beyond <= EXTREME:
            return f"among the {side} {math.ceil(1000 * beyond) / 10:g}\u00a0%"
    return "not unusual by itself"


def is_joint(row: StrangeRow) -> bool:
    """Tell whether the row is strange by the company of its values alone."""
    leading = [reason for reason in row.reasons if reason.nats > 0][:2]
    return all(place_of(reason).startswith("not") for reason in leading)


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
