"""The service: what it answers at which address. See docs/serving.md."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from modemap.errors import ModemapError
from modemap.params import ServeParams
from modemap.release import Scores
from modemap.serving import documents
from modemap.serving.answers import answered_by, as_table, by_column, by_row, explained, written
from modemap.serving.bodies import ARROW, JSON, arrow_bytes, read_json_body, read_rows
from modemap.serving.coding import decoded, encoded
from modemap.serving.following import Follower
from modemap.serving.limits import RETRY, Limits
from modemap.serving.observed import OTHER, Observed, Observer
from modemap.serving.page import page
from modemap.serving.prediction_log import REQUEST_ID, PredictionLog
from modemap.serving.problems import Problem, answer
from modemap.serving.rollouts import ROUTE_KEY, Rollouts
from modemap.serving.rows import Rows
from modemap.serving.scoring import Scorer
from modemap.serving.served import Served, Serving

__all__ = ["create_app"]

MAX_EXPLAINED = 100  # rows; each is looked at in 32 orders of its columns
MAX_SAMPLED = 100_000
LOADING = """<!doctype html><meta http-equiv="refresh" content="1"><title>modemap</title>
<p>A release is being loaded; <a href="readyz">what is known of it</a>.</p>"""


def create_app(follower: Follower, params: ServeParams, keys: Mapping[str, str]) -> FastAPI:
    """Return the service of what ``follower`` follows; ``app.state.shed`` counts what is refused.

    Parameters
    ----------
    follower : Follower
        Started and stopped with the service.
    params : ServeParams
        Its limits.
    keys : mapping of str to str
        The sha256 of each API key, by name; without any, every caller is let in.
    """
    observer = Observer()
    rollouts = Rollouts(follower.root, params.rollout, observer.registry)
    follower.seen = rollouts.seen
    kept = PredictionLog(params.log, observer.registry) if params.log.folder else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        follower.start()
        if kept is not None:
            kept.start()
        yield
        await asyncio.to_thread(follower.stop)
        if kept is not None:
            await asyncio.to_thread(kept.stop)

    app = FastAPIOffline(
        title="modemap",
        description=documents.DESCRIPTION,
        redoc_url=None,
        lifespan=lifespan,
    )
    for kind in (Problem, ModemapError, Exception):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told_of_query)
    _add_routes(app, _Service(follower, params, observer, rollouts, kept))
    routes = frozenset(route.path for route in app.routes if hasattr(route, "path"))
    app.add_middleware(Limits, params=params, keys=keys)
    app.add_middleware(Observed, observer=observer, routes=routes)
    app.state.shed = lambda path: observer.shed(path if path in routes else OTHER)
    return app


@dataclass(frozen=True)
class _Scored:
    """Rows of a request and what one release says of them."""

    served: Served
    rows: Rows
    form: str
    scores: Scores
    modes: NDArray[np.uint8] | None


class _Service:
    """What the routes share."""

    def __init__(
        self,
        follower: Follower,
        params: ServeParams,
        observer: Observer,
        rollouts: Rollouts,
        kept: PredictionLog | None,
    ) -> None:
        self.follower, self.params, self.observer = follower, params, observer
        self.rollouts, self.kept, self.scorer = rollouts, kept, Scorer()

    def serving(self) -> Serving:
        """Return all that is loaded now."""
        serving = self.follower.serving
        if serving is None:
            found = _said(self.follower.trouble) or "it is being loaded, or none is promoted"
            raise Problem(503, "a release must be loaded", RETRY, found=found, hint="see /readyz")
        return serving

    def served(self) -> Served:
        """Return the champion."""
        return self.serving().champion

    async def rows(self, request: Request, served: Served) -> tuple[Rows, str]:
        """Return the rows of a request and the form they came in."""
        kind = request.headers.get("content-type", "")
        return read_rows(await request.body(), kind, served.reader, self.params.max_rows)

    async def score(self, request: Request, *, modes: bool = False) -> _Scored:
        """Return what the champion, or the canary in its place, says of a request's rows.

        With ``modes`` it says these too. Rows are counted, and kept if there is a log. What the
        canary cannot answer the champion does.
        """
        serving, key = self.serving(), request.headers.get(ROUTE_KEY)
        challenger = self.rollouts.challenger(serving, key)
        scored, failure = None, None
        if challenger is not None:
            try:
                scored = await self._scored(request, serving, challenger, modes)
            except Exception as error:  # whatever a challenger does, the service goes on
                failure = error
        if scored is None:
            scored = await self._scored(request, serving, serving.champion, modes)
            if failure is not None:  # the champion could: the request was not to blame
                self.rollouts.failed(failure)
            self.rollouts.copy(serving, key, scored.rows.X, scored.scores)
        self.observer.answered(scored.served, scored.scores)
        if self.kept is not None:
            name = request.headers.get(REQUEST_ID)
            self.kept.put(scored.served, scored.rows, scored.scores, name)
        return scored

    async def _scored(
        self, request: Request, serving: Serving, served: Served, modes: bool
    ) -> _Scored:
        rows, form = await self.rows(request, served)
        started = time.perf_counter()
        scores = await self.scorer.score(served, rows.X)
        seconds = time.perf_counter() - started
        found = await asyncio.to_thread(served.release.modes, rows.X) if modes else None
        self.rollouts.answered(serving, served, scores, seconds)
        return _Scored(served, rows, form, scores, found)


def _add_routes(app: FastAPI, service: _Service) -> None:
    _add_models(app, service)
    _add_operations(app, service)
    _add_hosting(app, service)


def _add_models(app: FastAPI, service: _Service) -> None:
    """Add what is asked of the models."""

    @app.post(
        "/v1/score",
        tags=["rows"],
        openapi_extra=documents.routed(documents.rows_in(documents.SCORES)),
    )
    async def score(
        request: Request,
        modes: bool = Query(False, description="Also the mode of each value."),
    ) -> Response:
        """Unit, place on the map, segment, anomaly percentile and log-likelihood of each row."""
        scored = await service.score(request, modes=modes)
        served, form = scored.served, scored.form
        columns = written(served, scored.scores, scored.modes)
        if form == "arrow":
            return Response(arrow_bytes(as_table(served, columns)), media_type=ARROW)
        answers = {form: by_row(columns) if form == "rows" else by_column(columns)}
        return _json({**answered_by(served), **answers})

    @app.post("/v1/explain", tags=["rows"], openapi_extra=documents.rows_in(documents.EXPLAINED))
    async def explain(request: Request) -> Response:
        """Which columns make a row unusual, as shares that add up, and what is typical near it."""
        served = service.served()
        rows, _ = await service.rows(request, served)
        X = rows.X
        if len(X) > MAX_EXPLAINED:
            raise Problem(422, f"{MAX_EXPLAINED} rows are explained at once", found=len(X))
        scores = await service.scorer.score(served, X)
        found = await asyncio.to_thread(explained, served, X, scores)
        return _json({**answered_by(served), "rows": found})

    @app.post("/v1/encode", tags=["rows"], openapi_extra=documents.rows_in(documents.ENCODED))
    async def encode(request: Request) -> Response:
        """Each value within its mode, and the mode."""
        served = service.served()
        rows, _ = await service.rows(request, served)
        columns = await asyncio.to_thread(encoded, served, rows.X)
        return _json({**answered_by(served), "columns": columns})

    @app.post("/v1/decode", tags=["rows"], openapi_extra=documents.encoding_in())
    async def decode(request: Request) -> Response:
        """The rows that an encoding stands for: exact, or to 1e-12 of a value without decimals."""
        served = service.served()
        document = read_json_body(await request.body())
        columns = await asyncio.to_thread(decoded, served, document)
        return _json({**answered_by(served), "columns": columns})

    @app.get("/v1/sample", tags=["rows"])
    async def sample(
        n: int = Query(10, ge=1, le=MAX_SAMPLED, description="How many."),
        seed: int = Query(0, ge=0, lt=2**32, description="The same rows for the same seed."),
    ) -> Response:
        """Rows drawn from the joint density, in the columns' own units."""
        served = service.served()
        columns = await asyncio.to_thread(_sampled, served, n, seed)
        return _json({**answered_by(served), "columns": columns})

    @app.get("/v1/models", tags=["models"])
    async def models() -> Response:
        """The releases that answer, and the columns of a row."""
        serving = service.serving()
        models = [_model(serving.champion, "champion")]
        if serving.challenger is not None and serving.rollout is not None:
            rollout = serving.rollout
            models.append(_model(serving.challenger, rollout.kind) | {"share": rollout.share})
        return _json({"models": models})


def _add_operations(app: FastAPI, service: _Service) -> None:
    """Add what those who run the service ask."""

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> Response:
        """Whether the process answers."""
        return _json({"status": "alive"})

    @app.get("/readyz", tags=["operations"])
    async def readyz() -> Response:
        """Whether a release is loaded and answered its golden rows."""
        served, trouble = service.follower.served, service.follower.trouble
        document = answered_by(served) if served else {"version": None, "digest": None}
        status = 200 if served else 503
        return _json({"ready": served is not None, **document, "trouble": _said(trouble)}, status)

    @app.get("/metrics", tags=["operations"])
    async def metrics() -> Response:
        """Counters for Prometheus."""
        follower = service.follower
        text = service.observer.page(follower.served, follower.trouble is not None)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/", include_in_schema=False)
    async def home() -> HTMLResponse:
        served = service.follower.served
        return HTMLResponse(page(served)) if served else HTMLResponse(LOADING, 503, RETRY)


def _add_hosting(app: FastAPI, service: _Service) -> None:
    """Add the two addresses that hosting platforms expect of a container."""

    @app.get("/ping", tags=["hosting"])
    async def ping() -> Response:
        """200 once rows can be scored."""
        return _json(answered_by(service.served()))

    @app.post(
        "/invocations",
        tags=["hosting"],
        openapi_extra=documents.routed(documents.rows_in(documents.SCORES)),
    )
    async def invocations(request: Request) -> Response:
        """The scores of rows, as MLflow's and the platforms' clients ask for them."""
        scored = await service.score(request)
        columns = written(scored.served, scored.scores)
        return _json({**answered_by(scored.served), "predictions": by_row(columns)})


def _model(served: Served, role: str) -> dict[str, Any]:
    release = served.release
    return {
        **answered_by(served),
        "role": role,
        "since": served.since,
        "columns": served.reader.columns,
        "units": len(release.som.codebook_),
        "segments": int(release.segments.max()) + 1,
        "example": served.example,
    }


def _sampled(served: Served, n: int, seed: int) -> dict[str, list[float]]:
    release = served.release
    mixture = copy.copy(release.mixture)
    mixture.random_state = seed
    rows, _ = mixture.sample(n)
    raw = release.preparation.inverse_measured(rows)
    return dict(zip(release.measured_columns, raw.T.tolist(), strict=True))


def _said(trouble: ModemapError | None) -> str | None:
    return " ".join(str(trouble).split()) if trouble else None


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type=JSON)


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for no other
    return Problem(error.status_code, str(error.detail).lower(), error.headers).response()


async def _told_of_query(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # it is registered for no other
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return Problem(422, first["msg"], column=name, found=str(first.get("input"))[:80]).response()
