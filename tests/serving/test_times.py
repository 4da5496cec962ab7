"""Times of rows: in whatever form, an instant has the hour of the clocks of training."""

import io

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from starlette.testclient import TestClient

from modemap.data.derived import derive, derived_names
from modemap.params import ServeParams
from modemap.serving.app import create_app
from modemap.serving.following import Follower, directory_source
from tests.releases import write_release

NEW_YORK = "America/New_York"
ARROW = "application/vnd.apache.arrow.stream"
TIMES = {"when": ["hour"]}
N = 48


def times(zone):
    """Return hour after hour in ``zone``, each an instant; by its clocks where there is none."""
    instants = pa.array(np.arange(N) * 3_600_000_000 + 1_700_000_000_000_000, pa.timestamp("us"))
    return instants if zone is None else instants.cast(pa.timestamp("us", zone))


@pytest.fixture(scope="module")
def serving(rows, tmp_path_factory):
    """Return a maker of clients of releases whose times had a zone, or none."""

    def make(zone):
        table = pa.table({"when": pa.concat_arrays([times(zone)] * 10)})
        X = np.column_stack([rows[: 10 * N], *derive(table, {}, TIMES).values()])
        names = derived_names({}, TIMES)
        folder = write_release(
            tmp_path_factory.mktemp("times") / "release",
            X,
            ["delay", "distance", *names],
            map_only=names,
            prepare={"times": TIMES},
            zones={} if zone is None else {"when": zone},
        )
        settings = ServeParams(allowed_hosts=("testserver",))
        follower = Follower(directory_source(folder), settings.follow_seconds)
        follower.look()
        return TestClient(create_app(follower, settings, {}), raise_server_exceptions=False)

    return make


@pytest.fixture(scope="module")
def zoned(serving):
    """Return a client of a release that was trained by the clocks of New York."""
    with serving(NEW_YORK) as client:
        yield client


@pytest.fixture(scope="module")
def local(serving):
    """Return a client of a release whose times had no zone."""
    with serving(None) as client:
        yield client


def as_json(when):
    """Return the request of rows with these texts as JSON."""
    rows = [{"delay": 3.0, "distance": 480.0, "when": text} for text in when]
    return {"json": {"rows": rows}}


def as_csv(when):
    """Return the same as CSV."""
    lines = [f"3.0,480.0,{text}" for text in when]
    content = "\n".join(["delay,distance,when", *lines]).encode()
    return {"content": content, "headers": {"content-type": "text/csv"}}


def as_arrow(when):
    """Return an array of times as an Arrow stream."""
    n = len(when)
    table = pa.table({"delay": [3.0] * n, "distance": [480.0] * n, "when": when})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {"content": sink.getvalue(), "headers": {"content-type": ARROW}}


def distances(answer):
    """Return the distances to the map that an answer tells, whatever its form."""
    assert answer.status_code == 200, answer.text
    kind = answer.headers["content-type"]
    if kind.startswith("text/csv"):
        return pacsv.read_csv(io.BytesIO(answer.content))["map_distance"].to_pylist()
    if kind.startswith(ARROW):
        return pa.ipc.open_stream(answer.content).read_all()["map_distance"].to_pylist()
    return [row["map_distance"] for row in orjson.loads(answer.content)["rows"]]


def test_an_instant_has_the_hour_of_training_in_every_form(zoned):
    """By offset, as UTC, by another zone; as JSON, CSV and Arrow."""
    expected = distances(zoned.post("/v1/score", **as_arrow(times(NEW_YORK))))
    utc = [stamp.isoformat() for stamp in times("UTC").to_pylist()]
    offset = [stamp.isoformat() for stamp in times("Asia/Kolkata").to_pylist()]

    assert len({round(distance, 6) for distance in expected}) > 5
    for form in (
        as_arrow(times("UTC")),
        as_arrow(times("Asia/Kolkata")),
        as_json(utc),
        as_json(offset),
        as_csv(utc),
        as_csv(offset),
    ):
        assert distances(zoned.post("/v1/score", **form)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", [as_json, as_csv])
@pytest.mark.parametrize(
    ("client", "text", "rule"),
    [
        ("zoned", "2026-01-31T12:00:00", "must have a zone or an offset"),
        ("local", "2026-01-31T12:00:00-05:00", "must have no zone and no offset"),
    ],
)
def test_times_of_which_nobody_knows_the_hour_are_refused(request, client, text, rule, form):
    """Without a zone where training had one, with a zone where none is known."""
    answer = request.getfixturevalue(client).post("/v1/score", **form([text]))

    assert answer.status_code == 422
    assert rule in answer.json()["title"]


@pytest.mark.parametrize("client", ["zoned", "local"])
@pytest.mark.parametrize("bad", ["half past nine", "", 5, True, ["2026-01-31"]])
def test_what_is_no_time_is_told_with_its_row(request, client, bad):
    """The message says how times are written, and no word of the parser."""
    good = "2026-01-31T12:00:00+01:00" if client == "zoned" else "2026-01-31T12:00:00"

    answer = request.getfixturevalue(client).post("/v1/score", **as_json([good, bad]))

    told = answer.json()
    assert answer.status_code == 422
    assert (told["row"], told["column"], told["found"]) == (1, "when", repr(bad))
    assert "ISO 8601" in told["title"]
    assert "scalar" not in answer.text


@pytest.mark.parametrize("client", ["zoned", "local"])
def test_a_time_may_be_missing(request, client):
    """All of them too, in any form."""
    client = request.getfixturevalue(client)

    found = [
        distances(client.post("/v1/score", **form))
        for form in (as_json([None, None]), as_csv(["", ""]), as_arrow(pa.nulls(2)))
    ]

    assert found[0] == found[1] == found[2]
