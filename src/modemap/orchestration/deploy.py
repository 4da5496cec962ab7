"""`modemap deploy`: the deployments of prefect.yaml on a server, and the work pool they need."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from modemap.errors import ParamsError, StageError
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.servers import wait_until_healthy

__all__ = ["POOL", "deploy"]

POOL = "modemap"
DEPLOYMENTS = Path("prefect.yaml")
HEALTH_SECONDS = 15.0
MESSAGE = 500  # characters of Prefect's own words


def deploy(root: Path, folder: Path | None = None) -> None:
    """Set up the work pool and the deployments on the server that PREFECT_API_URL names.

    Calling it again brings changes of prefect.yaml there. A work pool that is there stays as it is.

    Parameters
    ----------
    root : Path
        The project's folder.
    folder : Path or None, default=None
        The project's folder where workers run; by default ``root``.

    Raises
    ------
    ParamsError
        If there is no prefect.yaml, no server is named, or the file breaks a rule of Prefect's.
    StageError
        If the server does not answer.
    """
    address = os.environ.get("PREFECT_API_URL", "")
    if not address:
        rule, hint = "must name the server", "export PREFECT_API_URL=http://127.0.0.1:4200/api"
        raise ParamsError("PREFECT_API_URL", rule, found="nothing", hint=hint)
    if not (root / DEPLOYMENTS).is_file():
        rule, hint = "the deployments must be described", "run in the project's folder"
        raise ParamsError(root / DEPLOYMENTS, rule, found="no such file", hint=hint)
    if not wait_until_healthy(f"{address}/health", seconds=HEALTH_SECONDS):
        hint = "start it (`make ui` does on this machine), or correct PREFECT_API_URL"
        raise StageError(address, "the Prefect server must answer", found="no answer", hint=hint)
    prefect = _Prefect(root, tool_environment(root) | {"MODEMAP_PROJECT": str(folder or root)})
    if prefect.run("work-pool", "inspect", POOL).returncode:
        prefect.require("work-pool", "create", POOL, "--type", "process")
        # Two runs at once would only wait for each other: their stages write into one folder.
        prefect.require("work-pool", "set-concurrency-limit", POOL, "1")
    prefect.require("deploy", "--all")


@dataclass(frozen=True)
class _Prefect:
    """Prefect's own command line in a project."""

    root: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def require(self, *arguments: str) -> None:
        done = self.run(*arguments)
        if done.returncode:
            said = " ".join((done.stderr + done.stdout).split())
            rule, hint = "must be what Prefect can deploy", "mend what it names, then deploy again"
            place = self.root / DEPLOYMENTS
            raise ParamsError(place, rule, found=said[-MESSAGE:], hint=hint)
