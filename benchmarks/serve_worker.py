"""A server to be measured: `python -m benchmarks.serve_worker NAME PORT FOLDER`.

``modemap`` follows the release that FOLDER/current names; ``echo`` answers what it was sent;
``plain`` scores rows by scikit-learn, as a service is written that has no engine of its own.
"""

import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI, Request

from modemap.params import ServeParams
from modemap.serving.app import create_app
from modemap.serving.following import Follower
from modemap.serving.served import Serving, load_served
from modemap.serving.server import configured, listening

__all__ = ["CURRENT", "PLAIN"]

CURRENT = "current"
PLAIN = "plain.joblib"
LOOK_SECONDS = 0.1


def modemap(folder: Path) -> FastAPI:
    """Return the service of the release that ``folder`` names."""

    def look(serving: Serving | None) -> Serving | None:
        named = int((folder / CURRENT).read_text())
        if serving is not None and serving.champion.version == named:
            return serving
        return Serving(load_served(folder / str(named), named))

    return create_app(Follower(look, LOOK_SECONDS), ServeParams(), {})


def echo(_: Path) -> FastAPI:
    """Return an application that answers what it was sent."""
    app = FastAPI()

    @app.post("/")
    async def answer(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
        return rows

    return app


def plain(folder: Path) -> FastAPI:
    """Return an application around a mixture of scikit-learn."""
    app = FastAPI()
    pipeline = joblib.load(folder / PLAIN)  # of this benchmark, from its own folder

    @app.post("/")
    async def answer(request: Request) -> dict[str, list[float]]:
        rows = (await request.json())["rows"]
        X = np.array([list(row.values()) for row in rows])
        return {"scores": pipeline.score_samples(X).tolist()}

    return app


if __name__ == "__main__":
    make = {"modemap": modemap, "echo": echo, "plain": plain}[sys.argv[1]]
    app = make(Path(sys.argv[3]))
    config = uvicorn.Config(app, log_level="error", access_log=False)
    if sys.argv[1] == "modemap":
        config = configured(app, ServeParams())
    with listening("127.0.0.1", int(sys.argv[2])) as listener:
        uvicorn.Server(config).run(sockets=[listener])
