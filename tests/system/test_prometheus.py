"""A Prometheus that reads the service, its alerts, and the questions that the dashboard asks."""

import json
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modemap.orchestration.servers import free_port, wait_until_healthy
from tests.projects import CHECKOUT
from tests.serving.conftest import ROW

pytestmark = pytest.mark.system

PROMETHEUS = CHECKOUT / "deploy" / "prometheus"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "dashboards" / "service.json"
CASES = Path(__file__).parent / "alerts.yml"
SECONDS = 60


def alerts() -> dict[str, dict]:
    """Return the alerts by name."""
    groups = YAML(typ="safe").load(PROMETHEUS / "rules.yml")["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_files_are_what_prometheus_reads():
    """Configuration and rules pass its own check."""
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=PROMETHEUS, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout + done.stderr


def test_every_alert_fires_when_it_must_and_only_then(tmp_path):
    """Each has a series that makes it fire, and is quiet for a service that answers well."""
    for path in (PROMETHEUS / "rules.yml", CASES):
        shutil.copy(path, tmp_path)
    tests = YAML(typ="safe").load(CASES)["tests"]
    asked = [case for test in tests for case in test["alert_rule_test"]]

    done = subprocess.run(
        ["promtool", "test", "rules", CASES.name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert {case["alertname"] for case in asked if case["exp_alerts"]} == set(alerts())
    assert {case["alertname"] for case in asked if not case["exp_alerts"]} == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_a_page(name):
    """The page says what the alert means, and what to do."""
    page = (CHECKOUT / alerts()[name]["annotations"]["runbook"]).read_text()

    assert name in page.splitlines()[0]
    for part in ("**What it means.**", "**Look.**", "**Do.**"):
        assert part in page


@contextmanager
def running(command: list[str], folder: Path, health: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block; yield once it answers."""
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        assert wait_until_healthy(health, alive=lambda: child.poll() is None)
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def watched(tiny_release, tmp_path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """Return the addresses of a service and of the Prometheus that reads it, and its process."""
    ports = free_port(), free_port()
    service, prometheus = (f"http://127.0.0.1:{port}" for port in ports)
    shutil.copy(PROMETHEUS / "rules.yml", tmp_path)
    settings = (PROMETHEUS / "prometheus.yml").read_text()
    settings = settings.replace("serve:8080", f"127.0.0.1:{ports[0]}").replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(settings)
    serve = [sys.executable, "-m", "modemap.cli", "serve", "--port", str(ports[0])]
    watch = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=kept"]
    watch += [f"--web.listen-address=127.0.0.1:{ports[1]}"]
    with (
        running([*serve, "--release", str(tiny_release)], tmp_path, f"{service}/readyz") as child,
        running(watch, tmp_path, f"{prometheus}/-/ready"),
    ):
        yield service, prometheus, child


def score(service: str, n_rows: int) -> None:
    """Have the service score rows."""
    body = json.dumps({"rows": [ROW] * n_rows}).encode()
    request = urllib.request.Request(  # noqa: S310  # our own http URL
        f"{service}/v1/score", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def ask(prometheus: str, question: str) -> list[dict]:
    """Return what Prometheus answers."""
    said = urllib.parse.urlencode({"query": question})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query?{said}", timeout=30) as answer:  # noqa: S310
        return json.load(answer)["data"]["result"]


def until(true: Callable[[], object]) -> None:
    """Return once something is true."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_dashboard_shows_what_the_service_did(watched):
    """Every panel has a line; rows add up; a service that is killed is missed."""
    service, prometheus, child = watched
    panels = json.loads(DASHBOARD.read_text())["panels"]
    questions = [
        target["expr"].replace("$__rate_interval", "20s")
        for panel in panels
        for target in panel["targets"]
    ]

    def increased() -> bool:
        score(service, 10)
        rate = ask(prometheus, "sum(rate(modemap_rows_total[20s]))")
        return bool(rate) and float(rate[0]["value"][1]) > 0

    until(increased)
    answers = {question: ask(prometheus, question) for question in questions}

    assert len(questions) >= len(panels) >= 9
    assert all(answers.values()), [question for question, found in answers.items() if not found]
    assert not [q for q, found in answers.items() if any("NaN" in a["value"] for a in found)]
    release = ask(prometheus, "modemap_release")
    assert [found["metric"]["version"] for found in release] == ["unregistered"]
    child.kill()
    missed = 'ALERTS{alertname="ServiceDown", alertstate="pending"}'
    until(lambda: ask(prometheus, missed))
