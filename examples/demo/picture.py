"""The answers of a log, second by second, by version."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from examples.demo.traffic import Answer

mpl.use("Agg")
from matplotlib import pyplot as plt  # after its backend is chosen

__all__ = ["draw"]

COLOURS = ("#c9c4b8", "#1f6f78", "#d1495b", "#6a4c93")


def draw(answers: Sequence[Answer], moments: Sequence[tuple[float, str]], path: Path) -> None:
    """Write a picture of how many answers each version gave, and of what happened when."""
    began = answers[0].when
    versions = sorted({answer.version for answer in answers})
    counts = Counter((answer.version, int(answer.when - began)) for answer in answers)
    seconds = range(int(answers[-1].when - began))  # the last is not whole
    figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
    axes.stackplot(
        list(seconds),
        [[counts[version, second] for second in seconds] for version in versions],
        labels=[f"version {version}" for version in versions],
        colors=COLOURS,
        step="mid",
    )
    for when, name in moments:
        axes.axvline(when - began, color="black", linewidth=0.6)
        place, above = (when - began, 1), {"xytext": (2, 2), "textcoords": "offset points"}
        axes.annotate(name, place, xycoords=("data", "axes fraction"), fontsize=8, **above)
    axes.set(xlabel="seconds", ylabel="answers a second", xlim=(0, len(seconds)))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=120)
