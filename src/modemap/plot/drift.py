"""Drift: how far each column, and the columns together, went from the reference."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from modemap.estimators.checks import check_integer
from modemap.kernels import FloatArray
from modemap.monitoring.check import Check
from modemap.monitoring.plain import as_plain
from modemap.plot.colours import BLUE, DARK, GREY, ORANGE
from modemap.plot.names import shortened
from modemap.plot.panels import figure_of, single_axes

__all__ = ["DriftDisplay"]

VERDICTS = {"yes": ORANGE, "no": BLUE, "not checkable": GREY}
LONGEST = 30  # characters of a name
WIDTH, BASE, BAR = 6.4, 1.6, 0.24  # inches: of a figure, of its edges, of a bar's place
SKEWED = 20.0  # times the least effect, from which on the axis is a root
JOINT = {
    "correlation": "correlations",
    "map_hits": "rows of the map's units",
    "map_distance": "distance to the map",
    "log_likelihood": "log-likelihood",
}


class DriftDisplay:
    """Drift: a bar for each column, as long as its effect, the largest on top.

    Drift is orange; other columns are blue, and those that could not be checked have no bar but a
    cross. An effect counts from the dashed line on, and is significant beyond its own tick.

    Parameters
    ----------
    effects : array-like of shape (n_results,)
        Population stability index, or its equal, in nats; NaN where it could not be checked.
    verdicts : sequence of {"yes", "no", "not checkable"}, length n_results
        Whether each is drift.
    names : sequence of str, length n_results
        Of the columns and detectors.
    thresholds : array-like of shape (n_results,), optional
        Effect from which on each is significant, in nats; NaN where there is none.
    min_effect : float, optional
        Least effect that counts as drift, in nats.

    Attributes
    ----------
    ax_ : Axes
        The bars'.
    figure_ : Figure
        Their figure.
    bars_ : BarContainer
        The bars, from the top.
    n_left_out_ : int
        Results beyond ``max_bars``, of smaller effects.

    Raises
    ------
    ValueError
        If the arrays are empty or of several lengths, or a verdict is none of the three.

    Examples
    --------
    >>> DriftDisplay([0.4], ["yes"], ["delay"], min_effect=0.05).min_effect
    0.05
    """

    def __init__(
        self,
        effects: ArrayLike,
        verdicts: Sequence[str],
        names: Sequence[str],
        *,
        thresholds: ArrayLike | None = None,
        min_effect: float | None = None,
    ) -> None:
        self.effects = effects
        self.verdicts = verdicts
        self.names = names
        self.thresholds = thresholds
        self.min_effect = min_effect

    def plot(self, ax: Axes | None = None, *, max_bars: int = 60) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : Axes, optional
            Those of a new figure by default.
        max_bars : int, default=60
            Of more results the largest effects are drawn, drift before all else.

        Returns
        -------
        DriftDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``max_bars`` is no number of bars.
        """
        check_integer("max_bars", max_bars, 1)
        effects, thresholds = self._checked()
        order = _order(effects, self.verdicts)[:max_bars]
        self.n_left_out_ = len(effects) - len(order)
        self.ax_ = ax = single_axes(ax, (WIDTH, BASE + BAR * len(order)))
        self.figure_ = figure_of(ax)
        effects, thresholds = effects[order], thresholds[order]
        verdicts = [self.verdicts[i] for i in order]
        places = np.arange(len(order))
        self.bars_ = ax.barh(
            places, np.nan_to_num(effects), height=0.7, color=[VERDICTS[v] for v in verdicts]
        )
        unknown = places[np.isnan(effects)]
        ax.plot(np.zeros(len(unknown)), unknown, "x", color=GREY, clip_on=False, gid="unknown")
        ax.plot(thresholds, places, "|", color=DARK, markersize=10, gid="thresholds")
        if self.min_effect is not None:
            ax.axvline(self.min_effect, color=DARK, linestyle="--", linewidth=1, gid="min_effect")
        ax.set_yticks(places, [shortened(str(self.names[i]), LONGEST) for i in order])
        self._frame(ax, effects, thresholds)
        self._legend(ax, verdicts, has_thresholds=bool(np.isfinite(thresholds).any()))
        return self

    @classmethod
    def from_check(cls, check: Check, *, ax: Axes | None = None, **settings: Any) -> Self:
        """Draw what :func:`modemap.monitoring.check.check` found.

        Parameters
        ----------
        check : Check
        ax : Axes, optional
            Those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        DriftDisplay

        Raises
        ------
        ValueError
            If nothing was compared at all.
        """
        return cls.from_report(as_plain(check), ax=ax, **settings)

    @classmethod
    def from_report(
        cls, report: Mapping[str, Any] | Path | str, *, ax: Axes | None = None, **settings: Any
    ) -> Self:
        """Draw what ``modemap drift --json`` wrote.

        Parameters
        ----------
        report : mapping, Path or str
            The check as plain data, or the file that holds it as JSON.
        ax : Axes, optional
            Those of a new figure by default.
        **settings
            As :meth:`plot` takes them.

        Returns
        -------
        DriftDisplay

        Raises
        ------
        ValueError
            If nothing was compared at all.
        """
        found = report if isinstance(report, Mapping) else json.loads(Path(report).read_text())
        columns, joint = found["columns"], found["joint"]
        if not columns and not joint:
            why = "; ".join(found["not_checkable"]) or "no columns"
            raise ValueError(f"check must have compared something, got none: {why}")
        effects = [_effect(column) for column in columns] + [_number(p["effect"]) for p in joint]
        display = cls(
            effects,
            [part["verdict"] for part in (*columns, *joint)],
            [column["name"] for column in columns] + [JOINT[part["name"]] for part in joint],
            thresholds=[_number(part["threshold"]) for part in (*columns, *joint)],
            min_effect=found["min_effect"],
        )
        return display.plot(ax, **settings)

    def _checked(self) -> tuple[FloatArray, FloatArray]:
        effects = np.asarray(self.effects, dtype=np.float64)
        n = len(effects)
        none = np.full(n, np.nan)
        thresholds = none if self.thresholds is None else np.asarray(self.thresholds, np.float64)
        lengths = [n, len(self.verdicts), len(self.names), len(thresholds)]
        if not n or len(set(lengths)) > 1:
            raise ValueError(
                f"effects, verdicts, names and thresholds must be of one length >= 1, got {lengths}"
            )
        wrong = [verdict for verdict in self.verdicts if verdict not in VERDICTS]
        if wrong:
            raise ValueError(f"verdicts must be among {list(VERDICTS)}, got {wrong[0]!r}")
        return effects, thresholds

    def _frame(self, ax: Axes, effects: FloatArray, thresholds: FloatArray) -> None:
        reach = np.concatenate((effects, thresholds, [self.min_effect or 0.0]))
        farthest = float(np.nanmax(reach))
        is_skewed = farthest > SKEWED * (self.min_effect or np.inf)
        if is_skewed:  # the least effect that counts stays apart from 0
            ax.set_xscale("function", functions=(_root, np.square))
        ax.set_xlim(0, 1.06 * farthest or 1.0)
        ax.set_ylim(len(effects) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        said = "population stability index (nats" + (", root scale)" if is_skewed else ")")
        more = f"\nleft out, of smaller effect: {self.n_left_out_}" if self.n_left_out_ else ""
        ax.set_xlabel(said + more)

    def _legend(self, ax: Axes, verdicts: Sequence[str], *, has_thresholds: bool) -> None:
        """Name what is there, and nothing else."""
        names = {"yes": "drift", "no": "no drift"}
        handles: list[Any] = [
            Patch(color=VERDICTS[verdict], label=name)
            for verdict, name in names.items()
            if verdict in verdicts
        ]
        if "not checkable" in verdicts:
            handles.append(Line2D([], [], color=GREY, marker="x", ls="", label="not checkable"))
        if has_thresholds:
            handles.append(
                Line2D(
                    [], [], color=DARK, marker="|", ls="", markersize=10, label="significant from"
                )
            )
        if self.min_effect is not None:
            handles.append(Line2D([], [], color=DARK, ls="--", lw=1, label="least effect"))
        ax.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=3,
            fontsize="small",
            frameon=False,
        )


def _order(effects: FloatArray, verdicts: Sequence[str]) -> list[int]:
    """Return the results: drift first, then what was checked, each by falling effect."""
    ranks = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
    sizes = np.nan_to_num(effects, nan=-np.inf)
    return sorted(range(len(effects)), key=lambda i: (ranks[verdicts[i]], -sizes[i], i))


def _root(effects: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(effects, 0.0))


def _effect(column: Mapping[str, Any]) -> float:
    """Return the larger index of values and, where that is drift, of missing values."""
    missing = column["missing"] or {}
    sizes = [column["psi"], missing.get("psi") if missing.get("verdict") == "yes" else None]
    return max((float(size) for size in sizes if size is not None), default=float("nan"))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
