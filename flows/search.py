"""The flow `search`: look for params that beat the present ones on validation rows."""

from prefect import flow

from modemap.orchestration.searching import search_params


@flow(name="search")
def search(trials: int | None = None, jobs: int = 1, *, apply: bool = False) -> dict[str, object]:
    """Return by section what the best map and mixture have in place of the present params.

    Args:
        trials: How many trials there are to be; by default search.n_trials.
        jobs: Processes that train side by side.
        apply: Write the best into params.yaml.
    """
    return search_params(trials, jobs, apply=apply)
