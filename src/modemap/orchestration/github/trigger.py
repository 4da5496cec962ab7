"""What the event that started a workflow allows its run to do, as outputs and in the summary.

``promote``: whether the release may be registered and promoted and the store saved. Only a known
event on the default branch allows it. ``store``: ``server`` if the record is kept on the tracking
server that MLFLOW_TRACKING_URI names, else ``embedded``. ``remote``: whether there is a DVC remote,
which DVC_REMOTE_URL names.
"""

import os

from modemap.orchestration.github.context import (
    Event,
    append_summary,
    read_event,
    run_step,
    write_outputs,
)

__all__ = ["is_from_fork", "may_promote", "trigger"]

ALWAYS_ON_DEFAULT = ("repository_dispatch", "schedule")  # GitHub starts these nowhere else
ON_ANY_BRANCH = ("push", "workflow_dispatch")


def may_promote(event: Event) -> bool:
    """Say whether a run that ``event`` started may change the registry and the saved store."""
    if event.name in ALWAYS_ON_DEFAULT:
        return True
    default = (event.payload.get("repository") or {}).get("default_branch")
    return event.name in ON_ANY_BRANCH and bool(default) and event.ref == f"refs/heads/{default}"


def is_from_fork(event: Event) -> bool:
    """Say whether ``event`` is a pull request of another repository, which is given no secrets."""
    if event.name != "pull_request":
        return False
    head = (event.payload.get("pull_request") or {}).get("head") or {}
    return (head.get("repo") or {}).get("full_name") != event.repository


def trigger() -> None:
    """Write the outputs, and into the summary a line of explanation."""
    event = read_event()
    promote, fork = may_promote(event), is_from_fork(event)
    server = bool(os.environ.get("MLFLOW_TRACKING_URI")) and not fork
    remote = bool(os.environ.get("DVC_REMOTE_URL")) and not fork
    write_outputs(
        {
            "promote": str(promote).lower(),
            "store": "server" if server else "embedded",
            "remote": str(remote).lower(),
        }
    )
    does = "registers, and promotes what the gate passes" if promote else "trains and judges only"
    kept = "on the tracking server" if server else "in the store that runs hand on"
    append_summary(f"Event `{event.name}`: this run {does}. The record is kept {kept}.")


if __name__ == "__main__":
    run_step(trigger)
