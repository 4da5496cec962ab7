"""Categories and booleans of rows that are sent: the same in every form, or refused."""

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from modemap.data.derived import derive, derived_names
from modemap.params import ServeParams
from modemap.serving.app import create_app
from modemap.serving.following import Follower, directory_source
from tests.releases import write_release

CATEGORIES = {"kind": ["a", "<b>"], "late": ["true"]}
TIMES = {"when": ["hour"]}


@pytest.fixture(scope="module", params=[None, "America/New_York"])
def client(request, rows, tmp_path_factory):
    """Return a client of a release that sees a category, a boolean and a time."""
    n = len(rows)
    stamps = pa.array(np.arange(n) * 3_600_000_000, pa.timestamp("us"))
    table = pa.table(
        {
            "kind": np.array(["a", "<b>", "c"])[np.arange(n) % 3],
            "late": rows[:, 0] > 30,
            "when": stamps if request.param is None else stamps.cast(stamps.type),
        }
    )
    names = derived_names(CATEGORIES, TIMES)
    X = np.column_stack([rows, *derive(table, CATEGORIES, TIMES).values()])
    folder = write_release(
        tmp_path_factory.mktemp("levels") / "release",
        X,
        ["delay", "distance", *names],
        map_only=names,
        prepare={"categories": CATEGORIES, "times": TIMES},
        zones={} if request.param is None else {"when": request.param},
    )
    settings = ServeParams(allowed_hosts=("testserver",))
    follower = Follower(directory_source(folder), settings.follow_seconds)
    follower.look()
    app = create_app(follower, settings, {})
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def scored(client, **changed):
    """Ask the scores of a row with these values."""
    row = {"delay": 90.0, "distance": 2000.0, "kind": "a", "late": True, "when": None}
    return client.post("/v1/score", json={"rows": [row | changed]})


def test_booleans_are_the_same_in_every_form(client):
    """True is no false: their distances differ."""
    yes = {
        scored(client, late=value).json()["rows"][0]["map_distance"]
        for value in (True, 1, "True", "TRUE")
    }
    no = {
        scored(client, late=value).json()["rows"][0]["map_distance"]
        for value in (False, 0, "False", "false")
    }

    assert len(yes) == len(no) == 1
    assert yes != no


@pytest.mark.parametrize("value", ["ja", "nein", 2, 0.5, "", "yes"])
def test_what_is_no_boolean_is_refused(client, value):
    """It was taken for false."""
    answer = scored(client, late=value)

    assert answer.status_code == 422
    assert "must hold true or false" in answer.json()["title"]
    assert answer.json()["place"] == "column `late`"


@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_what_is_no_level_is_refused(client, value):
    """A list or an object has no text."""
    answer = scored(client, kind=value)

    assert answer.status_code == 422
    assert answer.json()["column"] == "kind"


def test_levels_of_two_kinds_are_named(client):
    """The message says the kinds, and no word of the parser."""
    rows = [
        {"delay": 1.0, "distance": 1.0, "kind": kind, "late": None, "when": None}
        for kind in ("a", 1)
    ]

    told = client.post("/v1/score", json={"rows": rows}).json()

    assert (told["title"], told["found"]) == ("levels must be of one kind", "int, str")


def test_the_example_can_be_sent_as_it_is(client):
    """It has the columns of a row, and none that the map made of them."""
    (model,) = client.get("/v1/models").json()["models"]

    answer = client.post("/v1/score", json={"rows": [model["example"]]})

    assert list(model["example"]) == model["columns"] == ["delay", "distance", *CATEGORIES, *TIMES]
    assert answer.status_code == 200, answer.text
    assert client.post("/v1/explain", json={"rows": [model["example"]]}).status_code == 200


def test_the_page_offers_levels_and_says_how_times_are_written(client):
    """Each input of a category lists its levels, whatever signs they have."""
    page = client.get("/").text

    assert '<option value="a"></option><option value="&lt;b&gt;"></option>' in page
    assert 'placeholder="as 2026-01-31T12:00:00' in page
