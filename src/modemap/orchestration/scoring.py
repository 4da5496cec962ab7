"""The Prefect task that scores a source by the champion or a named version."""

from pathlib import Path

from prefect import get_run_logger, task

from modemap.lifecycle.score import score

__all__ = ["score_source"]


@task(name="score", task_run_name="score {source}")
def score_source(source: str, output: str, version: int | None = None) -> int:
    """Write the scores of ``source`` to ``output``; return how many rows there are."""
    scored = score(Path.cwd(), source, Path(output), number=version)
    get_run_logger().info(
        "%s: %d rows by version %d, %d of them could not be scored",
        output,
        scored.n_rows,
        scored.version,
        scored.n_without,
    )
    return scored.n_rows
