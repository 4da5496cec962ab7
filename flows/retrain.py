"""The flow `retrain`: every stage, then the release is registered, judged, promoted, reported."""

from prefect import flow

from modemap.orchestration.answering import answering, take_up
from modemap.orchestration.promotion import gate, gate_here, promote, register
from modemap.orchestration.report import reported
from modemap.orchestration.stages import reproduce_all


@flow(name="retrain")
def retrain(
    accept_change: str | None = None,
    stage_timeout_seconds: float = 3600,
    promoting: bool = True,
    finding: str | None = None,
) -> None:
    """Reproduce every stage of dvc.yaml, then register, gate and promote the release.

    However it ends, ``reports/index.html`` tells how. Prefect shows what stands below beside the
    parameters of a deployment.

    Args:
        accept_change: Why a release that cannot be compared with the champion may replace it.
        stage_timeout_seconds: How long one stage may take; then it is stopped with everything it
            started.
        promoting: Whether the release is registered and, if the gate passes it, promoted. Otherwise
            it is judged where it lies, and its training is recorded in this checkout alone.
        finding: The drift that this run answers, however the gate decides; one that another run
            has taken up is left to it.
    """
    if not take_up(finding):
        return
    with reported(), answering(finding) as answer:
        reproduce_all(stage_timeout_seconds, recorded_here=not promoting)
        if not promoting:
            gate_here(accept_change)
            return
        answer.version = version = register()
        gate(version, accept_change)
        promote(version)


if __name__ == "__main__":
    retrain()
