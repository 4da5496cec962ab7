"""Prefect's server asked as its pages ask it, and a worker beside it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.processes import stop_group
from tests.projects import Project

PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


def asked(api: str, path: str, body: object = None) -> Any:
    """Return what the server answers."""
    data = None if body is None else json.dumps(body).encode()
    address, kind = f"{api}/{path}", {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data, kind)  # noqa: S310  # a server of this test
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
        return json.load(answer)


@contextmanager
def worker(project: Project, api: str) -> Iterator[dict[str, str]]:
    """Run a worker of the pool `modemap` outside of the project; yield its environment."""
    environment = tool_environment(project.root) | {"PREFECT_API_URL": api}
    child = subprocess.Popen(
        [*PREFECT, "worker", "start", "--pool", "modemap", "--type", "process"],
        cwd=project.home,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield environment
    finally:
        stop_group(child)
