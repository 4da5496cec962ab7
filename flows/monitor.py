"""The flow `monitor`: rows that came since the last look, beside what the champion learned from."""

from prefect import flow

from modemap.lifecycle.monitor.looked import Looked
from modemap.orchestration.monitoring import judge, show, tell


@flow(name="monitor")
def monitor(source: str | None = None) -> Looked:
    """Judge new rows; where enough windows drifted, an event asks for a retraining.

    Args:
        source: A folder, a file or a glob; by default `monitor.source` of params.yaml, or else the
            prediction log.
    """
    looked = judge(source)
    tell()
    show(looked)
    return looked


if __name__ == "__main__":
    monitor()
