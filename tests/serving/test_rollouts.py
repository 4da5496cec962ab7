"""A service with a challenger: who answers, who is counted, and what becomes of it."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from modemap.lifecycle.history import PROMOTION, History, describe
from modemap.lifecycle.rollout import roll_out, withdraw
from modemap.params import load_params
from modemap.serving.app import create_app
from modemap.serving.following import Follower, champion_source
from modemap.serving.rollouts import ROUTE_KEY, is_routed
from modemap.tracking import Registry, open_store
from tests.serving.conftest import ROW

pytestmark = pytest.mark.workflow

CHECKOUT = Path(__file__).parents[2]
N_KEYS = 2000


class Service:
    """A service of a project whose version 1 is champion and whose version 2 has passed."""

    def __init__(self, root, champion, challenger):
        self.root = root
        self.registry = Registry(open_store(root, "flights"))
        self.history = History(self.registry)
        first = self._register(champion)
        self.history.promote(
            self.history.head(), describe(first, kind=PROMOTION, verdict="v", why="a test")
        )
        self.second = self._register(challenger)
        record = {"digest": self.second.digest, "passed": True, "sha256": "v"}
        record |= {"accepted_change": None}
        self.registry.record_verdict(self.second, record, self.history.head().number)
        self.follower = Follower(champion_source(root), 3600.0, root=root)
        serve = load_params(root / "params.yaml").serve
        rollout = serve.rollout.model_copy(
            update={"window_seconds": 1e-9, "min_requests": 20, "hold_seconds": 0.0}
        )
        hosts = {"allowed_hosts": ("testserver",), "rollout": rollout}
        self.follower.look()
        app = create_app(self.follower, serve.model_copy(update=hosts), {})
        self.client = TestClient(app, raise_server_exceptions=False)

    def _register(self, release):
        return self.registry.register(release, tags={}, metrics={}, evidence={}, note="")

    def ask(self, key=None, row=ROW):
        """Score one row and return which version answered."""
        headers = {ROUTE_KEY: key} if key else {}
        answer = self.client.post("/v1/score", json={"rows": [row]}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["version"]

    def ask_window(self):
        """Ask both releases often enough for a window, and look."""
        for i in range(100):
            self.ask(f"key {i}")
        self.follower.look()

    def said(self):
        """Return the last entry's kind and reason."""
        last = list(self.history.walk())[-1]
        return last.kind, last.tags["why"]


@pytest.fixture
def service(root, tiny_release, make_release, tmp_path):
    """Return a service; it is asked without its thread, whose looks the test makes."""
    text = (CHECKOUT / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("project: modemap", "project: flights"))
    challenger = make_release(tmp_path / "other", max_iter=30)
    return Service(root, tiny_release, challenger)


def test_a_canary_answers_its_share_and_the_same_key_always_the_same_way(service):
    """The share is that of the hash; without a rollout the champion answers all."""
    assert {service.ask(f"key {i}") for i in range(20)} == {1}
    begun = roll_out(service.root, 2, share=0.3, why="a trial")
    service.follower.look()

    first = [service.ask(f"key {i}") for i in range(200)]
    again = [service.ask(f"key {i}") for i in range(200)]

    assert first == again
    assert [version == 2 for version in first] == [is_routed(begun, f"key {i}") for i in range(200)]
    share = sum(is_routed(begun, str(i)) for i in range(N_KEYS)) / N_KEYS
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / N_KEYS) ** 0.5
    other = replace(begun, number=begun.number + 1)
    assert any(is_routed(begun, str(i)) != is_routed(other, str(i)) for i in range(50))


def test_requests_without_a_key_are_drawn(service):
    """Both releases answer some."""
    roll_out(service.root, 2, share=0.5, why="a trial")
    service.follower.look()
    assert {service.ask() for _ in range(60)} == {1, 2}


def test_a_good_canary_is_promoted_and_the_old_champion_kept_warm(service):
    """Windows in the band for the stated time; a rollback then loads nothing."""
    roll_out(service.root, 2, share=0.5, why="a trial")
    service.follower.look()
    old = service.follower.served
    for _ in range(3):
        service.ask_window()
    service.follower.look()

    kind, why = service.said()
    assert kind == PROMOTION
    assert "canary of 50% held" in why
    assert service.follower.served.version == 2
    assert service.follower.serving.before is old
    assert {service.ask(f"key {i}") for i in range(20)} == {2}


def test_a_canary_that_fails_is_withdrawn_and_no_request_fails(service, monkeypatch):
    """The champion answers what it cannot, and the history says why it went."""
    roll_out(service.root, 2, share=0.5, why="a trial")
    service.follower.look()
    _break(service, monkeypatch, _raise)
    for _ in range(3):
        service.ask_window()
    service.follower.look()

    kind, why = service.said()
    assert kind == "withdrawal"
    assert "of its requests failed" in why
    assert service.follower.serving.challenger is None
    metrics = service.client.get("/metrics").text
    assert "modemap_challenger_failed_requests_total" in metrics


def test_a_canary_that_says_other_things_is_withdrawn(service, monkeypatch):
    """All rows are most unusual to it, and not to the champion."""
    roll_out(service.root, 2, share=0.5, why="a trial")
    service.follower.look()
    score = service.follower.serving.challenger.release.score

    def shifted(X):
        scores = score(X)
        return replace(scores, anomaly_percentile=scores.anomaly_percentile * 0 + 99.9)

    _break(service, monkeypatch, shifted)
    for _ in range(3):
        for i in range(100):
            service.ask(f"key {i}", {"delay": float(i % 40 - 10), "distance": 200.0 + 10 * i})
        service.follower.look()
    kind, why = service.said()
    assert kind == "withdrawal"
    assert "PSI" in why


def test_a_canary_that_is_slow_is_withdrawn(service, monkeypatch):
    """Its answers are good, and take thirty milliseconds longer than the champion's."""
    roll_out(service.root, 2, share=0.3, why="a trial")
    service.follower.look()
    score = service.follower.serving.challenger.release.score

    def late(X):
        time.sleep(0.03)
        return score(X)

    _break(service, monkeypatch, late)
    for _ in range(3):
        service.ask_window()

    kind, why = service.said()
    assert kind == "withdrawal"
    assert "95 of 100 answers within" in why


def test_a_challenger_that_is_damaged_is_withdrawn_and_never_answers(service):
    """The champion goes on."""
    artifacts = service.root / "mlruns" / "artifacts" / service.second.run_id / "artifacts"
    kept = artifacts / "release" / "som.npz"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    roll_out(service.root, 2, share=0.5, why="a trial")

    service.follower.look()

    assert service.said()[0] == "withdrawal"
    assert "cannot be served" in service.said()[1]
    assert {service.ask(f"key {i}") for i in range(20)} == {1}


def test_a_shadow_scores_copies_and_answers_nobody(service):
    """Its rows and its disagreement are counted; it stays until a person decides."""
    roll_out(service.root, 2, kind="shadow", share=1.0, why="a look")
    service.follower.look()
    assert {service.ask(f"key {i}") for i in range(50)} == {1}
    models = service.client.get("/v1/models").json()["models"]
    assert [(m["role"], m["version"]) for m in models] == [("champion", 1), ("shadow", 2)]
    withdraw(service.root, why="seen enough")
    service.follower.look()

    text = service.client.get("/metrics").text
    rows = [line for line in text.splitlines() if line.startswith("modemap_shadow_rows_total")]
    assert 0 < float(rows[0].split()[1]) <= 50
    assert "modemap_shadow_differing_rows_total" in text
    assert len(service.client.get("/v1/models").json()["models"]) == 1


def test_a_shadow_that_fails_is_withdrawn_and_nobody_notices(service, monkeypatch):
    """Requests are answered as ever; the history says why it went."""
    roll_out(service.root, 2, kind="shadow", share=1.0, why="a look")
    service.follower.look()
    _break(service, monkeypatch, _raise)
    deadline = time.monotonic() + 60
    while service.said()[0] != "withdrawal":
        assert {service.ask(f"key {i}") for i in range(100)} == {1}
        service.follower.look()
        assert time.monotonic() < deadline

    service.follower.look()
    assert "of its requests failed" in service.said()[1]
    assert service.follower.serving.challenger is None


def test_a_request_that_is_wrong_is_not_the_canarys_fault(service):
    """The caller is told, as by the champion."""
    roll_out(service.root, 2, share=1.0, why="all")
    service.follower.look()
    answer = service.client.post("/v1/score", json={"rows": [{"delay": "x", "distance": 1.0}]})
    assert answer.status_code == 422
    assert "modemap_challenger_failed_requests_total 0.0" in service.client.get("/metrics").text


def _raise(_):
    raise ArithmeticError("no answer")


def _break(service, monkeypatch, score):
    monkeypatch.setattr(
        type(service.follower.serving.challenger.release), "score", _only_of(service, score)
    )


def _only_of(service, score):
    challenger = service.follower.serving.challenger.release
    usual = type(challenger).score

    def asked(self, X):
        return score(X) if self is challenger else usual(self, X)

    return asked
