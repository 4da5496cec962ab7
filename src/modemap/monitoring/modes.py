"""Which modes of a column appeared, vanished, moved or changed their share of the rows."""

from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState

from modemap.estimators.column_modes import fit_column_modes
from modemap.monitoring.cells import Cells

__all__ = ["ModeChange", "mode_changes"]

N_MODES, MAX_ITER = 8, 200
LEAST_WEIGHT = 0.01  # of a mode worth telling
NEAR = 1.5  # standard deviations within which two modes may be one
MOVED = 0.25  # of them
GREW = 0.03  # share of the rows
MOST = 4  # changes of a column that are told


@dataclass(frozen=True)
class ModeChange:
    """One mode before and after; None on the side where it is absent."""

    kind: str  # appeared, vanished, moved or weight
    before: tuple[float, float, float] | None  # mean, standard deviation, share of the rows
    after: tuple[float, float, float] | None

    @property
    def size(self) -> float:
        """Share of the rows that the change is about."""
        if self.before is None or self.after is None:
            return (self.before or self.after or (0.0, 0.0, 0.0))[2]
        if self.kind == "moved":
            return min(self.before[2], self.after[2])
        return abs(self.after[2] - self.before[2])

    @property
    def sentence(self) -> str:
        """The change in words."""
        if self.before is None:
            mean, std, share = self.after or (0.0, 0.0, 0.0)
            return f"a mode appeared at {mean:.4g} ± {std:.3g} with {share:.1%} of the rows"
        mean, std, share = self.before
        if self.after is None:
            return f"the mode at {mean:.4g} ± {std:.3g}, {share:.1%} of the rows, vanished"
        if self.kind == "moved":
            return (
                f"the mode at {mean:.4g} moved to {self.after[0]:.4g}, "
                f"with {share:.1%} of the rows before and {self.after[2]:.1%} now"
            )
        return f"the mode at {mean:.4g} went from {share:.1%} to {self.after[2]:.1%} of the rows"


def mode_changes(reference: Cells, current: Cells) -> list[ModeChange]:
    """Fit the modes of both and return what changed, by the share of rows it is about."""
    before, after = _modes(reference), _modes(current)
    changes, left = [], list(range(len(after)))
    for mode in before:
        gaps = [abs(after[i][0] - mode[0]) / max(after[i][1], mode[1], 1e-300) for i in left]
        nearest = int(np.argmin(gaps)) if gaps else 0
        if not gaps or gaps[nearest] > NEAR:
            changes.append(ModeChange("vanished", mode, None))
            continue
        other = after[left.pop(nearest)]
        if gaps[nearest] > MOVED:
            changes.append(ModeChange("moved", mode, other))
        elif abs(other[2] - mode[2]) > GREW:
            changes.append(ModeChange("weight", mode, other))
    changes += [ModeChange("appeared", None, after[i]) for i in left]
    changes.sort(key=lambda change: -change.size)
    return changes[:MOST]


def _modes(cells: Cells) -> list[tuple[float, float, float]]:
    """Return mean, standard deviation and share of each mode, the heaviest first."""
    fit = fit_column_modes(cells.sketch(), N_MODES, MAX_ITER, RandomState(0))
    modes = zip(fit.means, fit.stds, fit.weights, strict=True)
    return [(float(m), float(s), float(w)) for m, s, w in modes if w >= LEAST_WEIGHT]
