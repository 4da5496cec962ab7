"""Colours that colour-blind eyes tell apart (M. Okabe and K. Ito, Color Universal Design, 2008)."""

__all__ = ["BLUE", "DARK", "GREY", "MISSING", "ORANGE", "PALE", "SERIES"]

BLUE, ORANGE = "#0072b2", "#d55e00"
DARK, GREY, PALE = "#222222", "#999999", "#d0d0d0"
MISSING = "#c8c8c8"  # of a unit without a value, under its hatching
SERIES = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", DARK)
