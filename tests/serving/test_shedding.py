"""A full service refuses what comes at once, and goes on as if nothing had been."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from unittest.mock import Mock

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from modemap.params import ServeParams
from modemap.serving.limits import OPEN, full
from modemap.serving.server import configured
from modemap.serving.shedding import shedding, whole_post
from tests.serving.conftest import ROW

BODY = json.dumps({"rows": [ROW]}).encode()


def _post(path="/v1/score", body=BODY, *fields, length=None, version="1.1"):
    size = len(body) if length is None else length
    head = [f"POST {path} HTTP/{version}", "Host: localhost", f"Content-Length: {size}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Service:
    """An application that holds what it is asked until it is let go, one request at a time."""

    def __init__(self):
        self.paths, self.refused, self.go = [], [], asyncio.Event()
        self.writers = []

    async def __call__(self, scope, receive, send):
        """Answer 200, to a held path once it is let go."""
        self.paths.append(scope["path"])
        while (await receive()).get("more_body"):
            pass
        if scope["path"] not in OPEN:
            await self.go.wait()
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        """Yield the port it answers at, with a limit of one request."""
        config = uvicorn.Config(self, http=shedding(1, self.refused.append), lifespan="off")
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            for writer in self.writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            self.go.set()
            server.should_exit = True
            await serving


async def _connected(service, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    service.writers.append(writer)
    return reader, writer


async def _answer(reader):
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().lower()
    fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
    return int(head.split()[1]), fields, await reader.readexactly(int(fields["content-length"]))


def _run(story):
    async def run():
        service = Service()
        async with service.served() as port:
            return await asyncio.wait_for(story(service, port), 30)

    return asyncio.run(run())


async def _held(service, port):
    """Return the reader of a connection with a request that is at work."""
    reader, writer = await _connected(service, port)
    writer.write(_post())
    while not service.paths:
        await asyncio.sleep(0.01)
    return reader


def test_beyond_the_limit_the_answer_is_there_at_once():
    """It is the one that the limits give; the connection stays, and answers when there is room."""

    async def story(service, port):
        held = await _held(service, port)
        reader, writer = await _connected(service, port)
        for _ in range(3):
            writer.write(_post("/v1/score?modes=true"))
            status, fields, body = await _answer(reader)
            assert (status, fields["retry-after"]) == (503, "1")
            assert fields["content-type"] == "application/problem+json"
            assert body == bytes(full(1).response().body)
        assert service.refused == ["/v1/score"] * 3
        assert service.paths == ["/v1/score"]

        service.go.set()
        assert (await _answer(held))[0] == 200
        writer.write(_post())
        assert (await _answer(reader))[0] == 200
        assert len(service.refused) == 3

    _run(story)


def test_health_and_metrics_pass_a_full_service():
    """Whoever looks after it must be answered."""

    async def story(service, port):
        await _held(service, port)
        reader, writer = await _connected(service, port)
        for path in sorted(OPEN):
            writer.write(_post(path))
            assert (await _answer(reader))[0] == 200
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await _answer(reader))[0] == 200
        assert service.refused == []

    _run(story)


def test_what_comes_in_pieces_takes_the_usual_way():
    """A request that began to be read is read to its end, and those behind it are not cut off."""

    async def story(service, port):
        held = await _held(service, port)
        reader, writer = await _connected(service, port)
        whole = _post("/v1/explain")
        writer.write(whole[:40])
        await asyncio.sleep(0.05)
        writer.write(whole[40:])
        while len(service.paths) < 2:
            await asyncio.sleep(0.01)
        service.go.set()
        assert (await _answer(reader))[0] == (await _answer(held))[0] == 200
        assert service.paths == ["/v1/score", "/v1/explain"]
        assert service.refused == []

    _run(story)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /v1/score HTTP/1.1\r\nContent-Length: 2\r\n",
        b"GET /v1/models HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        _post(length=len(BODY) + 1),
        _post(length=len(BODY) - 1),
        _post(length="1e3"),
        _post(version="1.0"),
        _post("/v1/score", BODY, "Transfer-Encoding: chunked"),
        _post("/v1/score", BODY, "expect: 100-continue"),
        _post("/v1/score", BODY, "Connection: close"),
        _post("/v1/score", BODY, f"content-length: {len(BODY)}"),
        _post() + _post(),
    ],
)
def test_only_a_plain_request_is_taken_for_one(data):
    """What is cut, of another kind, or followed by more is left to the parser."""
    assert whole_post(data) is None


def test_a_plain_request_is_known_by_its_path():
    """Whatever stands in its body, however the field is written."""
    assert whole_post(_post()) == "/v1/score"
    assert whole_post(_post("/x?y=1", b"\r\n\r\nConnection: close")) == "/x"
    assert whole_post(_post().replace(b"Content-Length: ", b"CONTENT-LENGTH:")) == "/v1/score"


@pytest.mark.parametrize("parts", [[b"whole"], [b"first", b"second"], [b""]])
def test_the_head_of_an_answer_goes_with_its_body(parts):
    """Each is written once: the head with what follows it, later parts as they come."""

    async def answers(scope, receive, send):
        del scope, receive
        headers = [(b"content-length", b"%d" % len(b"".join(parts)))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for i, body in enumerate(parts):
            more = i + 1 < len(parts)
            await send({"type": "http.response.body", "body": body, "more_body": more})

    async def written():
        state, transport = ServerState(), Mock()
        transport.get_extra_info.return_value = None
        transport.is_closing.return_value = False
        config = uvicorn.Config(answers, http=shedding(1, print), lifespan="off")
        protocol = config.http(config=config, server_state=state, app_state={})
        protocol.connection_made(transport)
        found = []
        for _ in range(2):
            protocol.data_received(_post())
            await asyncio.gather(*state.tasks)
            found.append([call.args[0] for call in transport.write.mock_calls if call.args[0]])
            transport.write.reset_mock()
        protocol.connection_lost(None)
        return found

    for first, *others in asyncio.run(written()):
        head, _, body = first.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert [body, *others] == parts


def test_refusals_are_counted(client):
    """By route, and all others together."""
    client.app.state.shed("/v1/score")
    client.app.state.shed("/anything")

    page = client.get("/metrics").text
    for route in ("/v1/score", "other"):
        assert f'modemap_requests_total{{method="POST",route="{route}",status="503"}}' in page


def test_the_limit_is_what_params_say(client, monkeypatch):
    """The service runs by this protocol, with its own limit and its own count of refusals."""
    asked = []

    def noted(limit, refused):
        asked.append((limit, refused))
        return H11Protocol

    monkeypatch.setattr("modemap.serving.server.shedding", noted)
    config = configured(client.app, ServeParams(max_concurrency=3))

    assert asked == [(3, client.app.state.shed)]
    assert config.http is H11Protocol
