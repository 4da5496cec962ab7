"""The prediction log: what its files hold, what it may lose, and that no request waits for it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError

from modemap.lifecycle.monitor.drift import drift
from modemap.orchestration.servers import free_port, wait_until_healthy
from modemap.params import LogParams
from modemap.release import Scores
from modemap.serving import prediction_log
from modemap.serving.prediction_log import PredictionLog
from modemap.serving.retention import NAME_FORMAT, forget
from modemap.serving.rows import Rows
from tests.serving.conftest import ROW
from tests.serving.test_following import CHECKOUT

LATER = 3600.0  # seconds: a log that writes only when it is told, or ends


@pytest.fixture
def make_log(tmp_path):
    """Return a maker of logs that write when they are told."""

    def make(**params):
        settings = {"folder": str(tmp_path / "log"), "flush_seconds": LATER} | params
        return PredictionLog(LogParams(**settings), CollectorRegistry())

    return make


@pytest.fixture
def answers(served, rows):
    """Return the release, rows and their scores, as a request has them."""
    return served, Rows(rows), served.release.score(rows)


def counted(log, name):
    """Return a number of the metrics page of ``log``."""
    lines = generate_latest(log.registry).decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def read(folder):
    """Return all rows in the files of ``folder``, the oldest first."""
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet")))


def test_rows_are_kept_with_what_was_said_of_them(make_service, tmp_path):
    """Time, request, version and digest, inputs, unit, segment, percentile, log-likelihood."""
    log = LogParams(folder=str(tmp_path / "log"), flush_seconds=LATER)
    with make_service(log=log) as client:
        body = {"rows": [ROW, {**ROW, "delay": 60.0}]}
        said = client.post("/v1/score", json=body, headers={"X-Request-ID": "mine"}).json()
        client.post("/invocations", json=body)
        client.post("/v1/explain", json=body)

    kept = read(tmp_path / "log").to_pylist()
    assert len(kept) == 4
    for row, answer, asked in zip(kept[:2], said["rows"], body["rows"], strict=True):
        assert {name: row[name] for name in asked} == asked
        assert row["modemap_request"] == "mine"
        assert row["modemap_version"] is None
        assert row["modemap_digest"] == said["digest"]
        assert abs(row["modemap_time"] - datetime.now(UTC)) < timedelta(minutes=1)
        for name in ("unit", "segment", "anomaly_percentile", "log_likelihood"):
            assert row[f"modemap_{name}"] == answer[name]
    assert len({row["modemap_request"] for row in kept[2:]}) == 1
    assert kept[2]["modemap_request"] != "mine"


@pytest.mark.parametrize("request_id", ["", "x" * 200, "a\nb", None])
def test_a_name_that_cannot_be_kept_is_replaced(make_log, answers, request_id):
    """A request without a usable name gets one of its own."""
    log = make_log()

    log.put(*answers, request_id)
    log.flush()

    assert len(read(log.folder)["modemap_request"][0].as_py()) == 32


def test_without_a_folder_nothing_is_kept(client, tmp_path, monkeypatch):
    """The log is off until somebody names a folder."""
    monkeypatch.chdir(tmp_path)

    assert client.post("/v1/score", json={"rows": [ROW]}).status_code == 200
    assert "modemap_log" not in client.get("/metrics").text
    assert not list(tmp_path.iterdir())


def test_rows_beyond_the_queue_are_dropped_and_counted(make_log, answers):
    """The queue takes what fits; once it is written there is room again."""
    n_rows = len(answers[1].X)
    log = make_log(queue_rows=2 * n_rows)

    for _ in range(5):
        log.put(*answers, "a")

    assert counted(log, "modemap_log_dropped_rows_total") == 3 * n_rows
    assert counted(log, "modemap_log_waiting_rows") == 2 * n_rows
    assert log.flush()
    log.put(*answers, "b")
    log.flush()
    assert counted(log, "modemap_log_dropped_rows_total") == 3 * n_rows
    assert counted(log, "modemap_log_rows_total") == len(read(log.folder)) == 3 * n_rows


def test_a_full_disk_fails_no_request_and_loses_nothing_that_fits(
    make_log, answers, monkeypatch, caplog
):
    """Rows wait, /metrics and one line of the log tell it, and they are written afterwards."""
    log = make_log()

    def full(*_args, **_settings):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(prediction_log.pq, "write_table", full)
        for _ in range(2):
            log.put(*answers, "a")
            assert not log.flush()

    assert counted(log, "modemap_log_failed") == 1
    assert [r.getMessage() for r in caplog.records] == [
        f"{log.folder} cannot be written, rows wait: No space left on device"
    ]
    assert not list(log.folder.iterdir())
    assert log.flush()
    assert counted(log, "modemap_log_failed") == counted(log, "modemap_log_waiting_rows") == 0
    assert len(read(log.folder)) == 2 * len(answers[1].X)


def test_a_folder_that_cannot_be_made_fails_no_request(make_service, tmp_path):
    """A file stands where the folder should be: answers go out, /metrics tells it."""
    (tmp_path / "taken").write_text("")
    log = LogParams(folder=str(tmp_path / "taken" / "log"), flush_seconds=0.01)
    with make_service(log=log) as client:
        assert client.post("/v1/score", json={"rows": [ROW]}).status_code == 200
        deadline = time.monotonic() + 10
        while "modemap_log_failed 1.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.post("/v1/score", json={"rows": [ROW]}).status_code == 200


def test_a_request_does_not_wait_for_the_disk(make_log, answers, monkeypatch):
    """While a write hangs, rows are put as ever."""
    log, hanging, is_over = make_log(), threading.Event(), threading.Event()

    def hang(*_args, **_settings):
        hanging.set()
        assert is_over.wait(30)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(prediction_log.pq, "write_table", hang)
    log.put(*answers, "a")
    writer = threading.Thread(target=log.flush)
    writer.start()
    assert hanging.wait(30)

    started = time.monotonic()
    log.put(*answers, "b")

    assert time.monotonic() - started < 1
    is_over.set()
    writer.join()
    assert counted(log, "modemap_log_waiting_rows") == 2 * len(answers[1].X)


def test_rows_that_no_file_can_hold_are_dropped_and_counted(make_log, answers, monkeypatch):
    """They do not stand in the way of the others."""
    log = make_log()

    def refuse(*_):
        raise pa.ArrowInvalid("no such type")

    with monkeypatch.context() as patched:
        patched.setattr(prediction_log, "_tabled", refuse)
        log.put(*answers, "a")
        assert log.flush()
    log.put(*answers, "b")
    log.flush()

    assert counted(log, "modemap_log_dropped_rows_total") == len(answers[1].X)
    assert set(read(log.folder)["modemap_request"].to_pylist()) == {"b"}


def test_a_share_of_the_rows_is_kept(make_log, served, rows):
    """Each row by chance, with what was said of just that row."""
    log, scores = make_log(share=0.25), served.release.score(rows)

    for _ in range(20):
        log.put(served, Rows(rows), scores, "a")
    log.flush()

    kept = read(log.folder)
    assert 0.2 < len(kept) / (20 * len(rows)) < 0.3
    said = {tuple(row): unit for row, unit in zip(rows.tolist(), scores.units, strict=True)}
    found = zip(*(kept[n].to_pylist() for n in ("delay", "distance", "modemap_unit")), strict=True)
    assert all(said[delay, distance] == unit for delay, distance, unit in found)


def test_redacted_columns_are_in_no_file(make_log, answers, caplog):
    """The column is left out; one that no row has is told, since it may be misspelt."""
    log = make_log(redact=["delay", "dealy"])

    log.put(*answers, "a")
    log.flush()

    assert "delay" not in read(log.folder).column_names
    assert "distance" in read(log.folder).column_names
    assert "serve.log.redact: no row has dealy" in caplog.text


def test_a_missing_number_is_a_null(make_log, served, answers):
    """Drift counts missing values by nulls."""
    log, X = make_log(), answers[1].X.copy()
    X[3, 0] = float("nan")

    log.put(served, Rows(X), answers[2], "a")
    log.flush()

    assert read(log.folder)["delay"].null_count == 1


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_columns_from_which_others_are_derived_are_kept_as_they_came(make_log, rows, share):
    """Categories as texts whatever callers send, times as times; not what the map made of them."""
    names = {"numbers": ["delay"], "times": {"at": ["hour"]}, "columns": ["delay", "carrier", "at"]}
    served = SimpleNamespace(version=1, digest="d", reader=SimpleNamespace(**names))
    numbers, n_rows = np.arange(len(rows)), len(rows)
    said = Scores(*[numbers] * 5)
    at = pa.array(numbers * 1_000_000, pa.timestamp("us"))
    log = make_log(share=share)

    for levels, times in (
        (["7"] * n_rows, at),
        ([7] * n_rows, at),
        ([7.0] * n_rows, at.cast("date32")),
    ):
        others = pa.table({"carrier": levels, "at": times})
        log.put(served, Rows(np.column_stack([numbers, numbers]), others), said, "a")
    assert log.flush()

    files = [pq.read_table(path) for path in sorted(log.folder.glob("*.parquet"))]
    assert [str(file["at"].type) for file in files] == ["timestamp[us]", "date32[day]"]
    assert {level for file in files for level in file["carrier"].to_pylist()} == {"7"}
    assert files[0]["at"].cast(pa.int64()).to_pylist() == [
        int(delay) * 1_000_000 for delay in files[0]["delay"].to_pylist()
    ]
    assert files[0]["modemap_unit"].to_pylist() == files[0]["delay"].to_pylist()
    assert counted(log, "modemap_log_dropped_rows_total") == 0


def test_two_releases_never_share_a_file(make_log, answers):
    """Files of a swap: each names one version."""
    served, rows, scores = answers
    other = type(served)(served.release, 2, served.example)
    log = make_log()

    for release in (served, other, served):
        log.put(release, rows, scores, "a")
    log.flush()

    files = sorted(log.folder.glob("*.parquet"))
    versions = [set(pq.read_table(path)["modemap_version"].to_pylist()) for path in files]
    assert versions == [{1}, {2}, {1}]


def _file(folder, age_days, n_bytes=1000, number=0):
    written = datetime.now(UTC) - timedelta(days=age_days)
    path = folder / f"{written:{NAME_FORMAT}}-0123abcd-{number:06d}.parquet"
    path.write_bytes(b"x" * n_bytes)
    return path


def test_old_files_go_and_the_oldest_until_the_others_fit(tmp_path):
    """By days, then by bytes; what others keep in the folder stays, a killed writer's part goes."""
    old, second, first, new = (_file(tmp_path, age) for age in (8, 3, 2, 1))
    mine = tmp_path / "mine.parquet"
    mine.write_bytes(b"x" * 10_000)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    part = tmp_path / f".{new.name}.{gone}.abc.part"
    part.write_bytes(b"")

    forget(tmp_path, keep_days=7, max_bytes=2000)

    assert set(tmp_path.iterdir()) == {first, new, mine}
    assert not old.exists()
    assert not second.exists()


def test_a_log_tidies_its_folder(make_log, answers):
    """A running log forgets by itself."""
    log = make_log(flush_seconds=0.05)
    log.folder.mkdir()
    old = _file(log.folder, age_days=8)

    log.start()
    log.put(*answers, "a")
    deadline = time.monotonic() + 10
    while old.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    log.stop()

    assert len(read(log.folder)) == len(answers[1].X)


def test_drift_reads_the_files_and_takes_no_column_of_the_log_for_one_of_a_row(make_log, answers):
    """The log beside itself and beside a table: only the columns of a row are compared."""
    served, rows, scores = answers
    log = make_log()
    log.put(served, rows, scores, "a")
    log.flush()
    moved = Scores(**(vars(scores) | {"units": scores.units * 0}))
    log.folder = log.folder.with_name("moved")
    log.put(served, rows, moved, "b")
    log.flush()
    before, after = f"{log.folder.with_name('log')}/*.parquet", f"{log.folder}/*.parquet"

    found = drift(log.folder, before, after)

    assert found.drift is False
    assert [column.name for column in found.columns] == ["delay", "distance"]
    assert found.schema == []


@pytest.mark.parametrize("broken", [{"flush_seconds": 0}, {"share": 1.5}, {"max_bytes": 10}])
def test_settings_beyond_their_bounds_are_refused(broken):
    """None of them could be kept."""
    with pytest.raises(ValidationError, match=next(iter(broken))):
        LogParams(folder="log", **broken)


@pytest.mark.slow
@pytest.mark.workflow
def test_a_kill_loses_no_more_than_flush_seconds(tmp_path, tiny_release):
    """What was answered longer ago is in whole files, and a new service reads none that is not."""
    port, log = free_port(), tmp_path / "log"
    text = (CHECKOUT / "params.yaml").read_text()
    settings = f"\nserve:\n  log: {{folder: {log}, flush_seconds: 0.5}}\n"
    (tmp_path / "params.yaml").write_text(text + settings)
    command = [sys.executable, "-m", "modemap.cli", "serve", "--port", str(port)]
    child = subprocess.Popen(
        [*command, "--release", str(tiny_release)], cwd=tmp_path, env=dict(os.environ)
    )
    answered = []
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_until_healthy(f"{url}/readyz", alive=lambda: child.poll() is None)
        began = time.monotonic()
        while time.monotonic() - began < 2:
            body = json.dumps({"rows": [ROW]}).encode()
            headers = {"Content-Type": "application/json", "X-Request-ID": str(len(answered))}
            request = urllib.request.Request(f"{url}/v1/score", body, headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310
                answered.append(time.monotonic())
        child.send_signal(signal.SIGKILL)
        killed = time.monotonic()
    finally:
        child.kill()
        child.wait()

    found = read(log)["modemap_request"].to_pylist()
    assert len(found) == len(set(found))
    due = {str(i) for i, at in enumerate(answered) if killed - at > 0.5 + 0.3}  # and a write's time
    assert due
    assert due <= set(found)
