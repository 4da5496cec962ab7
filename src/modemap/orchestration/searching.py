"""The Prefect task that searches for better params."""

from pathlib import Path

from prefect import get_run_logger, task

__all__ = ["search_params"]


@task(name="search")
def search_params(n_trials: int | None, n_jobs: int, *, apply: bool) -> dict[str, object]:
    """Search; write what is best into params.yaml if asked to, and return it by section.

    It is not tried again: another call goes on where this one stopped.
    """
    from modemap.search.applying import apply as write_params  # noqa: PLC0415  # needs an extra
    from modemap.search.run import search  # noqa: PLC0415

    root = Path.cwd()
    found = search(root, n_trials=n_trials, n_jobs=n_jobs)
    if apply:
        get_run_logger().info("%s", write_params(root, found) or "params.yaml stays as it is")
    return dict(found.changes())
