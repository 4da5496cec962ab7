"""Refuse requests while the service is full before HTTP is parsed, so that refusing costs little.

Offered twice what it can do, the service would spend its time on refusals otherwise, and those that
it has let in would wait for their turn behind them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from h11 import CLIENT, IDLE, SERVER, Connection, Event, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from modemap.serving.limits import OPEN, full
from modemap.serving.problems import Problem

__all__ = ["shedding", "whole_post"]

BETWEEN_REQUESTS = {CLIENT: IDLE, SERVER: IDLE}
MAX_HEAD = 1 << 16  # bytes, uvicorn's own limit
LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*$")
NOT_PLAIN = re.compile(rb"(?im)^(transfer-encoding|expect|connection|upgrade):")


def shedding(limit: int, refused: Callable[[str], None]) -> type[H11Protocol]:
    """Return uvicorn's protocol, but for requests that come while ``limit`` of them are at work.

    What is a plain POST, whole in what has just arrived, is answered at once by 503 and its
    connection kept; ``refused`` is told its path. Everything else takes the usual way, where
    :class:`~modemap.serving.limits.Limits` refuses it.
    """
    answer = _as_bytes(full(limit))

    class Shedding(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.conn = _Joining(SERVER, MAX_HEAD)

        def data_received(self, data: bytes) -> None:
            if len(self.tasks) >= limit and self.conn.states == BETWEEN_REQUESTS:
                path = None if self.conn.trailing_data[0] else whole_post(data)
                if path is not None and path not in OPEN:
                    refused(path)
                    self.transport.write(answer)
                    return
            super().data_received(data)

    return Shedding


def whole_post(data: bytes) -> str | None:
    """Return the path of the request that ``data`` is from its first byte to its last, if so."""
    head, end, body = data.partition(b"\r\n\r\n")
    first, _, fields = head.replace(b"\r\n", b"\n").partition(b"\n")
    words = first.split(b" ")
    if not end or len(words) != 3 or (words[0], words[2]) != (b"POST", b"HTTP/1.1"):  # noqa: PLR2004
        return None
    lengths = LENGTH.findall(fields)
    if len(lengths) != 1 or int(lengths[0]) != len(body) or NOT_PLAIN.search(fields):
        return None
    return words[1].partition(b"?")[0].decode("ascii", "replace")


class _Joining(Connection):
    """HTTP that sends an answer's head with what follows it: each write wakes the caller."""

    _head: Sequence[bytes] = ()

    def send_with_data_passthrough(self, event: Event) -> list[bytes] | None:
        data = super().send_with_data_passthrough(event)
        if data is None:
            return None
        head, self._head = self._head, ()
        if isinstance(event, Response):
            self._head, data = data, []
        return [*head, *data]


def _as_bytes(problem: Problem) -> bytes:
    response = problem.response()
    fields = b"".join(b"%s: %s\r\n" % field for field in response.raw_headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n%s\r\n%s" % (fields, bytes(response.body))
