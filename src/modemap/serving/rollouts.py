"""Who answers a request while a challenger is rolled out, and what becomes of the challenger.

A canary answers its share: the same key always the same way. What it cannot answer the champion
answers, and that counts against it. A shadow scores copies beside the requests; nobody waits.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from modemap.errors import ModemapError
from modemap.kernels.arrays import FloatArray
from modemap.lifecycle.history import CANARY, SHADOW, Rollout
from modemap.lifecycle.rollout import complete, withdraw
from modemap.params import RolloutParams
from modemap.release import Scores
from modemap.serving.served import Served, Serving
from modemap.serving.watching import Tally, Watch

__all__ = ["ROUTE_KEY", "Rollouts", "is_routed"]

log = logging.getLogger(__name__)

ROUTE_KEY = "x-modemap-key"  # a caller's own name for whom or what it asks
MOST_COPIES = 64  # requests that wait for a shadow; more are left out
MOST_RECENT = 10_000  # requests of the champion by which it is known before a rollout
UNUSUAL = 99.0  # percentile


def is_routed(rollout: Rollout, key: str) -> bool:
    """Tell whether requests with ``key`` are the challenger's."""
    drawn = hashlib.sha256(f"{rollout.number} {key}".encode()).digest()[:8]
    return int.from_bytes(drawn) < rollout.share * 2**64


class Rollouts:
    """The rollout of one service.

    Parameters
    ----------
    root : Path or None
        The project whose history is told of decisions; None: a directory is served, and there
        are no rollouts.
    params : RolloutParams
        How long it lasts and what it must keep.
    registry : CollectorRegistry
        Where it is counted.
    """

    def __init__(
        self, root: Path | None, params: RolloutParams, registry: CollectorRegistry
    ) -> None:
        self.root, self.params = root, params
        self._watch: Watch | None = None
        self._rollout: Rollout | None = None
        self._recent = Tally()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._copies = BoundedSemaphore(MOST_COPIES)
        self._failures = Counter(
            "modemap_challenger_failed_requests",
            "Requests that the challenger could not answer; the champion did.",
            registry=registry,
        )
        self._shadowed = Counter(
            "modemap_shadow_rows", "Rows that a shadow has scored.", registry=registry
        )
        self._differing = Counter(
            "modemap_shadow_differing_rows",
            "Rows that are unusual to one of champion and shadow only.",
            registry=registry,
        )
        self._out = Gauge(
            "modemap_rollout", "The challenger.", ["kind", "version"], registry=registry
        )

    def seen(self, serving: Serving) -> None:
        """Take notice of what the history says now; decide on what is rolled out."""
        self._follow(serving.rollout)
        self._decide(serving)

    def _follow(self, rollout: Rollout | None) -> None:
        if rollout == self._rollout:
            return
        self._out.clear()
        self._rollout, self._watch = rollout, None
        if rollout is not None:
            self._out.labels(rollout.kind, str(rollout.version)).set(1)
            is_timed = rollout.kind == CANARY
            self._watch = Watch(self.params, timed=is_timed, before=self._recent)
            log.info("%s of version %s, share %g", rollout.kind, rollout.version, rollout.share)
        self._recent = Tally()

    def challenger(self, serving: Serving, key: str | None) -> Served | None:
        """Return the canary if it is to answer a request with ``key``."""
        rollout = serving.rollout
        if rollout is None or rollout.kind != CANARY or serving.challenger is None:
            return None
        return serving.challenger if is_routed(rollout, key or secrets.token_hex(8)) else None

    def answered(self, serving: Serving, served: Served, scores: Scores, seconds: float) -> None:
        """Count an answer for the watch."""
        watch = self._watch
        if watch is None:
            if self._recent.n_requests >= MOST_RECENT:
                self._recent = Tally()
            self._recent.answered(seconds, scores.anomaly_percentile)
            return
        by_challenger = served is serving.challenger
        watch.answered(seconds, scores.anomaly_percentile, by_challenger=by_challenger)

    def failed(self, error: Exception) -> None:
        """Count a request that the canary could not answer."""
        log.warning("the challenger failed: %s: %s", type(error).__name__, error)
        self._failures.inc()
        if self._watch is not None:
            self._watch.failed()

    def copy(self, serving: Serving, key: str | None, X: FloatArray, scores: Scores) -> None:
        """Have the shadow score rows that the champion has answered, unless it lags behind."""
        rollout, shadow, watch = serving.rollout, serving.challenger, self._watch
        if rollout is None or rollout.kind != SHADOW or shadow is None or watch is None:
            return
        if not shadow.reader.is_like(serving.champion.reader):
            return  # its rows are others
        is_copied = is_routed(rollout, key or secrets.token_hex(8))
        if is_copied and self._copies.acquire(blocking=False):
            self._beside.submit(self._score_copy, shadow, watch, X, scores)

    def _score_copy(self, shadow: Served, watch: Watch, X: FloatArray, scores: Scores) -> None:
        try:
            started = time.perf_counter()
            found = shadow.release.score(X)
            seconds = time.perf_counter() - started
            unusual = found.anomaly_percentile > UNUSUAL
            differing = unusual != (scores.anomaly_percentile > UNUSUAL)
            watch.answered(seconds, found.anomaly_percentile, by_challenger=True)
            self._shadowed.inc(len(X))
            self._differing.inc(int(np.count_nonzero(differing)))
        except Exception as error:  # whatever a challenger does, the service goes on
            log.warning("the shadow failed: %s: %s", type(error).__name__, error)
            watch.failed()
        finally:
            self._copies.release()

    def _decide(self, serving: Serving) -> None:
        rollout, watch, root = serving.rollout, self._watch, self.root
        if rollout is None or watch is None or root is None:
            return
        if serving.failure:
            _tell(lambda: withdraw(root, why=serving.failure, number=rollout.number))
            return
        decision = watch.decide()
        if decision is None:
            return
        if decision.withdraw:
            log.warning("%s of version %s: %s", rollout.kind, rollout.version, decision.why)
            _tell(lambda: withdraw(root, why=decision.why, number=rollout.number))
        elif decision.promote and self.params.promote and rollout.kind == CANARY:
            why = f"canary of {rollout.share:.0%} held: {decision.why}"
            _tell(lambda: complete(root, rollout, why=why))


def _tell(decision: Callable[[], object]) -> None:
    """Write a decision to the history; if that cannot be, the next window decides again."""
    try:
        decision()
    except ModemapError as error:
        log.warning("the rollout stays as it is: %s", error)
