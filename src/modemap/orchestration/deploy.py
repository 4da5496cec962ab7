"""`modemap deploy`: the deployments of prefect.yaml on a server, and the work pool they need."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modemap.errors import ParamsError, StageError
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.servers import wait_until_healthy

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.events import DeploymentEventTrigger

__all__ = ["deploy"]

DEPLOYMENTS = Path("prefect.yaml")
HEALTH_SECONDS = 15.0
MESSAGE = 500  # characters of Prefect's own words


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Schedule(_Section):
    cron: str
    timezone: str = "UTC"
    slug: str | None = None


class _Limit(_Section):
    limit: int
    collision_strategy: str = "ENQUEUE"


class _Pool(_Section):
    name: str


class _Trigger(_Section):
    """An automation that starts the deployment: Prefect's, as `prefect deploy` reads it."""

    name: str
    description: str = ""
    expect: Sequence[str]
    match: Mapping[str, str] = {}
    parameters: Mapping[str, Any] = {}


class Deployment(_Section):
    """One entry of prefect.yaml: of Prefect's keys those that this project uses."""

    name: str
    entrypoint: str
    description: str
    schedules: Sequence[_Schedule] = ()
    triggers: Sequence[_Trigger] = ()
    parameters: Mapping[str, Any] = {}
    concurrency_limit: _Limit | None = None
    work_pool: _Pool
    tags: Sequence[str] = ()


def deploy(root: Path, folder: Path | None = None) -> list[Deployment]:
    """Set up the deployments and their work pools on the server that PREFECT_API_URL names.

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
        If no server is named, or prefect.yaml is missing or breaks a rule.
    StageError
        If the server does not answer or refuses.
    """
    address = os.environ.get("PREFECT_API_URL", "")
    if not address:
        rule, hint = "must name the server", "export PREFECT_API_URL=http://127.0.0.1:4200/api"
        raise ParamsError("PREFECT_API_URL", rule, found="nothing", hint=hint)
    deployments = read_deployments(root / DEPLOYMENTS)
    if not wait_until_healthy(f"{address}/health", seconds=HEALTH_SECONDS):
        hint = "start it (`make ui` does on this machine), or correct PREFECT_API_URL"
        raise StageError(address, "the Prefect server must answer", found="no answer", hint=hint)
    os.environ.update(tool_environment(root))  # before Prefect reads it
    wanted = [_build(root, deployment, folder or root) for deployment in deployments]
    for name in sorted({deployment.work_pool.name for deployment in deployments}):
        _ensure_pool(address, name)
    for deployment in wanted:
        _asked(address, deployment.apply)
    return deployments


def read_deployments(path: Path) -> list[Deployment]:
    """Return the deployments that ``path`` describes.

    Raises
    ------
    ParamsError
        If it is missing or breaks a rule; the message names the entry.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        entries = document["deployments"]
        return [Deployment.model_validate(entry) for entry in entries]
    except FileNotFoundError:
        rule, hint = "the deployments must be described", "run in the project's folder"
        raise ParamsError(path, rule, found="no such file", hint=hint) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = f"{path}: deployments.{'.'.join(map(str, first['loc']))}"
        hint = "see docs/deployments.md for what an entry may say"
        raise ParamsError(place, first["msg"], found=repr(first["input"]), hint=hint) from None
    except (YAMLError, LookupError, TypeError, ValueError) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        rule, hint = "must be YAML with a list `deployments`", "see docs/deployments.md"
        raise ParamsError(path, rule, found=found, hint=hint) from None


def _build(root: Path, deployment: Deployment, folder: Path) -> "RunnerDeployment":
    """Load the flow, whose docstring explains the parameters, and describe its runs."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415  # help stays fast
    from prefect.flows import load_flow_from_entrypoint  # noqa: PLC0415
    from prefect.runner.storage import LocalStorage  # noqa: PLC0415
    from prefect.schedules import Cron  # noqa: PLC0415

    limit = deployment.concurrency_limit
    try:
        flow: Flow[..., Any] = load_flow_from_entrypoint(f"{root / deployment.entrypoint}")
        flow.validate_parameters(dict(deployment.parameters))
        built = flow.to_deployment(
            deployment.name,
            description=deployment.description,
            schedules=[Cron(s.cron, s.timezone, slug=s.slug) for s in deployment.schedules],
            triggers=[_automation(trigger) for trigger in deployment.triggers],
            parameters=dict(deployment.parameters),
            concurrency_limit=ConcurrencyLimitConfig(**limit.model_dump()) if limit else None,
            tags=list(deployment.tags),
            work_pool_name=deployment.work_pool.name,
        )
    except (
        PrefectException,
        ImportError,
        SyntaxError,
        OSError,
        AttributeError,
        ValueError,
    ) as error:
        place = f"{root / DEPLOYMENTS}: {deployment.name}"
        rule = f"{deployment.entrypoint} must be a flow that takes the parameters on the schedules"
        found, hint = " ".join(str(error).split())[:MESSAGE], "mend the entry, then deploy again"
        raise ParamsError(place, rule, found=found, hint=hint) from None
    wanted = cast("RunnerDeployment", built)  # outside of an event loop it is no coroutine
    wanted.entrypoint = deployment.entrypoint
    wanted.storage = LocalStorage(str(folder))
    return wanted


def _automation(trigger: _Trigger) -> "DeploymentEventTrigger":
    """Return what starts a run at each event; Prefect replaces it when it is deployed again."""
    from prefect.events import DeploymentEventTrigger, ResourceSpecification  # noqa: PLC0415

    return DeploymentEventTrigger(
        name=trigger.name,
        description=trigger.description,
        expect=set(trigger.expect),
        match=ResourceSpecification(dict(trigger.match)),
        parameters=dict(trigger.parameters),
    )


def _ensure_pool(address: str, name: str) -> None:
    """Make a work pool for processes, which runs one at a time, unless it is there."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: PLC0415
    from prefect.exceptions import ObjectAlreadyExists  # noqa: PLC0415

    # Two runs at once would only wait for each other: their stages write into one folder.
    pool = WorkPoolCreate(name=name, type="process", concurrency_limit=1)

    def create() -> None:
        with get_client(sync_client=True) as client:
            try:
                client.create_work_pool(pool)
            except ObjectAlreadyExists:
                return

    _asked(address, create)


def _asked(address: str, ask: Callable[[], Any]) -> None:
    """Call ``ask``; what the server refuses becomes a StageError."""
    from prefect.deployments.runner import DeploymentApplyError  # noqa: PLC0415
    from prefect.exceptions import PrefectException, PrefectHTTPStatusError  # noqa: PLC0415

    try:
        ask()
    except (DeploymentApplyError, PrefectException, PrefectHTTPStatusError, OSError) as error:
        found = " ".join(str(error).split())[:MESSAGE]
        rule, hint = "the Prefect server must take the deployment", "mend what it names"
        raise StageError(address, rule, found=found, hint=hint) from None
