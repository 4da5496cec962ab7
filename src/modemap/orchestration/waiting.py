"""A flow run that waits for a person's approval: it is paused and its process ends.

Nothing waits in a process. A run of a deployment is scheduled again once somebody has approved; any
other one is gone on with by the next `modemap run` of the same checkout with the same parameters.
Either way the flow starts from the top: its stages are up to date, and an approved verdict stands.
"""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from prefect import Flow, get_run_logger, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.states import Paused
from prefect.utilities.callables import get_call_parameters

from modemap.errors import GateRefusedError
from modemap.orchestration.records import HOST, PROCESS, ROOT
from modemap.params import load_params
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

__all__ = ["AwaitingApprovalError", "go_on", "label_run", "resume", "suspend"]

WAITING = "AwaitingApproval"  # the name of the state, of Prefect's type Paused
SECONDS = 3600.0  # an hour's
MOST_WAITING = 200  # Prefect's largest page


class AwaitingApprovalError(GateRefusedError):
    """A version passed the gate, and nobody has approved it yet."""

    def __init__(self, project: str, version: Version) -> None:
        self.waiting = _named(project, version)
        super().__init__(
            f"version {version.number}",
            "waits for an approval",
            found="none for its present verdict",
            hint=f"an approver runs `modemap approve {version.number} --key FILE --why TEXT`,"
            " then `modemap run` goes on",
        )


def label_run() -> None:
    """Keep with the flow run which process on which machine runs it, and in which folder."""
    labels: dict[str, Any] = {
        HOST: socket.gethostname(),
        PROCESS: str(os.getpid()),
        ROOT: str(Path.cwd()),
    }
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(runtime.flow_run.id, labels)


def suspend(error: AwaitingApprovalError) -> NoReturn:
    """Pause the flow run, for as long as an approval would hold, and leave it.

    Raises
    ------
    Pause
        Which ends the flow without failing its run; ``error`` is its cause.
    AwaitingApprovalError
        If the server does not let the run pause.
    """
    hours = load_params(Path.cwd() / "params.yaml").approval.hours
    message = f"{error.waiting} waits for an approval: {error.hint}"
    get_run_logger().warning("%s", message)
    create_markdown_artifact(key="approval", markdown=message, description="What the run waits for")
    state: State[None] = Paused(
        name=WAITING,
        message=message,
        timeout_seconds=int(hours * SECONDS),
        reschedule=runtime.deployment.id is not None,
    )
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(runtime.flow_run.id, state)
    if answer.status != SetStateStatus.ACCEPT:
        raise error
    raise Pause(state=answer.state) from error


def go_on(flow: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Call ``flow``, as the run that waits in this checkout for an approval if there is one.

    Returns
    -------
    object
        What the flow returned.

    Raises
    ------
    AwaitingApprovalError
        If it waits, now or again.
    """
    found = _waiting_here(flow, parameters) if isinstance(flow, Flow) else None
    try:
        if found is None:
            return flow(**parameters)
        return run_flow(flow, flow_run=found)  # type: ignore[arg-type]  # any flow's
    except Pause as signal:
        raise signal.__cause__ or signal from None


def _waiting_here(flow: Flow[..., Any], parameters: dict[str, Any]) -> "FlowRun | None":
    """Return the newest run of ``flow`` with ``parameters`` that waits for this checkout."""
    wanted = get_call_parameters(flow.fn, (), parameters)
    here = {HOST: socket.gethostname(), ROOT: str(Path.cwd())}
    found = [
        run
        for run in _waiting(FlowFilter(name=FlowFilterName(any_=[flow.name])))
        if run.deployment_id is None
        and here.items() <= run.labels.items()
        and run.parameters == wanted
    ]
    return next(iter(found), None)


def resume(root: Path, number: int) -> int:
    """Have workers go on with the runs that wait for version ``number``; return how many."""
    project = load_params(root / "params.yaml").project
    version = Registry(open_store(root, project)).get(number)
    resumed = 0
    for run in _waiting():
        is_its = run.state is not None and (run.state.message or "").startswith(
            _named(project, version)
        )
        if run.deployment_id is not None and is_its:
            with get_client(sync_client=True) as client:
                client.resume_flow_run(run.id)
            resumed += 1
    return resumed


def _waiting(flow: FlowFilter | None = None) -> list["FlowRun"]:
    """Return the runs whose wait for an approval is not over, newest first."""
    named = FlowRunFilterState(name=FlowRunFilterStateName(any_=[WAITING]))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=flow,
            flow_run_filter=FlowRunFilter(state=named),
            sort=FlowRunSort.START_TIME_DESC,
            limit=MOST_WAITING,
        )
    return [
        run
        for run in runs
        if run.state is not None
        and (until := run.state.state_details.pause_timeout) is not None
        and until > datetime.now(UTC)
    ]


def _named(project: str, version: Version) -> str:
    return f"{project} version {version.number}, release {version.digest[:16]},"
