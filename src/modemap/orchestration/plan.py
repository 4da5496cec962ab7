"""What DVC would do now: the graph of dvc.yaml and the stages that are out of date."""

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modemap.errors import StageError
from modemap.orchestration.environment import tool_environment
from modemap.orchestration.standby import standby
from modemap.refusals import refused

__all__ = ["LockConflictError", "Plan", "lock_conflict", "read_plan"]

LOCK_MESSAGES = (
    "Unable to acquire lock",
    "is being blocked by",
    "Unable to read RWLock-file",  # DVC writes it in place: another writes now, or was killed then
)


class LockConflictError(StageError):
    """Another DVC process holds a lock; nothing of what was asked for ran."""


def lock_conflict(place: object, lines: Sequence[str]) -> LockConflictError | None:
    """Return the error that DVC's ``lines`` speak of if they speak of a lock that was taken."""
    for line in lines:
        if any(words in line for words in LOCK_MESSAGES):
            return LockConflictError(
                place,
                "DVC's lock must be free",
                found=line,
                hint="wait for the other `dvc` to end; if none runs, remove .dvc/tmp/rwlock",
            )
    return None


@dataclass(frozen=True)
class Plan:
    """The stages with what each waits for, and those that DVC calls changed."""

    upstream: dict[str, list[str]]
    changed: frozenset[str]

    def ordered(self) -> list[str]:
        """Return the stages so that each comes after what it waits for."""
        order: list[str] = []
        while len(order) < len(self.upstream):
            ready = [
                stage
                for stage, needs in sorted(self.upstream.items())
                if stage not in order and all(need in order for need in needs)
            ]
            order.extend(ready)
        return order


def read_plan(root: Path) -> Plan:
    """Ask DVC, in a process of its own, for the graph and the changed stages.

    Raises
    ------
    LockConflictError
        If another process holds DVC's lock.
    StageError
        If DVC cannot read dvc.yaml.
    """
    command = ["modemap.orchestration.plan"]
    answer = standby.run(command, root=root, environment=tool_environment(root))
    said, _ = answer.communicate()
    lines = said.strip().splitlines()
    if answer.returncode:
        if conflict := lock_conflict(root / "dvc.yaml", lines):
            raise conflict
        if any(f"[Errno {errno.ENOSPC}]" in line for line in lines[-1:]):
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root / ".dvc"))
            raise refused(error, "DVC", "dvc", "run again")
        raise StageError(
            root / "dvc.yaml",
            "DVC must be able to read the stages",
            found=lines[-1] if lines else "no message",
            hint="run `dvc status` to see the whole message",
        )
    plan = json.loads(lines[-1])
    return Plan(plan["upstream"], frozenset(plan["changed"]))


def _print_plan() -> None:
    from dvc.repo import Repo  # noqa: PLC0415  # only this process pays for DVC

    repo = Repo()
    graph = repo.index.graph
    upstream = {
        stage.addressing: sorted(need.addressing for need in graph.successors(stage))
        for stage in graph
    }
    print(json.dumps({"upstream": upstream, "changed": sorted(repo.status())}))  # noqa: T201


if __name__ == "__main__":
    _print_plan()
