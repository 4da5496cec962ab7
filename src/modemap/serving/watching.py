"""Watch a challenger beside the champion: windows of answers, each in its band or out of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from modemap.kernels.arrays import FloatArray, IntArray
from modemap.monitoring.stability import N_BINS, compare
from modemap.monitoring.windows import k_of_n
from modemap.params import RolloutParams

__all__ = ["Decision", "Tally", "Watch", "out_of_band"]

MOST_TIMES = 10_000  # requests of a window whose seconds are kept
QUANTILE = 0.95
LATENCY_FLOOR = 0.005  # seconds; nobody minds less, and so little is noise
PROMISED = 100_000  # rows that a release's own percentiles stand for: uniform by construction


@dataclass
class Tally:
    """What one release has answered in a window."""

    n_requests: int = 0
    n_failed: int = 0
    seconds: list[float] = field(default_factory=list)
    percentiles: IntArray = field(default_factory=lambda: np.zeros(N_BINS, np.int64))

    def answered(self, seconds: float, percentiles: FloatArray) -> None:
        """Add a request: how long it took, and the anomaly percentiles of its rows, (n_rows,).

        A percentile that is none makes it a failed one.
        """
        is_number = np.isfinite(percentiles)
        self.n_requests += 1
        self.n_failed += not is_number.all()
        if len(self.seconds) < MOST_TIMES:
            self.seconds.append(seconds)
        bins = (percentiles[is_number] * (N_BINS / 100)).astype(np.int64)
        self.percentiles += np.bincount(np.clip(bins, 0, N_BINS - 1), minlength=N_BINS)

    def failed(self) -> None:
        """Add a request that found no answer."""
        self.n_requests += 1
        self.n_failed += 1

    @property
    def slow(self) -> float:
        """Seconds that 95 of 100 answers stay within, NaN without any."""
        return float(np.quantile(self.seconds, QUANTILE)) if self.seconds else float("nan")

    @property
    def strangeness(self) -> float:
        """How far the percentiles are from the uniform ones that a release promises, as a PSI."""
        promised = np.full(N_BINS, PROMISED // N_BINS, np.int64)
        return compare(promised, self.percentiles).psi if self.percentiles.any() else float("nan")


def out_of_band(
    champion: Tally, challenger: Tally, params: RolloutParams, *, timed: bool = True
) -> tuple[bool | None, str]:
    """Tell whether the challenger has left its band, and by what.

    Errors are held against the champion's and ``max_failed_share``, the slow answers against
    ``max_latency_ratio``, and how strange rows look against ``max_psi``, unless they look as
    strange to the champion. None where too few answers can tell, or a number is none.
    """
    if challenger.n_requests < params.min_requests or champion.n_requests < params.min_requests:
        return None, "too few requests"
    failed = challenger.n_failed / challenger.n_requests
    allowed = champion.n_failed / champion.n_requests + params.max_failed_share
    if failed > allowed:
        return True, f"{failed:.1%} of its requests failed, at most {allowed:.1%} may"
    slow, bound = challenger.slow, champion.slow * params.max_latency_ratio + LATENCY_FLOOR
    strange, usual = challenger.strangeness, champion.strangeness
    if not np.isfinite([slow, bound, strange, usual]).all():
        return None, "no answers to measure"
    if timed and slow > bound:
        return True, f"95 of 100 answers within {slow:.4f} s, at most {bound:.4f} s"
    if strange > max(params.max_psi, usual):
        return True, f"anomaly percentiles have a PSI of {strange:.3f}, at most {params.max_psi:g}"
    return False, ""


@dataclass(frozen=True)
class Decision:
    """What the windows so far come to."""

    withdraw: bool
    promote: bool
    why: str


class Watch:
    """Tallies of both releases, window after window.

    Parameters
    ----------
    params : RolloutParams
        The windows and their bands.
    timed : bool, default=True
        Whether the challenger's answers were waited for, so that their time counts.
    before : Tally or None, default=None
        What the champion answered before, for a challenger that is to answer everything.
    clock : callable, default=time.monotonic
        Seconds.
    """

    def __init__(
        self,
        params: RolloutParams,
        *,
        timed: bool = True,
        before: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.params, self._timed, self._clock = params, timed, clock
        self._lock = Lock()
        self._champion, self._challenger = Tally(), Tally()
        self._before = before or Tally()  # the champion's last with enough requests
        self._begun = self._opened = clock()
        self._answers: list[bool | None] = []
        self._why = ""

    def answered(self, seconds: float, percentiles: FloatArray, *, by_challenger: bool) -> None:
        """Count an answer."""
        with self._lock:
            (self._challenger if by_challenger else self._champion).answered(seconds, percentiles)

    def failed(self) -> None:
        """Count a request that the challenger had no answer to."""
        with self._lock:
            self._challenger.failed()

    def decide(self) -> Decision | None:
        """Close the window if it is full, and tell what all come to; None while it is open.

        A window stays open until its time is over and the challenger was asked often enough.
        """
        with self._lock:
            now = self._clock()
            if now - self._opened < self.params.window_seconds:
                return None
            if self._challenger.n_requests < self.params.min_requests:
                return None
            if self._champion.n_requests >= self.params.min_requests:
                self._before = self._champion
            is_out, why = out_of_band(
                self._before, self._challenger, self.params, timed=self._timed
            )
            self._champion, self._challenger, self._opened = Tally(), Tally(), now
        self._answers.append(is_out)
        self._why = why or self._why
        is_to_go = k_of_n(self._answers, self.params.k, self.params.n) is True
        held = now - self._begun >= self.params.hold_seconds
        last = self._answers[-self.params.n :]
        has_held = held and len(last) == self.params.n and not any(a is not False for a in last)
        said = f"in its band for {now - self._begun:.0f} s, {len(self._answers)} windows"
        return Decision(is_to_go, has_held and not is_to_go, self._why if is_to_go else said)
