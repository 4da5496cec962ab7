"""`modemap doctor`: look, mend where that is asked for, and look again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modemap.errors import RegistryError
from modemap.lifecycle.doctor import Finding
from modemap.lifecycle.doctor import examine as examine_checkout
from modemap.orchestration.records import FlowRunRecord, connected, flow_runs

__all__ = ["Diagnosis", "doctor", "examine"]

MOST_ROUNDS = 3  # a moved store is mended before the runs in it can be looked at
MOST_TASKS = 200  # Prefect's largest page; a flow has a dozen
CRASHED = "its process is gone: ended by `modemap doctor`"


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and what of it is still there."""

    findings: list[Finding]
    left: list[Finding]

    def require(self) -> None:
        """Do nothing if nothing is left.

        Raises
        ------
        RegistryError
            If something is; the message names the first place.
        """
        if self.left:
            first = self.left[0]
            rule = f"must be mended ({len(self.left)} findings)"
            hint = "`modemap doctor --mend` mends it" if first.mend else first.mending
            raise RegistryError(first.place, rule, found=first.what, hint=hint)


def doctor(root: Path, *, mend: bool = False) -> Diagnosis:
    """Examine the checkout ``root``; with ``mend`` mend what can be mended.

    Raises
    ------
    ParamsError
        If params.yaml cannot be read.
    StageError
        If Prefect's database cannot be read, or its server does not start.
    """
    findings = left = examine(root)
    for _ in range(MOST_ROUNDS if mend else 0):
        mendable = [finding.mend for finding in left if finding.mend]
        for mend_it in mendable:
            mend_it()
        left = examine(root) if mendable else left
        findings = [*findings, *(finding for finding in left if finding not in findings)]
    return Diagnosis(findings, left)


def examine(root: Path) -> list[Finding]:
    """Return what is wrong in ``root``, its tracking store and its records of flow runs."""
    return [*examine_checkout(root), *_killed_runs(root)]


def _killed_runs(root: Path) -> Iterator[Finding]:
    killed = [run for run in flow_runs(root) if run.is_killed]
    for run in killed:
        yield Finding(
            f"Prefect run {run.name}, {run.id}",
            f"is {run.state.lower()}, and its process is gone",
            "Prefect shows it as running for ever, and a concurrency limit counts it",
            "ends it as crashed, with its tasks",
            partial(_end, root, killed),
        )


def _end(root: Path, killed: Sequence[FlowRunRecord]) -> None:
    """End all runs that were killed, unless a call before has done so."""
    still = {run.id for run in flow_runs(root) if run.is_killed}
    ending = [run.id for run in killed if run.id in still]
    if not ending:
        return
    with connected(root) as client:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId  # noqa: PLC0415
        from prefect.client.schemas.sorting import TaskRunSort  # noqa: PLC0415
        from prefect.states import Crashed  # noqa: PLC0415

        of_these = FlowRunFilter(id=FlowRunFilterId(any_=ending))
        tasks = client.read_task_runs(
            flow_run_filter=of_these, sort=TaskRunSort.ID_DESC, limit=MOST_TASKS
        )
        for task in tasks:
            if task.state is not None and not task.state.is_final():
                client.set_task_run_state(task.id, Crashed(message=CRASHED), force=True)
        for run in ending:
            client.set_flow_run_state(run, Crashed(message=CRASHED), force=True)
