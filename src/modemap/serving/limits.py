"""What a request may cost: refused before it is read, or as soon as it is too much.

Health checks and metrics pass with any host and key, and while the service is full.
"""

import asyncio
import hashlib
import hmac
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modemap.params import ServeParams
from modemap.serving.problems import Problem

__all__ = ["OPEN", "Limits", "full"]

OPEN = frozenset({"/healthz", "/readyz", "/ping", "/metrics"})
GZIP = 16 + zlib.MAX_WBITS
RETRY = {"Retry-After": "1"}


def full(n_requests: int) -> Problem:
    """Return what a caller is told who comes while so many requests are at work."""
    found = f"{n_requests} requests at once"
    return Problem(503, "the service is full", RETRY, found=found, hint="try again")


class Limits:
    """An ASGI application in front of ``app`` that holds requests to ``params``.

    Parameters
    ----------
    app : ASGI application
        What answers requests that keep the limits; it finds their bodies read and unpacked.
    params : ServeParams
        The limits.
    keys : mapping of str to str
        The sha256 of each API key that is let in, by the name it is told by; none: all are.
    """

    def __init__(self, app: ASGIApp, params: ServeParams, keys: Mapping[str, str]) -> None:
        self.app, self.params, self.keys = app, params, keys
        self.in_flight = 0
        self._buckets: dict[str, _Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        try:
            headers = Headers(scope=scope)
            self._check_host(headers)
            self._check_key(headers)
            self._check_length(headers)
            if self.in_flight >= self.params.max_concurrency:
                raise full(self.in_flight)
            self.in_flight += 1
            try:
                await self._pass_on(scope, headers, receive, send)
            finally:
                self.in_flight -= 1
        except Problem as problem:
            await problem.response()(scope, receive, send)

    async def _pass_on(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self.params.body_seconds):
                body = await self._body(headers, receive)
        except TimeoutError:
            limit = f"a body must arrive within {self.params.body_seconds:g} s"
            raise Problem(408, limit, {"Connection": "close"}) from None
        try:
            async with asyncio.timeout(self.params.request_seconds):
                await self.app(scope, _replayed(body, receive), noted)
        except TimeoutError:
            if started:
                raise
            limit = f"an answer must be there within {self.params.request_seconds:g} s"
            raise Problem(503, limit, RETRY, hint="send fewer rows at once") from None

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        packed = await self._packed(receive)
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding == "identity" or not packed:
            return packed
        if encoding != "gzip":
            raise Problem(415, "a body must be plain or packed by gzip", found=encoding)
        limit = self.params.max_body_bytes
        unpacker = zlib.decompressobj(GZIP)
        try:
            body = unpacker.decompress(packed, limit + 1)
        except zlib.error as error:
            raise Problem(400, "the body must be what its header says", found=str(error)) from None
        if len(body) > limit:
            self._refuse_length(f"more than {limit} bytes once unpacked")
        if not unpacker.eof:
            raise Problem(400, "the body must be what its header says", found="it ends too early")
        return body

    async def _packed(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "the body must be whole", found="the caller has gone")
            part = message.get("body", b"")
            size += len(part)
            if size > self.params.max_body_bytes:
                self._refuse_length(f"more than {self.params.max_body_bytes} bytes")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _check_host(self, headers: Headers) -> None:
        allowed = self.params.allowed_hosts
        host = headers.get("host", "").rpartition(":")
        name = host[0] if host[1] and host[2].isdigit() else headers.get("host", "")
        if "*" not in allowed and name not in allowed:
            hint = "add the name to serve.allowed_hosts in params.yaml"
            raise Problem(421, "the host must be one that is served", found=name[:200], hint=hint)

    def _check_key(self, headers: Headers) -> None:
        if not self.keys:
            return
        given = hashlib.sha256(headers.get("x-api-key", "").encode()).hexdigest()
        # Every key is compared, so that the time says nothing of which came close.
        names = [name for name, sha256 in self.keys.items() if hmac.compare_digest(sha256, given)]
        if not names:
            hint = "send your key in the header X-API-Key"
            raise Problem(401, "a known key is needed", {"WWW-Authenticate": "ApiKey"}, hint=hint)
        bucket = self._buckets.setdefault(names[0], _Bucket(self.params.requests_per_second))
        if not bucket.take(self.params.requests_per_second):
            limit = f"a key may ask {self.params.requests_per_second:g} times a second"
            raise Problem(429, limit, RETRY)

    def _check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise Problem(400, "Content-Length must be a number", found=length[:80])
        if int(length) > self.params.max_body_bytes:
            self._refuse_length(f"{length} bytes")

    def _refuse_length(self, found: str) -> NoReturn:
        rule = f"a body may have {self.params.max_body_bytes} bytes"
        hint = "send fewer rows at once, or score files by `modemap score`"
        raise Problem(413, rule, {"Connection": "close"}, found=found, hint=hint)


@dataclass
class _Bucket:
    """Requests that a key may still ask: as many as fit a second, refilled all the time."""

    left: float
    seen: float = 0.0

    def take(self, rate: float) -> bool:
        now = time.monotonic()
        self.left = min(rate, self.left + (now - self.seen) * rate) if self.seen else self.left
        self.seen = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what hands on a body that was read already, then what else the caller does."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
