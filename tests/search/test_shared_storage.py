"""A search whose trials lie in a real PostgreSQL, which two checkouts share."""

import pytest

from modemap.search.run import search
from modemap.search.study import DATABASE
from tests.postgresql import postgresql

pytestmark = [pytest.mark.system, pytest.mark.workflow, pytest.mark.timeout(300)]

PASSWORD = "hunter2"  # noqa: S105  # of this test's own server


def test_two_checkouts_share_a_search(project, twin):
    """What one has tried the other has not to try again; it goes on from there."""
    with postgresql("trials", PASSWORD) as server:
        first = search(project, n_trials=4, storage=server.url)
        second = search(twin, n_trials=6, storage=server.url)
        third = search(project, n_trials=6, storage=server.url)

    assert [trial.state for trial in first.trials] == ["complete"] * 4
    assert [trial.params for trial in second.trials[:4]] == [t.params for t in first.trials]
    assert [trial.numbers for trial in second.trials[:4]] == [t.numbers for t in first.trials]
    assert len(second.trials) == len(third.trials) == 6
    assert third.changes() == second.changes()
    assert not (project / DATABASE).exists()
    assert not (twin / DATABASE).exists()
