"""Prefect tasks that run DVC stages."""

import json
import re
from pathlib import Path
from signal import Signals
from typing import Any

from prefect import get_run_logger, runtime, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.tasks import Task

from modemap.errors import StageError
from modemap.files import read_json
from modemap.orchestration.ahead import import_ahead
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.plan import LockConflictError, Plan, lock_conflict, read_plan
from modemap.orchestration.processes import Finished, stream
from modemap.orchestration.standby import standby
from modemap.params import load_params

__all__ = ["how_it_ended", "reproduce", "reproduce_all"]

FAILURES = Path(".modemap/failures")
RETRY_SECONDS = [1.0, 2.0, 4.0, 8.0, 16.0]
EXITED = re.compile(r"failed to run: .*, exited with (-?\d+)")
SHELL_ADDS_TO_A_SIGNAL = 128  # where the shell waited; else the signal's negative number is told
UP_TO_DATE = ("didn't change, skipping", "is cached - skipping run")


class StageFailedError(StageError):
    """A stage ended with its own message and exit code."""

    def __init__(self, failure: dict[str, str], exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(
            failure["place"], failure["rule"], found=failure["found"], hint=failure["hint"]
        )


def is_lock_conflict(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    """Say whether a failed task only met another process's lock; nothing else is tried again."""
    return isinstance(state.result(raise_on_failure=False), LockConflictError)


@task(
    name="plan",
    task_run_name="plan",
    tags=["dvc"],
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=is_lock_conflict,
)
def plan() -> Plan:
    """Check the params, which DVC would misread; ask it for the graph and what is out of date."""
    load_params(Path.cwd() / "params.yaml")
    return read_plan(Path.cwd())


@task(
    task_run_name="{stage}",
    tags=["dvc"],
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=is_lock_conflict,
)
def reproduce(
    stage: str,
    timeout_seconds: float,
    upstream: list[bool],
    changed: bool,
    recorded_here: bool = False,
) -> Any:
    """Run one stage by DVC unless its inputs, code and params are unchanged.

    Its result is whether the stage may have changed its outputs; ``upstream`` holds that of the
    stages before it. With ``recorded_here`` a training is recorded in the checkout's own store even
    if the environment names another. Only a conflict over DVC's locks is tried again: a gate is
    never passed by trying again.
    """
    if not changed and not any(upstream):
        return Completed(name="Cached", message="up to date", data=False)
    logger = get_run_logger()
    root = Path.cwd()
    environment = tool_environment(root) | {"MODEMAP_FLOW_RUN": runtime.flow_run.id or ""}
    if recorded_here:
        environment.pop("MLFLOW_TRACKING_URI", None)
    (root / FAILURES / f"{stage}.json").unlink(missing_ok=True)
    command = ["dvc", "repro", "--single-item", stage]
    finished = stream(
        standby.run(command, root=root, environment=environment),
        name=" ".join(command),
        show=logger.info,
        timeout_seconds=timeout_seconds,
    )
    if finished.returncode:
        raise _failure(stage, finished, root)
    if any(words in line for line in finished.lines for words in UP_TO_DATE):
        return Completed(name="Cached", message="up to date or restored", data=True)
    return Completed(data=True)


def reproduce_all(timeout_seconds: float, *, recorded_here: bool = False) -> None:
    """Run every stage of dvc.yaml in the order of its graph, siblings side by side."""
    found = plan()
    futures: dict[str, PrefectFuture[Any]] = {}
    for stage in found.ordered():
        before: Any = [futures[need] for need in found.upstream[stage]]
        futures[stage] = reproduce.submit(
            stage, timeout_seconds, before, stage in found.changed, recorded_here
        )
    import_ahead()
    failures = [future.state for future in futures.values() if _is_failed(future)]
    for state in failures[1:]:
        get_run_logger().error("%s", state.result(raise_on_failure=False))
    for state in failures:
        state.result()  # raises the first stage's own error


def _is_failed(future: PrefectFuture[Any]) -> bool:
    future.wait()
    return future.state.is_failed() or future.state.is_crashed()


def _failure(stage: str, finished: Finished, root: Path) -> StageError:
    if conflict := lock_conflict(stage, finished.lines):
        return conflict
    try:
        failure = read_json(root / FAILURES / f"{stage}.json")
        return StageFailedError(failure, failure["exit_code"])
    except (FileNotFoundError, json.JSONDecodeError):
        return StageError(
            stage,
            "the stage must end by itself",
            found=how_it_ended(finished),
            hint=f"free memory if it was short; `dvc repro {stage}` prints everything",
        )


def how_it_ended(finished: Finished) -> str:
    """Return the signal that ended a stage, whichever shell DVC used, else its last lines."""
    codes = [int(code) for line in finished.lines for code in EXITED.findall(line)]
    for code in codes:
        number = -code if code < 0 else code - SHELL_ADDS_TO_A_SIGNAL
        if number in set(Signals):
            return f"ended by {Signals(number).name}"
    return "; ".join(finished.lines[-3:]) or f"exit code {finished.returncode}"
