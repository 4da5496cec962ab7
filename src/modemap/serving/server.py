"""Run the service: uvicorn on one port, until it is told to stop."""

import logging
import os
import socket
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from modemap.errors import ParamsError
from modemap.lifecycle.alert import alert
from modemap.params import PARAMS_FILE, ServeParams, load_params
from modemap.serving.app import create_app
from modemap.serving.following import Follower, champion_source, directory_source
from modemap.serving.shedding import shedding

__all__ = ["KEYS_VARIABLE", "configured", "listening", "read_keys", "run_service"]

KEYS_VARIABLE = "MODEMAP_API_KEYS"
SHA256_LENGTH = 64
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 30
BACKLOG = 2048

log = logging.getLogger(__name__)


def run_service(root: Path, *, host: str, port: int, release: Path | None = None) -> None:
    """Serve the champion of the project in ``root``, or the one ``release``, until told to stop.

    Raises
    ------
    ParamsError
        If the params or the keys cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.captureWarnings(True)
    params = _params(root, release)
    source = directory_source(release) if release else champion_source(root)
    keys = read_keys(os.environ.get(KEYS_VARIABLE, ""))
    alarm = partial(alert, root, "following-failed")
    follower = Follower(source, params.follow_seconds, alarm, None if release else root)
    app = create_app(follower, params, keys)
    with listening(host, port) as listener:
        log.info("http://%s:%s until Ctrl-C", host, listener.getsockname()[1])
        uvicorn.Server(configured(app, params)).run(sockets=[listener])


def configured(app: FastAPI, params: ServeParams) -> uvicorn.Config:
    """Return how uvicorn is to run the service ``app``."""
    return uvicorn.Config(
        app,
        http=shedding(params.max_concurrency, app.state.shed),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at ``host`` and ``port``, any free one for 0.

    Raises
    ------
    ParamsError
        If it is no address of this machine, or something listens there.
    """
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=BACKLOG)
    except OSError as error:
        raise ParamsError(
            f"--host {host} --port {port}",
            "must be an address of this machine that nothing listens at",
            found=error.strerror or str(error),
            hint="stop what listens there, or take --port 0 for any that is free",
        ) from None
    # Connections inherit it; asyncio sets it only where a socket names its protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def read_keys(text: str) -> dict[str, str]:
    """Return the sha256 of each key by its name, from ``name:sha256`` pairs between commas.

    Raises
    ------
    ParamsError
        If ``text`` is not such a list.
    """
    keys = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, sha256 = pair.partition(":")
        if not name or len(sha256) != SHA256_LENGTH or set(sha256) - set("0123456789abcdef"):
            raise ParamsError(
                KEYS_VARIABLE,
                "must hold name:sha256 pairs between commas",
                found=f"{name or 'no name'}:… of {len(sha256)} characters",
                hint="printf %s KEY | sha256sum",
            )
        keys[name] = sha256
    return keys


def _params(root: Path, release: Path | None) -> ServeParams:
    path = root / PARAMS_FILE
    if release is not None and not path.is_file():
        return ServeParams()
    return load_params(path).serve
