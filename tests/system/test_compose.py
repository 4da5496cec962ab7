"""compose.yaml: held against the specification, and its services' commands run without containers.

Names of services and the ports behind them become addresses of this machine; what each service
waits for, and how it is found healthy, is the file's own.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import stop_group
from modemap.orchestration.servers import free_port
from tests.postgresql import postgresql
from tests.projects import CHECKOUT, Project, clone
from tests.servers import asked

pytestmark = [pytest.mark.system, pytest.mark.slow]

FILE = CHECKOUT / "compose.yaml"
PORTS = {"mlflow": 5000, "prefect": 4200, "serve": 8080, "prometheus": 9090}
ONCE = ("train", "deploy")
STAYING = ("mlflow", "prefect", "worker", "serve", "prometheus")
NOT_HERE = {"grafana": "Debian has no package of it", "postgres": "Debian's is started instead"}
ENTRYPOINTS = {"prometheus": ("prometheus",)}  # of images that are not ours
SECONDS = 120


def services() -> dict[str, dict[str, Any]]:
    """Return the services, merged and with the defaults of variables in place."""
    text = re.sub(r"\$\{\w+:-(\w*)\}", r"\1", FILE.read_text())
    return YAML(typ="safe").load(text)["services"]


def test_it_is_what_compose_reads(tmp_path):
    """It follows the specification's schema; a wrong key does not."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("healthcheck:", "healthchecks:"))

    codes = [
        subprocess.run([*check, path], capture_output=True, check=False).returncode
        for path in (FILE, wrong)
    ]

    assert codes == [0, 1]


@pytest.mark.parametrize("name", services())
def test_every_service_is_looked_after(name):
    """None is root, whoever stays is started again, and whoever is waited for says how it is."""
    found = services()[name]
    is_ours = found["image"] == "modemap"
    waited_for = {
        service
        for other in services().values()
        for service, how in other.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }

    assert is_ours or found["user"] != "root"
    assert found["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert name not in waited_for or found["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in found.get("ports", ()))
    for volume in found.get("volumes", ()):
        source = volume.split(":")[0]
        known = YAML(typ="safe").load(FILE)["volumes"]
        assert (CHECKOUT / source).is_dir() if source.startswith(".") else source in known
    assert is_ours == ("cap_drop" in found)


class Here:
    """The services as processes of this machine."""

    def __init__(self, project: Project, database: str, prometheus: Path) -> None:
        self.project, self.services = project, services()
        self._ports = {name: free_port() for name in PORTS}
        self._database, self._prometheus = database, prometheus

    def address(self, name: str) -> str:
        """Return where a service is found."""
        return f"127.0.0.1:{self._ports[name]}"

    def words(self, name: str, of: str = "") -> list[str]:
        """Return the words of a command or a health check, meant for this machine."""
        written = self.services[name]["healthcheck"]["test"][1:] if of else None
        command = [*ENTRYPOINTS.get(name, ()), *self.services[name]["command"]]
        return [self._meant(word) for word in written or command]

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service."""
        said = self.services[name].get("environment", {})
        clean = self.project.environment() | tool_environment(self.project.root)
        clean["HOME"] = str(self.project.home)
        return clean | {key: self._meant(value) for key, value in said.items()}

    def run(self, name: str, of: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command or a health check to its end."""
        return subprocess.run(
            self._found(name, of), cwd=self.project.root, env=self.environment(name),
            capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run a service; its health check, if there is one, has found it well."""
        with (self.project.home / f"{name}.log").open("w") as log:
            child = subprocess.Popen(
                self._found(name), cwd=self.project.root, env=self.environment(name),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            if "healthcheck" in self.services[name]:
                deadline = time.monotonic() + SECONDS
                while self.run(name, "healthcheck").returncode:
                    said = (self.project.home / f"{name}.log").read_text()
                    assert child.poll() is None, said
                    assert time.monotonic() < deadline, said
                    time.sleep(0.5)
            yield
            assert child.poll() is None
        finally:
            stop_group(child)

    def _found(self, name: str, of: str = "") -> list[str]:
        words = self.words(name, of)
        tool = Path(sys.executable).parent / words[0]
        return [str(tool) if tool.exists() else words[0], *words[1:]]

    def _meant(self, word: str) -> str:
        word = word.replace("/project", str(self.project.root))
        word = re.sub(r"modemap:modemap@postgres:5432", self._database, word)
        word = word.replace("/etc/prometheus", str(self._prometheus))
        word = word.replace("=/prometheus", f"={self.project.home / 'prometheus'}")
        for name, port in PORTS.items():
            word = re.sub(
                rf"\b({name}|localhost|127\.0\.0\.1|0\.0\.0\.0):{port}\b", self.address(name), word
            )
            if word == f"--port={port}":
                word = f"--port={self._ports[name]}"
        return word.replace("--host=0.0.0.0", "--host=127.0.0.1")


@pytest.fixture
def here(tmp_path) -> Iterator[Here]:
    """Return the services of a fresh project beside a PostgreSQL with its databases."""
    project = clone(tmp_path / "project", tmp_path / "home")
    prometheus = tmp_path / "prometheus"
    prometheus.mkdir()
    with postgresql("start", password="modemap") as server:  # noqa: S106  # the default
        url = server.url.replace("+psycopg2", "")
        for script in sorted((CHECKOUT / "deploy" / "postgresql").glob("*.sql")):
            subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", script, url], check=True)
        database = server.url.partition("://")[2].partition("/")[0]
        found = Here(project, database, prometheus)
        for path in (CHECKOUT / "deploy" / "prometheus").iterdir():
            text = path.read_text().replace("serve:8080", found.address("serve"))
            (prometheus / path.name).write_text(text.replace("15s", "1s"))
        yield found


def test_every_command_runs_and_is_found_healthy(here):
    """From empty databases to a champion that answers, a worker that works, and a scrape."""
    assert set(here.services) == {*ONCE, *STAYING, *NOT_HERE}
    with here.running("mlflow"), here.running("prefect"), here.running("serve"):
        done = here.run("deploy")
        assert done.returncode == 0, done.stderr
        assert "deployed: weekly, drift, hourly, judge, batch" in done.stdout
        trained = here.run("train")
        assert trained.returncode == 0, trained.stdout + trained.stderr
        with here.running("worker"), here.running("prometheus"):
            assert version_of(here) == 1
            assert until(lambda: workers(here)) == ["ONLINE"]
            assert until(lambda: scraped(here)) == "1"
    address = f"postgresql://{here._database}/mlflow"
    count = ["psql", "-qAt", "-c", "SELECT count(*) FROM registered_models", address]
    assert int(subprocess.run(count, check=True, capture_output=True, text=True).stdout) > 0


def until(found: Any) -> Any:
    """Return what ``found`` returns once it is something."""
    deadline = time.monotonic() + SECONDS
    while not (something := found()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return something


def version_of(here: Here) -> int:
    """Return the version that the service answers by, once it has one."""
    models = until(lambda: quiet(f"http://{here.address('serve')}", "v1/models"))
    return models["models"][0]["version"]


def workers(here: Here) -> list[str]:
    """Return the states of the pool's workers."""
    api = f"http://{here.address('prefect')}/api"
    return [worker["status"] for worker in asked(api, "work_pools/modemap/workers/filter", {})]


def scraped(here: Here) -> str | None:
    """Return whether Prometheus finds the service up."""
    answer = quiet(f"http://{here.address('prometheus')}", "api/v1/query?query=up%3D%3D1")
    results = answer["data"]["result"] if answer else []
    return results[0]["value"][1] if results else None


def quiet(url: str, path: str) -> Mapping[str, Any] | None:
    """Return what an address answers, or nothing while it answers nothing good."""
    try:
        return asked(url, path)
    except OSError:
        return None
