"""A retraining that answers a finding: it names it when it begins, and says how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect import get_run_logger, runtime

from modemap.errors import DataError, GateRefusedError, ParamsError, ReleaseError
from modemap.lifecycle.alert import alert
from modemap.lifecycle.monitor.findings import close_finding, name_finding, read_finding
from modemap.lifecycle.status import status
from modemap.orchestration.waiting import AwaitingApprovalError
from modemap.params import load_params

__all__ = ["Answer", "answering", "take_up"]


@dataclass
class Answer:
    """What is known of a retraining while it runs."""

    version: int | None = None


def take_up(finding: str | None) -> bool:
    """Tell whether there is something to do: no other retraining has taken up ``finding``.

    Raises
    ------
    ParamsError
        If there is no such finding.
    """
    if finding is None:
        return True
    hours = load_params(Path.cwd() / "params.yaml").monitor.cooldown_hours
    taken = name_finding(Path.cwd(), finding, str(runtime.flow_run.id), hours)
    if taken is None:
        found = read_finding(Path.cwd(), finding)
        by = found.closed["outcome"] if found.closed else f"flow run {(found.named or {})['run']}"
        get_run_logger().info("finding %s is answered already: %s", finding, by)
    return taken is not None


@contextmanager
def answering(finding: str | None) -> Iterator[Answer]:
    """Close ``finding`` with what the block came to.

    A refusal of the gate, of the contract or of the params closes it too. What may pass by itself,
    such as a store that is away, leaves it open: once the cool-down is over it is told again. So
    does a wait for an approval.
    """
    answer = Answer()
    if finding is None:
        yield answer
        return
    before = read_finding(Path.cwd(), finding)
    try:
        yield answer
    except AwaitingApprovalError:
        raise
    except GateRefusedError as error:
        _close(finding, "refused", answer, str(error))
        alert(Path.cwd(), "retrain-refused", f"finding {finding}: {error.place} was refused")
        raise
    except (DataError, ParamsError, ReleaseError) as error:
        _close(finding, "failed", answer, str(error))
        alert(Path.cwd(), "retrain-refused", f"finding {finding}: {error.place}: {error.rule}")
        raise
    if answer.version is None:
        _close(finding, "judged", answer, "nothing was to be registered")
        return
    champion = status(Path.cwd())
    beside = champion.rollout if champion is not None else None
    if beside is not None and beside.version == answer.version:
        why = f"it is a {beside.kind} for {beside.share:.0%} of the requests"
        _close(finding, "rolled out", answer, why)
        return
    is_new = champion is not None and champion.digest != before.digest
    why = "it is the champion" if is_new else "the data gave the same release again"
    _close(finding, "promoted" if is_new else "unchanged", answer, why)


def _close(finding: str, outcome: str, answer: Answer, why: str) -> None:
    close_finding(Path.cwd(), finding, outcome, answer.version, " ".join(why.split()))
    get_run_logger().info("finding %s: %s", finding, outcome)
