"""What a request may not be, and what it may not cost: each is told, and costs little."""

import asyncio
import gzip
import hashlib
import struct
import time

import orjson
import pyarrow as pa
import pytest

from modemap.params import ServeParams
from modemap.serving.bodies import ARROW
from modemap.serving.limits import Limits
from modemap.serving.problems import MEDIA_TYPE
from tests.serving.conftest import ROW


def score(client, **arguments):
    """Return the answer to a request, which is a problem if it is a refusal."""
    answer = client.post("/v1/score", **arguments)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert answer.json()["status"] == answer.status_code
        assert "Traceback" not in answer.text
    return answer


@pytest.mark.parametrize(
    ("sent", "members"),
    [
        ([ROW, ROW | {"delay": "late"}], {"row": 1, "column": "delay", "found": "'late'"}),
        ([ROW | {"delay": True}], {"row": 0, "column": "delay", "found": "True"}),
        ([ROW | {"delay": [1]}], {"row": 0, "column": "delay"}),
        ([ROW | {"delay": 1e300}], {"row": 0, "column": "delay", "found": "1e+300"}),
        ([ROW, ROW, ROW | {"distance": None}], {"row": 2, "column": "distance", "found": "null"}),
        ([{"delay": 1.0}], {"row": 0, "column": "distance", "found": "no distance"}),
        ([1], {"row": 0, "found": "int"}),
        ([], {"found": 0}),
        ("rows", {"found": "str"}),
    ],
)
def test_a_value_that_is_wrong_is_named(client, sent, members):
    """The answer names row, column and value."""
    answer = score(client, json={"rows": sent})

    assert answer.status_code == 422
    assert members.items() <= answer.json().items()


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"delay": [1.0]}, "distance"),
        ({"delay": [1.0], "distance": 2.0}, "distance"),
        ({"delay": [1.0, "x"], "distance": [1.0, 2.0]}, "delay"),
    ],
)
def test_a_column_that_is_wrong_is_named(client, columns, column):
    """So it is where rows come by columns."""
    answer = score(client, json={"columns": columns})

    assert answer.status_code == 422
    assert answer.json()["column"] == column


def test_columns_of_two_lengths_are_refused(client):
    """Their lengths are told."""
    answer = score(client, json={"columns": {"delay": [1.0], "distance": [1.0, 2.0]}})

    assert answer.json()["found"] == {"delay": 1, "distance": 2}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"rows": [{"delay": NaN, "distance": 1}]}', "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b'{"some": 1}', "application/json", 422),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"delay,delay\n1,2\n", "text/csv", 422),
        (b"delay,distance\n1\n", "text/csv", 400),
        (b"delay,distance\nx,2\n", "text/csv", 422),
        (b"", "text/csv", 400),
        (b"no stream", ARROW, 400),
        (b"", ARROW, 400),
    ],
)
def test_a_body_that_is_none_is_refused(client, body, kind, status):
    """Broken JSON, CSV and Arrow are told as such."""
    answer = score(client, content=body, headers={"content-type": kind})

    assert answer.status_code == status, answer.text


def stream_of(table, **options):
    """Return an Arrow stream that can be spoiled."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytearray(sink.getvalue())


def test_a_stream_packed_inside_is_refused_before_it_is_unpacked(client):
    """What it would unpack to is not known, so it is not tried."""
    body = stream_of(pa.table({"delay": [1.0] * 999, "distance": [2.0] * 999}), compression="zstd")

    answer = score(client, content=bytes(body), headers={"content-type": ARROW})

    assert answer.status_code == 415
    assert "compress" in answer.json()["title"]


def test_a_stream_that_announces_too_many_rows_is_refused(client):
    """A column of nulls costs its sender nothing: its announced length is what counts."""
    body = stream_of(pa.table({"delay": pa.nulls(7_654_321), "distance": pa.nulls(7_654_321)}))

    answer = score(client, content=bytes(body), headers={"content-type": ARROW})

    assert answer.status_code == 422
    assert answer.json()["found"] == 7_654_321


def test_a_damaged_stream_is_refused(client):
    """No byte of a stream that is changed makes the service fail."""
    whole = stream_of(pa.table({"delay": [1.0], "distance": [2.0]}))

    for place in range(0, len(whole), 3):
        body = bytearray(whole)
        body[place] ^= 0xFF
        answer = client.post("/v1/score", content=bytes(body), headers={"content-type": ARROW})
        assert answer.status_code < 500, (place, answer.text)


def test_infinity_in_a_stream_is_refused(client):
    """Arrow can say what JSON cannot."""
    body = stream_of(pa.table({"delay": [float("inf")], "distance": [2.0]}))

    answer = score(client, content=bytes(body), headers={"content-type": ARROW})

    assert answer.json()["found"] == "inf"


def test_a_long_body_is_refused_by_its_length(make_service):
    """With a length in its head it is refused unread, without one as soon as it is too much."""
    client = make_service(max_body_bytes=1024)
    parts = [b"x" * 600 for _ in range(100)]
    read = []

    def body():
        for number, part in enumerate(parts):
            read.append(number)
            yield part

    announced = score(client, content=b"x" * 2000)
    streamed = score(client, content=body())

    assert (announced.status_code, streamed.status_code) == (413, 413)


def test_packed_bodies_are_read_within_the_limit(make_service):
    """A body packed by gzip is unpacked up to the limit and no further."""
    client = make_service(max_body_bytes=2048)
    packed = {"content-encoding": "gzip", "content-type": "application/json"}
    bomb = gzip.compress(b"0" * 1_000_000)
    assert len(bomb) < 2048

    fine = score(client, content=gzip.compress(orjson.dumps({"rows": [ROW]})), headers=packed)
    refused = score(client, content=bomb, headers=packed)
    broken = score(client, content=b"no gzip", headers=packed)
    cut = score(client, content=gzip.compress(b"[1]")[:-9], headers=packed)
    other = score(client, content=b"x", headers=packed | {"content-encoding": "br"})

    statuses = [answer.status_code for answer in (fine, refused, broken, cut, other)]
    assert statuses == [200, 413, 400, 400, 415]


def test_too_many_rows_are_refused(make_service):
    """By rows, by columns and by Arrow alike."""
    client = make_service(max_rows=2)
    table = pa.table({"delay": [1.0] * 3, "distance": [2.0] * 3})
    columns = {name: [1.0] * 3 for name in ROW}

    answers = [
        score(client, json={"rows": [ROW] * 3}),
        score(client, json={"columns": columns}),
        score(client, content=bytes(stream_of(table)), headers={"content-type": ARROW}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 3


def test_other_hosts_are_refused_but_for_health(make_service):
    """A page that points another name at the service gets nothing from it."""
    client = make_service(allowed_hosts=("here.example",))

    assert client.get("/v1/models").status_code == 421
    assert client.get("/v1/models", headers={"host": "here.example:8080"}).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_keys_let_in_and_hold_a_rate(make_service):
    """Without a known key nothing but health is answered; with one, so many times a second."""
    keys = {"team": hashlib.sha256(b"secret").hexdigest()}
    client = make_service(keys, requests_per_second=2.0)
    key = {"x-api-key": "secret"}

    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers={"x-api-key": "Secret"}).status_code == 401
    answers = [client.get("/v1/models", headers=key).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert client.get("/metrics").status_code == 200


def ask(limits, path="/v1/score", body=(b"{}",), slow=0.0):
    """Return the status that ``limits`` answers, driven without a server."""

    async def run():
        waiting, statuses = list(body), []

        async def receive():
            await asyncio.sleep(slow)
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "path": path,
            "method": "POST",
            "headers": [(b"host", b"localhost")],
        }
        await limits(scope, receive, send)
        return statuses[0]

    return run()


async def _slow_app(_scope, _receive, send):
    await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_full_service_says_so_at_once():
    """Beyond the requests at work, the next is told to come again, and health still answers."""
    limits = Limits(_slow_app, ServeParams(max_concurrency=2), {})

    async def run():
        started = time.perf_counter()
        working = [asyncio.create_task(ask(limits)) for _ in range(2)]
        await asyncio.sleep(0.01)
        refused, health = await ask(limits), await asyncio.wait_for(ask(limits, "/healthz"), 5)
        return refused, health, [await task for task in working], time.perf_counter() - started

    refused, health, working, _ = asyncio.run(run())

    assert (refused, health, working) == (503, 200, [200, 200])
    assert limits.in_flight == 0


def test_slow_callers_and_slow_answers_are_cut():
    """A body must come and an answer must be there in time."""
    slow_body = Limits(_slow_app, ServeParams(body_seconds=0.05), {})
    slow_answer = Limits(_slow_app, ServeParams(request_seconds=0.05), {})

    assert asyncio.run(ask(slow_body, body=[b"x"] * 9, slow=0.02)) == 408
    assert asyncio.run(ask(slow_answer)) == 503
    assert (slow_body.in_flight, slow_answer.in_flight) == (0, 0)


def test_an_unexpected_failure_says_nothing_of_itself(make_service, monkeypatch):
    """The answer has no traceback and no message of the error."""
    monkeypatch.setattr("modemap.serving.app.written", lambda *_: struct.unpack("<q", b"secret"))

    answer = score(make_service(), json={"rows": [ROW]})

    assert answer.status_code == 500
    assert "unpack" not in answer.text
