"""What the service counts for Prometheus; every label has few values, whatever callers send."""

import time

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modemap.release import Scores
from modemap.serving.served import Served

__all__ = ["OTHER", "Observed", "Observer"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
UNUSUAL = 99.0  # percentile
OTHER = "other"  # a path or method that is none of the service's


class Observer:
    """The counters of one service.

    Attributes
    ----------
    registry : CollectorRegistry
        Where they are collected.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        request = ["route", "method", "status"]
        self._requests = Counter("modemap_requests", "Requests.", request, registry=registry)
        self._seconds = Histogram(
            "modemap_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge("modemap_in_flight", "Requests at work.", registry=registry)
        version = ["version"]
        self._rows = Counter("modemap_rows", "Rows scored.", version, registry=registry)
        self._unusual = Counter(
            "modemap_unusual_rows",
            "Scored rows that are more unusual than 99 of 100 training rows.",
            version,
            registry=registry,
        )
        self._distance = Counter(
            "modemap_distance", "Sum of the rows' distances to the map.", version, registry=registry
        )
        self._release = Gauge(
            "modemap_release", "The release that answers.", ["version", "digest"], registry=registry
        )
        self._trouble = Gauge(
            "modemap_following_failed",
            "Whether the champion could not be followed at the last look.",
            registry=registry,
        )
        self._cost = Counter(
            "modemap_scoring_cpu_seconds", "Processor seconds of this process.", registry=registry
        )
        self._spent = time.process_time()

    def answered(self, served: Served, scores: Scores) -> None:
        """Count scored rows."""
        label = served.label
        self._rows.labels(label).inc(len(scores.units))
        self._distance.labels(label).inc(float(np.sum(scores.distances)))
        self._unusual.labels(label).inc(int(np.sum(scores.anomaly_percentile > UNUSUAL)))

    def page(self, served: Served | None, trouble: bool) -> bytes:
        """Return Prometheus' page."""
        self._release.clear()
        if served is not None:
            self._release.labels(served.label, served.digest).set(1)
        self._trouble.set(trouble)
        spent = time.process_time()
        self._cost.inc(spent - self._spent)
        self._spent = spent
        return generate_latest(self.registry)

    def shed(self, route: str) -> None:
        """Count a request that was refused before it began, the service being full."""
        self._requests.labels(route, "POST", "503").inc()

    def started(self) -> None:
        """Count a request that begins."""
        self._in_flight.inc()

    def ended(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that has its answer."""
        self._in_flight.dec()
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class Observed:
    """An ASGI application that tells ``observer`` of each request to ``app``."""

    def __init__(self, app: ASGIApp, observer: Observer, routes: frozenset[str]) -> None:
        self.app, self.observer, self.routes = app, observer, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by ``app``."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.observer.started()
        try:
            await self.app(scope, receive, noted)
        finally:
            route = scope["path"] if scope["path"] in self.routes else OTHER
            method = scope["method"] if scope["method"] in {"GET", "POST"} else OTHER
            self.observer.ended(route, method, status, time.perf_counter() - started)
