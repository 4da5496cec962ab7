"""Prefect tasks for what follows the last stage: register, gate, promote."""

from pathlib import Path

from prefect import get_run_logger, runtime, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from modemap.lifecycle import gate as judging
from modemap.lifecycle import register as registering
from modemap.lifecycle import status as asking
from modemap.lifecycle.alert import alert
from modemap.lifecycle.approve import awaits_approval, has_approval
from modemap.lifecycle.card import keep_card
from modemap.lifecycle.history import Rollout
from modemap.lifecycle.rollout import advance
from modemap.lifecycle.status import Champion
from modemap.lifecycle.verdict import Verdict
from modemap.orchestration.summary import metrics_table
from modemap.orchestration.waiting import AwaitingApprovalError
from modemap.params import load_params

__all__ = ["gate", "gate_here", "promote", "register"]


@task(name="register", task_run_name="register", tags=["mlflow"])
def register() -> int:
    """Make the evaluated release a version, unless its digest is one already."""
    version = registering.register(Path.cwd(), runtime.flow_run.id)
    get_run_logger().info("version %d, digest %s", version.number, version.digest)
    return version.number


@task(name="gate", task_run_name="gate version {version}", tags=["mlflow"])
def gate(version: int, accept_change: str | None = None) -> None:
    """Judge a version rule by rule; a refusal fails the flow. The champion needs no verdict."""
    logger = get_run_logger()
    champion = asking.status(Path.cwd())
    _tell_of_moved_alias(champion)
    if champion is not None and champion.version == version:
        logger.info("version %d is the champion already", version)
        return
    if has_approval(Path.cwd(), version):
        logger.info("version %d: the verdict that was approved stands", version)
        return
    _show(judging.gate(Path.cwd(), version, accept_change), f"version {version}")


@task(name="gate_here", task_run_name="gate models/release")
def gate_here(accept_change: str | None = None) -> None:
    """Judge the release where it lies; a refusal fails the flow, and nothing is registered."""
    _show(judging.gate_here(Path.cwd(), accept_change), "the release, which is not registered")


def _tell_of_moved_alias(champion: Champion | None) -> None:
    """Emit an event, for automations that alert people, if another hand has moved the alias."""
    if champion is None or champion.alias == champion.version:
        return
    said = f"alias `champion` names {champion.alias}, the history version {champion.version}"
    get_run_logger().warning("%s: another hand has moved it; promoting sets it right", said)
    emit_event(
        event="modemap.alias.moved",
        resource={
            "prefect.resource.id": f"modemap.champion.{champion.model}",
            "prefect.resource.name": f"champion of {champion.model}",
        },
        payload={"alias": champion.alias, "champion": champion.version, "anchor": champion.anchor},
    )
    alert(Path.cwd(), "alias-moved", said)


def _show(verdict: Verdict, judged: str) -> None:
    """Log the verdict rule by rule and keep it with the flow run; raise if it is a refusal."""
    table = [
        {
            "rule": result.rule,
            "outcome": result.outcome,
            "value": str(result.value),
            "bound": str(result.bound),
            "why": result.why,
        }
        for result in verdict.results
    ]
    create_table_artifact(key="gate", table=table, description=f"The gate's verdict on {judged}")
    for row in table:
        get_run_logger().info("%s %s: %s", row["rule"], row["outcome"], row["why"])
    verdict.require()


def promote(version: int) -> None:
    """Make a version that passed the gate the champion, once approved where params ask for that.

    Raises
    ------
    AwaitingApprovalError
        If nobody has approved it yet.
    """
    params = load_params(Path.cwd() / "params.yaml")
    if awaited := awaits_approval(Path.cwd(), version):
        raise AwaitingApprovalError(params.project, awaited)
    promote_now(version)


@task(name="promote", task_run_name="promote version {version}", tags=["mlflow"])
def promote_now(version: int) -> None:
    """Append the promotion or the rollout to the history, and show the champion's numbers."""
    promotion = advance(Path.cwd(), version)
    if isinstance(promotion, Rollout):
        share = f"{promotion.share:.0%}"
        get_run_logger().info("version %d is a canary for %s of the requests", version, share)
        return
    said = "promoted" if promotion.changed else "stays the champion"
    get_run_logger().info("version %d %s", promotion.version, said)
    if promotion.notice:
        get_run_logger().warning(promotion.notice)
    keep_card(Path.cwd(), version)
    champion = asking.status(Path.cwd())
    if champion is not None:
        create_markdown_artifact(
            key="champion", markdown=metrics_table(champion), description="The champion"
        )
