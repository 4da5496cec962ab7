"""Requests for a server on loopback: at a steady rate, or as many as it answers.

Time counts from the moment at which a request was due, so a server that stalls is charged for all
that had to wait.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from itertools import cycle

__all__ = ["Load", "as_many", "at_rate", "request"]

N_CONNECTIONS = 64
LATE_SECONDS = 60.0  # until the last answers must be there


@dataclass(frozen=True)
class Load:
    """What came of requests: the status and the seconds of each."""

    statuses: list[int]
    seconds: list[float]
    over: float  # seconds from the first to the last

    def of(self, status: int) -> list[float]:
        """Return the seconds of answers with ``status``, sorted."""
        pairs = zip(self.statuses, self.seconds, strict=True)
        return sorted(seconds for found, seconds in pairs if found == status)

    def percentile(self, share: float) -> float:
        """Return the seconds within which ``share`` of all answers came."""
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def request(path: str, body: bytes, kind: str = "application/json") -> bytes:
    """Return the bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def at_rate(port: int, what: bytes, per_second: float, seconds: float) -> Load:
    """Send ``what`` at a steady rate over many connections."""
    return asyncio.run(_at_rate(port, what, per_second, seconds))


def as_many(port: int, what: bytes, n_connections: int, seconds: float) -> Load:
    """Send ``what`` again on each connection as soon as it was answered."""
    return asyncio.run(_as_many(port, what, n_connections, seconds))


class _Connection(asyncio.Protocol):
    """One connection: answers come in the order of the requests."""

    def __init__(self, load: Load) -> None:
        self.load, self.waiting = load, deque[float]()
        self.answered = asyncio.Event()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # of TCP
        self.transport = transport

    def send(self, what: bytes, due: float) -> None:
        """Send a request that was due at a moment."""
        self.waiting.append(due)
        self.answered.clear()
        self.transport.write(what)

    def data_received(self, data: bytes) -> None:
        """Take note of each whole answer."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self.load.statuses.append(int(head.split()[1]))
            self.load.seconds.append(time.perf_counter() - self.waiting.popleft())
            self.answered.set()


async def _connections(port: int, n: int, load: Load) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port) for _ in range(n)
    ]
    return [connection for _, connection in made]


async def _at_rate(port: int, what: bytes, per_second: float, seconds: float) -> Load:
    load = Load([], [], seconds)
    connections = await _connections(port, N_CONNECTIONS, load)
    began, n = time.perf_counter(), round(per_second * seconds)
    free = cycle(connections)
    for i in range(n):
        due = began + i / per_second
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        elif i % N_CONNECTIONS == 0:
            await asyncio.sleep(0)  # answers are read though requests are late
        next(free).send(what, due)
    deadline = time.perf_counter() + LATE_SECONDS
    while len(load.statuses) < n and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    for connection in connections:
        connection.transport.close()
    return load


async def _as_many(port: int, what: bytes, n_connections: int, seconds: float) -> Load:
    load = Load([], [], seconds)
    connections = await _connections(port, n_connections, load)
    ends = time.perf_counter() + seconds

    async def repeat(connection: _Connection) -> None:
        while time.perf_counter() < ends:
            connection.send(what, time.perf_counter())
            await connection.answered.wait()
        connection.transport.close()

    await asyncio.gather(*map(repeat, connections))
    return load
