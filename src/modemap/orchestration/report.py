"""The Prefect task that renders the report, however a run has ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger, task

from modemap.errors import ModemapError, StageError
from modemap.lifecycle.report.write import write_report
from modemap.orchestration.waiting import AwaitingApprovalError, label_run, suspend
from modemap.reporting.story import Stopped

__all__ = ["report", "reported"]


@task(name="report", task_run_name="report")
def report(stopped: Stopped | None = None) -> None:
    """Render ``reports/index.html`` and the pages of the contract beside it."""
    path = write_report(Path.cwd(), stopped)
    get_run_logger().info("%s", path.relative_to(Path.cwd()))


@contextmanager
def reported() -> Iterator[None]:
    """Render the report once the block has ended; what stopped the block comes first.

    Should rendering fail as well, the block's own error is still the one that is raised. A run that
    waits for an approval is paused.
    """
    label_run()
    try:
        yield
    except ModemapError as error:
        parts = (error.place, error.rule, error.found, error.hint, error.exit_code)
        stopped = Stopped(*parts, in_stage=isinstance(error, StageError))
        state = report(stopped, return_state=True)  # of a failed task it is returned, not raised
        failed = state.result(raise_on_failure=False)
        if state.is_failed() and str(failed) != str(error):
            get_run_logger().error("there is no report: %s", failed)
        if isinstance(error, AwaitingApprovalError):
            suspend(error)
        raise
    report()
