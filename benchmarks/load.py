"""Requests for a server on loopback: at a steady rate, or as many as it answers.

Time counts from the moment at which a request was due, so a server that stalls is charged for all
that had to wait.
"""

import asyncio
import time
from dataclasses import dataclass, field

__all__ = ["Load", "as_many", "at_rate", "request"]

N_CONNECTIONS = 64
LATE_SECONDS = 60.0  # until the last answers must be there


@dataclass(frozen=True)
class Load:
    """What came of requests: the status and the seconds of each."""

    statuses: list[int]
    seconds: list[float]
    over: float  # seconds from the first to the last
    late: list[float] = field(default_factory=list)  # seconds by which requests were sent late

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
    """One connection, on which one request at a time waits for its answer."""

    def __init__(self, load: Load, free: list["_Connection"]) -> None:
        self.load, self.free = load, free
        self.answered = asyncio.Event()
        self._due, self._buffer = 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # of TCP
        self.transport = transport

    def send(self, what: bytes, due: float) -> None:
        """Send a request that was due at a moment."""
        self._due = due
        self.answered.clear()
        self.transport.write(what)

    def data_received(self, data: bytes) -> None:
        """Take note of the answer once it is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer = b""
        self.load.statuses.append(int(head.split()[1]))
        self.load.seconds.append(time.perf_counter() - self._due)
        self.free.append(self)
        self.answered.set()


async def _connected(port: int, load: Load, free: list[_Connection]) -> _Connection:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: _Connection(load, free), "127.0.0.1", port)
    return made


async def _at_rate(port: int, what: bytes, per_second: float, seconds: float) -> Load:
    """Send each request on a connection of its own while all others wait for answers."""
    load, free = Load([], [], seconds), list[_Connection]()
    connections = [await _connected(port, load, free) for _ in range(N_CONNECTIONS)]
    free += connections
    began, n = time.perf_counter(), round(per_second * seconds)
    opening = set[asyncio.Task[None]]()

    async def send_on_another(due: float) -> None:
        connections.append(await _connected(port, load, free))
        connections[-1].send(what, due)

    for i in range(n):
        due = began + i / per_second
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        load.late.append(time.perf_counter() - due)
        if free:
            free.pop().send(what, due)
        else:
            task = asyncio.create_task(send_on_another(due))
            opening.add(task)
            task.add_done_callback(opening.discard)
    deadline = time.perf_counter() + LATE_SECONDS
    while len(load.statuses) < n and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    for connection in connections:
        connection.transport.close()
    return load


async def _as_many(port: int, what: bytes, n_connections: int, seconds: float) -> Load:
    load, free = Load([], [], seconds), list[_Connection]()
    connections = [await _connected(port, load, free) for _ in range(n_connections)]
    ends = time.perf_counter() + seconds

    async def repeat(connection: _Connection) -> None:
        while time.perf_counter() < ends:
            connection.send(what, time.perf_counter())
            await connection.answered.wait()
        connection.transport.close()

    await asyncio.gather(*map(repeat, connections))
    return load
