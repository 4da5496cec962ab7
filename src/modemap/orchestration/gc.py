"""`modemap gc`: free what neither the history nor the checkout needs, in all three stores."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from modemap.errors import ParamsError
from modemap.lifecycle.gc import Waste, find_waste, read_kept, resting_dvc
from modemap.orchestration.records import connected, flow_runs

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["collect_garbage"]

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LOG_SECONDS = 30.0  # for the server to remove the logs of what was deleted
POLL_SECONDS = 0.2


def collect_garbage(root: Path, keep_days: float, *, dry_run: bool = False) -> list[Waste]:
    """Free what ended more than ``keep_days`` days ago and is not needed; return what that is.

    A version stays if the history names it, if it is young, or if it is the one in the checkout;
    with it stay its runs, what of DVC's cache it was made of, and the flow run that registered it.
    What a checkout, a branch, a tag or another ref of git names in DVC's cache stays too.

    Parameters
    ----------
    root : Path
        The project's folder.
    keep_days : float
        How old something must be at least.
    dry_run : bool, default=False
        Whether to leave it all where it is.

    Raises
    ------
    ParamsError
        If ``keep_days`` is negative.
    RegistryError
        If it cannot be told what is needed; nothing is freed then.
    StageError
        If DVC is at work in the checkout, or Prefect's records cannot be read.
    """
    if not keep_days >= 0:
        rule, hint = "must be a number of days, at least 0", "write --keep-days 30"
        raise ParamsError("modemap gc --keep-days", rule, found=keep_days, hint=hint)
    before = datetime.now(UTC) - timedelta(days=keep_days)
    with resting_dvc(root):
        kept = read_kept(root, before)
        records = _old_flow_runs(root, kept.flow_runs, before)
        found = [*find_waste(root, kept, before), *records]
        if not dry_run:
            for waste in found:
                waste.free()
    return found


def _old_flow_runs(root: Path, kept: set[str], before: datetime) -> Iterator[Waste]:
    """Yield the records of the checkout's own database; a server has its own times of keeping."""
    old = [
        run
        for run in flow_runs(root)
        if run.state in ENDED and run.ended < before and str(run.id) not in kept
    ]
    ids = [run.id for run in old]
    for run in old:
        name = f"flow run {run.name}, {run.id}"
        yield Waste("Prefect", name, 0, partial(_delete, root, ids, run.id))


def _delete(root: Path, ids: Sequence[UUID], run: UUID) -> None:
    """Delete all of ``ids`` on one server when the first is asked for."""
    if run != ids[0]:
        return
    with connected(root) as client:
        for each in ids:
            client.delete_flow_run(each)
        _wait_for_logs(client, ids)


def _wait_for_logs(client: "SyncPrefectClient", ids: Sequence[UUID]) -> None:
    """Return once the server, which does so afterwards, has removed the logs as well."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId  # noqa: PLC0415

    of_these = LogFilter(flow_run_id=LogFilterFlowRunId(any_=list(ids)))
    deadline = time.monotonic() + LOG_SECONDS
    while client.read_logs(log_filter=of_these, limit=1, offset=0) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
