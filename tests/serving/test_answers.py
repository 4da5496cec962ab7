"""What the service answers is what the release says, in every form."""

import numpy as np
import pyarrow as pa
import pytest

from modemap.release import golden_rows
from modemap.serving.bodies import ARROW, arrow_bytes
from tests.serving.conftest import ROW

FIELDS = {"unit", "position", "segment", "map_distance", "anomaly_percentile", "log_likelihood"}


@pytest.fixture(scope="module")
def X(tiny_release):  # noqa: N802  # a fixture is called as it is used
    """Return raw rows that the release knows."""
    return golden_rows(tiny_release)


def records(served, X):
    """Return a JSON object for each row."""
    return [dict(zip(served.release.columns, row, strict=True)) for row in X.tolist()]


def test_rows_are_scored_as_the_release_scores_them(client, served, X):
    """JSON by rows gives an object for each row, with version and digest."""
    answer = client.post("/v1/score", json={"rows": records(served, X)}).json()

    expected = served.release.score(X)
    assert answer["digest"] == served.digest
    assert set(answer["rows"][0]) == FIELDS
    assert [row["unit"] for row in answer["rows"]] == expected.units.tolist()
    likelihood = [row["log_likelihood"] for row in answer["rows"]]
    np.testing.assert_array_equal(likelihood, expected.log_likelihood)


def test_columns_come_back_as_columns(client, served, X):
    """JSON by columns gives a list for each answer, the modes too if asked for."""
    columns = dict(zip(served.release.columns, X.T.tolist(), strict=True))

    answer = client.post("/v1/score?modes=true", json={"columns": columns}).json()["columns"]

    expected = served.release.score(X)
    assert answer["segment"] == expected.segments.tolist()
    assert answer["delay_mode"] == served.release.modes(X)[:, 0].tolist()


def test_arrow_comes_back_as_arrow(client, served, X):
    """A stream gives a table whose remarks name version and digest."""
    table = pa.table(dict(zip(served.release.columns, X.T, strict=True)))

    answer = client.post(
        "/v1/score", content=arrow_bytes(table), headers={"content-type": ARROW}
    ).content

    with pa.ipc.open_stream(answer) as stream:
        found = stream.read_all()
    expected = served.release.score(X)
    np.testing.assert_array_equal(found["anomaly_percentile"], expected.anomaly_percentile)
    np.testing.assert_array_equal(found["map_row"], served.positions[expected.units, 0])
    assert found.schema.metadata[b"modemap.digest"].decode() == served.digest


def test_csv_and_the_forms_of_other_services_are_read(client, served):
    """CSV, pandas' two forms, instances and inputs all say the same row."""
    names, values = list(ROW), list(ROW.values())
    text = ",".join(names) + "\n" + ",".join(map(str, values)) + "\n"
    forms = [
        {"dataframe_records": [ROW]},
        {"dataframe_split": {"columns": names, "data": [values]}},
        {"instances": [ROW]},
        {"inputs": {name: [value] for name, value in ROW.items()}},
        [ROW],
    ]

    answers = [client.post("/invocations", json=form).json()["predictions"] for form in forms]
    answers.append(
        client.post("/invocations", content=text, headers={"content-type": "text/csv"}).json()[
            "predictions"
        ]
    )

    unit = int(served.release.score([values]).units[0])
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0]["unit"] == unit


def test_many_rows_are_scored_as_few(client):
    """Rows beyond what is scored together in one turn get the same answers."""
    rows = [ROW | {"delay": float(i)} for i in range(300)]

    together = client.post("/v1/score", json={"rows": rows}).json()["rows"]
    apart = [client.post("/v1/score", json={"rows": [row]}).json()["rows"][0] for row in rows[::60]]

    assert together[::60] == apart


def test_shares_add_up_to_the_score(client, X, served):
    """Shares of the log-likelihood add up to minus it, those of the distance to its square."""
    answer = client.post("/v1/explain", json={"rows": records(served, X)}).json()["rows"]

    for row in answer:
        shares = row["shares"]
        assert sum(shares["log_likelihood"].values()) == pytest.approx(-row["log_likelihood"])
        assert sum(shares["map_distance"].values()) == pytest.approx(row["map_distance"] ** 2)
        assert row["typical"][0]["unit"] == row["unit"]


def test_what_is_odd_about_a_row_comes_first(client):
    """A row with one absurd value has most of its surprise in that column."""
    answer = client.post("/v1/explain", json={"rows": [ROW | {"delay": 4000.0}]}).json()

    shares = answer["rows"][0]["shares"]
    assert shares["log_likelihood"]["delay"] > shares["log_likelihood"]["distance"]
    assert answer["rows"][0]["anomaly_percentile"] == 100.0


def test_an_encoding_gives_the_rows_back(client, served, X):
    """Decoding what was encoded gives every value exactly, far ones too."""
    rows = [*records(served, np.round(X, 2)), {"delay": 98765.4321, "distance": -5e6}]

    encoding = client.post("/v1/encode", json={"rows": rows}).json()
    decoded = client.post("/v1/decode", json=encoding).json()["columns"]

    for name in served.release.columns:
        assert decoded[name] == pytest.approx([row[name] for row in rows], rel=1e-9, abs=1e-9)


def test_an_encoding_of_another_release_is_refused(client):
    """Rows encoded elsewhere are not decoded, and the answer names both digests."""
    encoding = client.post("/v1/encode", json={"rows": [ROW]}).json() | {"digest": "0" * 64}

    answer = client.post("/v1/decode", json=encoding)

    assert answer.status_code == 409
    assert answer.json()["found"] == "0" * 64


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("modes", [200]),
        ("modes", [-1]),
        ("modes", "x"),
        ("values", []),
        ("values", [None]),
        ("values", [1e999]),
        ("kept", {"7": 1.0}),
        ("kept", {"0": None}),
        ("kept", [1]),
    ],
)
def test_a_damaged_encoding_is_refused(client, part, value):
    """Modes that are none, lists of two lengths and kept rows outside are told, by column."""
    encoding = client.post("/v1/encode", json={"rows": [ROW]}).json()
    encoding["columns"]["delay"][part] = value if value != [1e999] else ["inf"]

    answer = client.post("/v1/decode", json=encoding)

    assert answer.status_code == 422, answer.text


def test_samples_are_repeatable_rows_of_the_density(client, served):
    """The same seed draws the same rows, near the means of the mixture."""
    first, again = (client.get("/v1/sample?n=2000&seed=7").json()["columns"] for _ in range(2))

    assert first == again
    assert first != client.get("/v1/sample?n=2000&seed=8").json()["columns"]
    release = served.release
    mean = release.preparation.inverse_transform(
        [release.mixture.weights_ @ release.mixture.means_]
    )
    drawn = [np.mean(first[name]) for name in release.columns]
    np.testing.assert_allclose(drawn, mean[0], rtol=0.2)


def test_models_say_what_a_row_must_have(client, served):
    """The columns and an example that can be sent as it is."""
    model = client.get("/v1/models").json()["models"][0]

    assert model["columns"] == ["delay", "distance"]
    assert model["digest"] == served.digest
    assert client.post("/v1/score", json={"rows": [model["example"]]}).status_code == 200


def test_health_and_hosting_answer_once_a_release_is_loaded(client, served):
    """Alive, ready and pinged; the metrics name the release and count rows."""
    client.post("/v1/score", json={"rows": [ROW]})

    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/ping").status_code == 200
    assert client.get("/readyz").json()["digest"] == served.digest
    metrics = client.get("/metrics").text
    assert f'digest="{served.digest}"' in metrics
    assert 'modemap_requests_total{method="POST",route="/v1/score",status="200"}' in metrics
    assert 'modemap_rows_total{version="unregistered"}' in metrics


def test_addresses_nobody_has_are_one_label(client):
    """Paths that callers make up do not multiply the metrics."""
    for number in range(5):
        client.get(f"/made-up/{number}")

    metrics = client.get("/metrics").text
    assert 'route="other"' in metrics
    assert "made-up" not in metrics


def test_the_openapi_page_needs_no_network(client):
    """Its scripts and styles come from the service itself."""
    page = client.get("/docs").text

    assert "http" not in page.replace('href="http://testserver', "")
    document = client.get("/openapi.json").json()
    assert "/v1/score" in document["paths"]
    body = document["paths"]["/v1/score"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "text/csv", ARROW}


def test_the_page_shows_who_answers(client, served):
    """The page for trying a row names the digest and has a field for each column."""
    page = client.get("/").text

    assert served.digest in page
    assert all(f'name="{name}"' in page for name in ROW)
