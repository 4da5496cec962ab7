"""`modemap run` against the same: its exit code is the stage's, and the champion stays."""

import json
import subprocess
from dataclasses import dataclass

import pytest

from modemap.orchestration.servers import prefect_server
from tests.faults.cases import FLOW_CASES, FLOW_FAULTS
from tests.faults.trying import check
from tests.projects import Project

# It mounts small and read-only disks.
pytestmark = [pytest.mark.workflow, pytest.mark.system, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Served(Project):
    """A project whose flows run on a server that is there already."""

    url: str

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``command`` with the server's address."""
        return super().run(*command, **{"PREFECT_API_URL": self.url} | environment)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start Prefect's server once."""
    with prefect_server(tmp_path_factory.mktemp("server")) as running:
        running.wait()
        yield f"{running.url}/api"


@pytest.mark.parametrize("case", FLOW_CASES, ids=lambda case: case.title)
def test_the_flow_tells_and_keeps(case, small, server, answered):
    """The stage's code and message, or a correct result; a refusal never moves the champion."""
    project = Served(small.root, small.home, server)
    before = json.loads(project.succeed("modemap", "status", "--json"))

    check(case, project, answered)

    after = json.loads(project.succeed("modemap", "status", "--json"))
    assert (after == before) is (case is FLOW_FAULTS)
