"""Prefect tasks of the flow `monitor`: judge what is new, show it, tell of findings."""

from datetime import UTC, datetime
from pathlib import Path

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from modemap.lifecycle.alert import alert
from modemap.lifecycle.monitor.findings import due, note_emitted, read_findings
from modemap.lifecycle.monitor.look import monitor as look_at
from modemap.lifecycle.monitor.looked import Looked
from modemap.monitoring.check import ANSWERS
from modemap.params import load_params
from modemap.tracking.store import open_store
from modemap.tracking.windows import log_window

__all__ = ["DRIFT_FOUND", "judge", "show", "tell"]

DRIFT_FOUND = "modemap.drift.found"


@task(name="judge", task_run_name="judge new rows")
def judge(source: str | None = None) -> Looked:
    """Compare what is new with what the champion learned from, and record it."""
    looked = look_at(Path.cwd(), source)
    get_run_logger().info("%s", looked.said)
    if looked.finding is not None and looked.window is not None:
        drifted = ", ".join([*looked.window["columns"], *looked.window["joint"]])
        alert(Path.cwd(), "drift-found", f"finding {looked.finding}: {drifted} drifted")
    return looked


@task(name="show", task_run_name="show the window", tags=["mlflow"])
def show(looked: Looked) -> None:
    """Keep what was found with the flow run and as a run of MLflow."""
    window, check = looked.window, looked.check
    if window is None or check is None or looked.page is None:
        return
    create_markdown_artifact(key="drift", markdown=_table(looked), description="New rows")
    store = open_store(Path.cwd(), load_params(Path.cwd() / "params.yaml").project)
    values = {f"monitor.psi.{c.name}": c.psi for c in check.columns if c.psi is not None}
    values |= {f"monitor.effect.{j.name}": j.effect for j in check.joint if j.effect is not None}
    tags = {
        "modemap.window": str(window["digest"]),
        "modemap.champion": str(looked.version),
        "modemap.drift": check.answer,
        "modemap.finding": looked.finding or "",
    }
    name = f"monitor-{window['id']}"
    log_window(store, name, tags, values | {"monitor.rows": check.n}, Path.cwd() / looked.page)


@task(name="tell", task_run_name="tell of findings")
def tell() -> None:
    """Emit the event of each finding that no retraining has named, as often as params allow."""
    params = load_params(Path.cwd() / "params.yaml")
    findings, why = due(read_findings(Path.cwd()), params.monitor, datetime.now(UTC))
    if why:
        get_run_logger().info("no retraining is asked for: %s", why)
    for finding in findings:
        drifted = [*finding.window["columns"], *finding.window["joint"]]
        emit_event(
            event=DRIFT_FOUND,
            resource={
                "prefect.resource.id": f"modemap.drift.{params.project}",
                "prefect.resource.name": f"drift beside {params.project} version {finding.version}",
            },
            payload={"finding": finding.id, "champion": finding.version, "drifted": drifted},
        )
        note_emitted(Path.cwd(), finding.id)
        get_run_logger().warning("finding %s: %s drifted", finding.id, ", ".join(drifted))


def _table(looked: Looked) -> str:
    assert looked.window is not None  # noqa: S101  # `show` has looked
    assert looked.check is not None  # noqa: S101  # the same
    rows = [(c.name, c.psi, c.drift) for c in looked.check.columns]
    rows += [(j.name, j.effect, j.drift) for j in looked.check.joint]
    lines = [
        f"| {name} | {'-' if effect is None else f'{effect:.4f}'} | {ANSWERS[drift]} |"
        for name, effect, drift in rows
    ]
    window = looked.window
    head = [f"**{looked.said}**", "", f"{window['n_rows']:,} rows, {window['n_files']} files", ""]
    table = ["| | effect | drift |", "|---|---|---|", *lines, ""]
    return "\n".join([*head, *table, *looked.check.why])
