"""`modemap serve` as a process: a champion is replaced under load, and the end is orderly."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from modemap.errors import ParamsError
from modemap.orchestration.servers import free_port, wait_until_healthy
from modemap.serving.server import listening, read_keys, run_service
from tests.serving.conftest import ROW
from tests.serving.test_following import Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def serving(root, tiny_release):
    """Return a project, and the address of a service that follows it."""
    project = Project(root)
    project.promote(tiny_release)
    port = free_port()
    command = [sys.executable, "-m", "modemap.cli", "serve", "--port", str(port)]
    with (root / "params.yaml").open("a") as params:
        params.write("\nserve:\n  follow_seconds: 0.2\n")
    with (root / "serve.log").open("w") as log:
        child = subprocess.Popen(command, cwd=root, stderr=log, env=dict(os.environ))
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_until_healthy(f"{url}/readyz", alive=lambda: child.poll() is None)
        yield project, url, child
    finally:
        child.kill()
        child.wait()


def ask(url):
    """Return status and version of the answer to one row."""
    body = json.dumps({"rows": [ROW]}).encode()
    request = urllib.request.Request(  # noqa: S310  # our own http URL
        f"{url}/v1/score", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)["version"]
    except urllib.error.HTTPError as error:
        return error.code, None


def test_a_new_champion_takes_over_and_no_request_fails(serving, make_release, tmp_path):
    """Requests go on while it is loaded; first the old one answers, then the new one only."""
    project, url, child = serving
    answers, is_over = [], threading.Event()

    def load():
        while not is_over.is_set():
            answers.append(ask(url))

    callers = [threading.Thread(target=load) for _ in range(2)]
    for caller in callers:
        caller.start()
    second = project.promote(make_release(tmp_path / "other", n_rows=4))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and answers[-1:] != [(200, second.number)]:
        time.sleep(0.05)
    is_over.set()
    for caller in callers:
        caller.join()

    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {1, second.number}
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) in {0, -signal.SIGTERM}


def test_an_address_that_is_taken_is_told(tiny_release):
    """Host and port are named, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ParamsError) as refused:
            run_service(tiny_release.parent, host="127.0.0.1", port=port, release=tiny_release)

    assert refused.value.place == f"--host 127.0.0.1 --port {port}"
    assert "in use" in refused.value.found
    assert "--port 0" in refused.value.hint


@pytest.mark.parametrize("text", ["team", "team:xyz", ":" + "0" * 64, "team:" + "0" * 63])
def test_keys_that_are_none_are_told_without_them(text):
    """A key list that is wrong stops the start, and the message does not repeat it."""
    with pytest.raises(ParamsError, match="MODEMAP_API_KEYS") as refused:
        read_keys(text)

    assert "0" * 60 not in str(refused.value)


def test_keys_are_read_by_name():
    """Pairs between commas, with or without spaces; none at all lets everyone in."""
    assert read_keys(f"a:{'0' * 64}, b:{'1' * 64}") == {"a": "0" * 64, "b": "1" * 64}
    assert read_keys("") == {}


def test_answers_are_sent_without_delay():
    """Else the body waits 40 ms for the client to confirm the head."""
    with listening("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
