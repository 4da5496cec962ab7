"""Alerts: what is posted where, and that nobody is stopped by a sink that does not answer."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import get_args

import pytest

from modemap.errors import RegistryError
from modemap.lifecycle import alert as module
from modemap.lifecycle.alert import RUNBOOKS, URL_VARIABLE, alert
from modemap.serving.following import Follower
from tests.lifecycle.conftest import CHECKOUT


@contextmanager
def sink(status=200, seconds=0.0, location=None):
    """Take posts on loopback; yield the address and what was posted."""
    posted, is_over = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, json.loads(body)))
            is_over.wait(seconds)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        do_GET = do_POST  # noqa: N815  # the base class's names

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret", posted
    finally:
        is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def root(tmp_path):
    """Return a project that allows alerts to this machine."""
    text = (CHECKOUT / "params.yaml").read_text()
    settings = "\nalerts: {hosts: [127.0.0.1], timeout_seconds: 0.3}\n"
    (tmp_path / "params.yaml").write_text(text + settings)
    return tmp_path


def test_an_alert_says_what_happened_and_names_its_page(root, monkeypatch):
    """One POST of JSON."""
    with sink() as (url, posted):
        monkeypatch.setenv(URL_VARIABLE, url)
        assert alert(root, "drift-found", "finding abc")

    ((path, document),) = posted
    assert path == "/secret"
    assert document == {
        "alert": "drift-found",
        "project": "modemap",
        "said": "finding abc",
        "runbook": "docs/runbooks/drift-found.md",
        "text": "modemap: finding abc (docs/runbooks/drift-found.md)",
    }


@pytest.mark.parametrize("kind", get_args(module.Kind))
def test_each_alert_has_its_page(kind):
    """The link leads somewhere."""
    assert (CHECKOUT / RUNBOOKS / f"{kind}.md").read_text().startswith("# ")


def test_a_redirect_is_not_followed(root, monkeypatch, caplog):
    """Also to a host that is allowed: nobody named that address."""
    with sink() as (elsewhere, stolen), sink(302, location=elsewhere) as (url, posted):
        monkeypatch.setenv(URL_VARIABLE, url)
        assert not alert(root, "drift-found", "finding abc")

    assert len(posted) == 1
    assert stolen == []
    assert "alert drift-found was not sent: the sink answered 302" in caplog.text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://elsewhere.example/secret", "does not allow elsewhere.example"),
        ("https://127.0.0.1.elsewhere.example/secret", "does not allow 127.0.0.1.elsewhere"),
        ("https://127.0.0.1@elsewhere.example/secret", "does not allow elsewhere.example"),
        ("http://hooks.example/secret", "must be an https address"),
        ("file:///etc/secret", "must be an https address"),
        ("secret", "must be an https address"),
    ],
)
def test_other_hosts_and_schemes_are_refused(root, monkeypatch, caplog, url, why):
    """Nothing is sent, and the log does not repeat the address."""
    monkeypatch.setenv(URL_VARIABLE, url)

    assert not alert(root, "alias-moved", "it moved")
    assert why in caplog.text
    assert "secret" not in caplog.text


def test_a_sink_that_is_down_slow_or_broken_costs_a_line_of_the_log(root, monkeypatch, caplog):
    """Whoever alerts goes on."""
    with sink() as (down, _):
        pass
    with sink(500) as (broken, _), sink(seconds=5) as (slow, _):
        for url in (down, broken, slow):
            monkeypatch.setenv(URL_VARIABLE, url)
            assert not alert(root, "retrain-refused", "it was refused")

    assert len(caplog.records) == 3
    assert "secret" not in caplog.text


def test_nothing_is_sent_where_no_address_is_named(root, monkeypatch, caplog):
    """Nor is anything said."""
    monkeypatch.delenv(URL_VARIABLE, raising=False)

    assert not alert(root, "drift-found", "finding abc")
    assert not caplog.records


def test_a_service_alerts_once_when_it_can_no_longer_follow():
    """Not at each look; again after it had recovered."""
    told, troubles = [], [True, True, False, True]

    def look(served):
        if troubles.pop(0):
            raise RegistryError("registry", "must answer", found="nothing", hint="start it")
        return served

    follower = Follower(look, 60.0, told.append)
    for _ in range(4):
        follower.look()

    assert told == ["the champion cannot be followed: registry: must answer"] * 2
