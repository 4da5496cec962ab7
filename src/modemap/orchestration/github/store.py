"""Find the store that the last successful run on the default branch saved.

Outputs: ``run_id``, empty if no run has saved one yet, and ``artifact``. An expired store is an
error, not a new beginning: without its champion the gate would let anything pass.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from modemap.errors import RegistryError
from modemap.orchestration.github.client import GitHub
from modemap.orchestration.github.context import append_summary, run_step, write_outputs

__all__ = ["ARTIFACT", "find_store", "store"]

ARTIFACT = "modemap-store"
WORKFLOW = "retrain.yml"
PAGE = 100


def find_store(github: GitHub) -> Mapping[str, Any] | None:
    """Return the newest saved store, None if none was ever saved.

    Raises
    ------
    RegistryError
        If GitHub has deleted it.
    """
    for run in _runs(github):
        found = github.get(f"actions/runs/{run['id']}/artifacts", name=ARTIFACT, per_page=PAGE)
        for artifact in found["artifacts"]:
            if artifact["expired"]:
                raise RegistryError(
                    f"{ARTIFACT} of run {run['id']}",
                    "the store must not have expired",
                    found=f"GitHub deleted it on {artifact['expires_at']}",
                    hint="start `retrain` by hand with `new_store`, or use a tracking server",
                )
            return {"run_id": run["id"], "expires_at": artifact["expires_at"]}
    return None


def store() -> None:
    """Write the outputs, and into the summary until when the store is kept."""
    if os.environ.get("NEW_STORE") == "true":
        append_summary("A new store is started, without a champion: so was asked for.")
        write_outputs({"run_id": "", "artifact": ARTIFACT})
        return
    found = find_store(GitHub())
    if found is None:
        append_summary("No run has saved a store yet: a new one is started, without a champion.")
        write_outputs({"run_id": "", "artifact": ARTIFACT})
        return
    append_summary(
        f"The store of run {found['run_id']} is restored. GitHub keeps it until"
        f" {found['expires_at']}; every run that promotes or keeps a champion saves it anew."
    )
    write_outputs({"run_id": str(found["run_id"]), "artifact": ARTIFACT})


def _runs(github: GitHub) -> Iterator[Mapping[str, Any]]:
    """Yield the successful runs that may have saved a store, newest first.

    A fork's branch may have the default branch's name: its runs are pull requests, or of another
    head repository, and are left out.
    """
    branch = github.get("")["default_branch"]
    found = github.get(
        f"actions/workflows/{WORKFLOW}/runs", branch=branch, status="success", per_page=PAGE
    )
    for run in found["workflow_runs"]:
        head = (run.get("head_repository") or {}).get("full_name")
        if run["event"] != "pull_request" and head == github.repository:
            yield run


if __name__ == "__main__":
    run_step(store)
